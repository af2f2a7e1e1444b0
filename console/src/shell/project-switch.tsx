/** In which project one works. To go into another is to go to another address; its token is asked for when it is first used. */
import { MenuSearch, MenuSearchInput, MenuToggle, SearchInput, Select, SelectList, SelectOption } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useLocation, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { projectsQuery } from '../api/identity.ts'
import { to } from '../paths.ts'

/** From so many projects on, one may search. */
const MANY = 8

export function ProjectSwitch({ userId }: { userId: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { project_id } = useParams({ strict: false })
  const { pathname } = useLocation()
  const { data: projects = [] } = useQuery(projectsQuery(userId))
  const [open, setOpen] = useState(false)
  const [typed, setTyped] = useState('')
  if (projects.length === 0) return null
  const found = projects.filter(({ name }) => name.toLowerCase().includes(typed.toLowerCase()))
  const name = projects.find(({ id }) => id === project_id)?.name ?? t('shell.project')
  return (
    <Select
      isOpen={open}
      onOpenChange={setOpen}
      selected={project_id}
      isScrollable
      onSelect={(_, id) => {
        setOpen(false)
        setTyped('')
        void navigate(samePage(pathname, String(id)))
      }}
      toggle={(ref) => (
        <MenuToggle ref={ref} isExpanded={open} onClick={() => setOpen(!open)} aria-label={`${t('shell.project')}: ${name}`}>
          {name}
        </MenuToggle>
      )}
    >
      {projects.length >= MANY && (
        <MenuSearch>
          <MenuSearchInput>
            <SearchInput aria-label={t('shell.find_project')} placeholder={t('shell.find_project')} value={typed} onChange={(_, value) => setTyped(value)} />
          </MenuSearchInput>
        </MenuSearch>
      )}
      <SelectList>
        {found.map((project) => (
          <SelectOption key={project.id} value={project.id} description={project.description || undefined}>
            {project.name}
          </SelectOption>
        ))}
        {found.length === 0 && <SelectOption isDisabled>{t('shell.no_such_project')}</SelectOption>}
      </SelectList>
    </Select>
  )
}

/** The page of the same kind in another project; what is in it stays behind. */
function samePage(pathname: string, id: string) {
  const page = /\/projects\/[^/]+\/([^/]+)/.exec(pathname)?.[1]
  return page === 'containers' ? to.containers(id) : page === 's3' ? to.s3(id) : to.project(id)
}
