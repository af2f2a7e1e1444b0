/** The servers of a project, and what may be done with them. What is shown is in the address: the name looked for, the order, the page, the opened one. */
import { Button, PageSection, Title } from '@patternfly/react-core'
import { ServerIcon } from '@patternfly/react-icons'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import type { TFunction } from 'i18next'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { actOn, consoleOf, type Deed, deedsFor, type Server, type ServersSearch, serversQuery } from '../api/compute.ts'
import { to } from '../paths.ts'
import { Empty, NothingFound } from '../ui/empty.tsx'
import { Failure } from '../ui/failure.tsx'
import { ListToolbar } from '../ui/list-toolbar.tsx'
import { type Column, ResourceTable } from '../ui/resource-table.tsx'
import { type MenuItem, RowMenu } from '../ui/row-menu.tsx'
import { Time } from '../ui/time.tsx'
import { MakeServer } from './servers/make-server.tsx'
import { RemoveServer } from './servers/remove-server.tsx'
import { ServerDetails } from './servers/server-details.tsx'
import { Addresses, type EmbeddedFlavor, Flavor, Status } from './servers/server-facts.tsx'

const FROM = '/inside/projects/$project_id/servers'

export function ServersPage() {
  const { t } = useTranslation()
  const { project_id } = useParams({ from: FROM })
  const search = useSearch({ from: FROM })
  const navigate = useNavigate()
  const { data, error, dataUpdatedAt, refetch } = useQuery(serversQuery(project_id, search))
  const show = (change: { [Key in keyof ServersSearch]?: ServersSearch[Key] | undefined }): void => {
    const { marker: _marker, server: _server, ...kept } = search
    void navigate({ ...to.servers(project_id), search: { ...kept, ...change } as ServersSearch })
  }
  const queryClient = useQueryClient()
  const [removed, setRemoved] = useState<Server>()
  const [making, setMaking] = useState(false)
  const refresh = (): Promise<void> => queryClient.invalidateQueries({ queryKey: ['project', project_id, 'servers'] })
  const act = useMutation({ mutationFn: ({ server, deed }: { server: Server; deed: Deed }) => actOn(project_id, server.id, deed), onSuccess: refresh })
  const look = useMutation({ mutationFn: (server: Server) => openConsole(project_id, server.id) })
  const failed = act.error ? { title: t('servers.act_failed', { name: act.variables!.server.name }), error: act.error } : look.error ? { title: t('servers.console_failed', { name: look.variables!.name }), error: look.error } : undefined
  const menuOf = (server: Server): MenuItem[] => [
    { label: t('servers.details'), onClick: () => show({ server: server.id, marker: search.marker }) },
    ...(CONSOLES.includes(server.status) ? [{ label: t('servers.console'), onClick: () => look.mutate(server) }] : []),
    ...deedsFor(server).map((deed) => ({ label: t(`servers.deed.${deed}`), onClick: () => act.mutate({ server, deed }) })),
    { label: t('servers.remove'), danger: true, onClick: () => setRemoved(server) },
  ]
  useEffect(() => {
    document.title = `${t('servers.title')} · ${t('brand')}`
  }, [t])

  return (
    <PageSection hasBodyWrapper={false}>
      <Title headingLevel="h1">{t('servers.title')}</Title>
      <ListToolbar
        key={search.name}
        name={search.name}
        actions={<Button onClick={() => setMaking(true)}>{t('servers.make')}</Button>}
        onFind={(name) => show({ name })}
        updatedAt={dataUpdatedAt}
        onRefresh={() => void refetch()}
        onFirst={search.marker ? () => show({}) : undefined}
        onNext={data?.next ? () => show({ marker: data.next }) : undefined}
      />
      {failed && <Failure {...failed} />}
      <ResourceTable
        label={t('servers.title')}
        columns={[...columns(t, project_id, search), { title: t('list.actions'), quiet: true, cell: (server) => <RowMenu name={server.name} items={menuOf(server)} /> }]}
        rows={data?.servers}
        error={error}
        retry={() => void refetch()}
        sorted={search}
        onSort={(sort, dir) => show({ sort, dir })}
        empty={
          search.name ? (
            <NothingFound body={t('list.nothing_found_body', { name: search.name })} />
          ) : (
            <Empty
              icon={ServerIcon}
              title={t('servers.none')}
              body={t('servers.none_body')}
              action={<Button onClick={() => setMaking(true)}>{t('servers.make_first')}</Button>}
              command="openstack server create --image ondol-guest --flavor m1.nano --network private first"
            />
          )
        }
      />
      {search.server !== undefined && <ServerDetails projectId={project_id} serverId={search.server} onClose={() => show({ marker: search.marker })} />}
      {making && (
        <MakeServer
          projectId={project_id}
          onClose={() => {
            setMaking(false)
            void refresh()
          }}
        />
      )}
      {removed && (
        <RemoveServer
          projectId={project_id}
          server={removed}
          onClose={() => {
            setRemoved(undefined)
            void refresh()
          }}
        />
      )}
    </PageSection>
  )
}

/** A server in one of these states has a screen. */
const CONSOLES: readonly string[] = ['ACTIVE', 'RESCUE', 'PAUSED', 'VERIFY_RESIZE', 'PASSWORD', 'REBOOT', 'HARD_REBOOT']

/** The window is opened at the click, since browsers allow it only then. */
async function openConsole(projectId: string, serverId: string): Promise<void> {
  const tab = window.open('', '_blank')
  try {
    const url = await consoleOf(projectId, serverId)
    if (!tab) return location.assign(url)
    tab.opener = null
    tab.location.replace(url)
  } catch (thrown) {
    tab?.close()
    throw thrown
  }
}

function columns(t: TFunction, projectId: string, search: ServersSearch): Column<Server, NonNullable<ServersSearch['sort']>>[] {
  return [
    { title: t('servers.name'), sort: 'display_name', width: 20, cell: ({ id, name }) => <Link {...to.servers(projectId)} search={{ ...search, server: id }} className="guest-text">{name}</Link> },
    { title: t('servers.status'), sort: 'vm_state', width: 15, cell: (server) => <Status server={server} /> },
    { title: t('servers.addresses'), cell: (server) => <Addresses server={server} /> },
    { title: t('servers.flavor'), cell: (server) => <Flavor flavor={server.flavor as EmbeddedFlavor} /> },
    { title: t('servers.created'), sort: 'created_at', width: 15, cell: ({ created }) => <Time at={created} /> },
  ]
}
