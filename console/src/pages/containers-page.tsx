/** The containers of a project: what they hold, who may read them, and what may be done with them. */
import { Button, Label, PageSection, Skeleton, Title } from '@patternfly/react-core'
import { CubesIcon, GlobeIcon } from '@patternfly/react-icons'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { isPublic } from '../api/acl.ts'
import { type Container, containerQuery, type ContainersSearch, containersQuery, markerBefore } from '../api/containers.ts'
import { storeKey } from '../api/object-store.ts'
import { to } from '../paths.ts'
import { useReadOnly } from '../session.ts'
import { Bytes } from '../ui/bytes.tsx'
import { Empty, NothingFound } from '../ui/empty.tsx'
import { ListToolbar } from '../ui/list-toolbar.tsx'
import { ReadOnly } from '../ui/read-only.tsx'
import { type Column, ResourceTable } from '../ui/resource-table.tsx'
import { RowMenu } from '../ui/row-menu.tsx'
import { Time } from '../ui/time.tsx'
import { AccessDialog } from './containers/access-dialog.tsx'
import { MakeContainer } from './containers/make-container.tsx'
import { RemoveContainer } from './containers/remove-container.tsx'
import { SettingsDialog } from './containers/settings-dialog.tsx'
import { Usage } from './containers/usage.tsx'

const FROM = '/inside/projects/$project_id/containers'

type Row = Container & { id: string }
type Opened = { kind: 'make' } | { kind: 'access' | 'settings' | 'empty' | 'remove'; container: Container }

export function ContainersPage() {
  const { t, i18n } = useTranslation()
  const { project_id } = useParams({ from: FROM })
  const search = useSearch({ from: FROM })
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [opened, setOpened] = useState<Opened>()
  const { data, error, dataUpdatedAt, refetch } = useQuery(containersQuery(project_id, search))
  const readOnly = useReadOnly(project_id)
  const refresh = (): Promise<void> => queryClient.invalidateQueries({ queryKey: storeKey(project_id) })
  const close = (): void => {
    setOpened(undefined)
    void refresh()
  }
  const show = (next: ContainersSearch): void => void navigate({ ...to.containers(project_id), search: next })
  useEffect(() => {
    document.title = `${t('containers.title')} · ${t('brand')}`
  }, [t])

  const number = new Intl.NumberFormat(i18n.language)
  const columns: Column<Row>[] = [
    {
      title: t('containers.name'),
      width: 25,
      cell: ({ name }) => (
        <Link {...to.objects(project_id, { container: name })} className="guest-text" title={name}>
          {name}
        </Link>
      ),
    },
    { title: t('containers.count'), cell: ({ count }) => number.format(count) },
    { title: t('containers.bytes'), cell: ({ bytes }) => <Bytes of={bytes} /> },
    { title: t('containers.access'), cell: ({ name }) => <Access projectId={project_id} container={name} /> },
    { title: t('containers.policy'), width: 15, cell: ({ name }) => <Policy projectId={project_id} container={name} /> },
    { title: t('containers.changed'), cell: ({ last_modified }) => <Time at={last_modified} /> },
    {
      title: t('list.actions'),
      quiet: true,
      cell: (container) => !readOnly && (
        <RowMenu
          name={container.name}
          items={[
            { label: t('containers.change_access'), onClick: () => setOpened({ kind: 'access', container }) },
            { label: t('containers.settings'), onClick: () => setOpened({ kind: 'settings', container }) },
            ...(container.count > 0 || container.bytes > 0 ? [{ label: t('containers.empty'), danger: true, onClick: () => setOpened({ kind: 'empty', container }) }] : []),
            { label: t('containers.remove'), danger: true, onClick: () => setOpened({ kind: 'remove', container }) },
          ]}
        />
      ),
    },
  ]

  return (
    <PageSection hasBodyWrapper={false}>
      <Title headingLevel="h1">{t('containers.title')}</Title>
      <Usage projectId={project_id} />
      {readOnly && <ReadOnly />}
      <ListToolbar
        key={search.find}
        label={t('containers.find')}
        name={search.find}
        actions={!readOnly && <Button onClick={() => setOpened({ kind: 'make' })}>{t('containers.make')}</Button>}
        onFind={(find) => show(find ? { find } : {})}
        updatedAt={dataUpdatedAt}
        onRefresh={() => void refresh()}
        onFirst={search.marker ? () => show(search.find ? { find: search.find } : {}) : undefined}
        onPrevious={search.marker && data?.containers[0] ? () => void markerBefore(project_id, search.find, data.containers[0]!.name).then((marker) => show({ ...(search.find ? { find: search.find } : {}), ...(marker ? { marker } : {}) })) : undefined}
        onNext={data?.next ? () => show({ ...search, marker: data.next! }) : undefined}
      />
      <ResourceTable
        label={t('containers.title')}
        columns={columns}
        rows={data?.containers.map((container) => ({ ...container, id: container.name }))}
        error={error}
        retry={() => void refetch()}
        empty={
          search.find || search.marker ? (
            <NothingFound body={t('list.nothing_begins', { name: search.find ?? '' })} />
          ) : (
            <Empty icon={CubesIcon} title={t('containers.none')} body={t('containers.none_body')} action={!readOnly && <Button onClick={() => setOpened({ kind: 'make' })}>{t('containers.make_first')}</Button>} command="openstack container create photos" />
          )
        }
      />
      {opened?.kind === 'make' && <MakeContainer projectId={project_id} onClose={close} />}
      {opened?.kind === 'access' && <AccessDialog projectId={project_id} container={opened.container.name} onClose={close} />}
      {opened?.kind === 'settings' && <SettingsDialog projectId={project_id} container={opened.container.name} onClose={close} />}
      {(opened?.kind === 'remove' || opened?.kind === 'empty') && <RemoveContainer kind={opened.kind} projectId={project_id} container={opened.container} onClose={close} />}
    </PageSection>
  )
}

/** The list does not tell this; each line asks for its own. */
function Access({ projectId, container }: { projectId: string; container: string }) {
  const { t } = useTranslation()
  const { data, isError } = useQuery(containerQuery(projectId, container))
  if (isError) return <span className="quiet">{t('containers.unknown')}</span>
  if (!data) return <Skeleton screenreaderText={t('list.loading')} />
  if (isPublic(data.read)) {
    return (
      <Label variant="outline" status="warning" icon={<GlobeIcon />}>
        {t('containers.public')}
      </Label>
    )
  }
  return <>{t(data.read || data.write ? 'containers.shared' : 'containers.private')}</>
}

function Policy({ projectId, container }: { projectId: string; container: string }) {
  const { data } = useQuery(containerQuery(projectId, container))
  return <span className="guest-text">{data?.policy}</span>
}
