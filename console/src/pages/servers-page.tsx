/** The servers of a project. What is shown is in the address: the name looked for, the order, the page. */
import { ClipboardCopy, EmptyState, EmptyStateBody, EmptyStateFooter, Label, PageSection, Title, Tooltip } from '@patternfly/react-core'
import { SearchIcon, ServerIcon } from '@patternfly/react-icons'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import type { TFunction } from 'i18next'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { isChanging, type Server, type ServersSearch, serversQuery } from '../api/compute.ts'
import { to } from '../paths.ts'
import { ListToolbar } from '../ui/list-toolbar.tsx'
import { type Column, ResourceTable } from '../ui/resource-table.tsx'
import { Time } from '../ui/time.tsx'

const FROM = '/inside/projects/$project_id/servers'

export function ServersPage() {
  const { t } = useTranslation()
  const { project_id } = useParams({ from: FROM })
  const search = useSearch({ from: FROM })
  const navigate = useNavigate()
  const { data, error, dataUpdatedAt, refetch } = useQuery(serversQuery(project_id, search))
  const show = (change: { [Key in keyof ServersSearch]?: ServersSearch[Key] | undefined }): void => {
    const { marker: _, ...kept } = search
    void navigate({ ...to.servers(project_id), search: { ...kept, ...change } as ServersSearch })
  }
  useEffect(() => {
    document.title = `${t('servers.title')} · ${t('brand')}`
  }, [t])

  return (
    <PageSection hasBodyWrapper={false}>
      <Title headingLevel="h1">{t('servers.title')}</Title>
      <ListToolbar
        key={search.name}
        name={search.name}
        onFind={(name) => show({ name })}
        updatedAt={dataUpdatedAt}
        onRefresh={() => void refetch()}
        onFirst={search.marker ? () => show({}) : undefined}
        onNext={data?.next ? () => show({ marker: data.next }) : undefined}
      />
      <ResourceTable
        label={t('servers.title')}
        columns={columns(t)}
        rows={data?.servers}
        error={error}
        retry={() => void refetch()}
        sorted={search}
        onSort={(sort, dir) => show({ sort, dir })}
        empty={search.name ? <NothingFound name={search.name} /> : <NoServers />}
      />
    </PageSection>
  )
}

function columns(t: TFunction): Column<Server, NonNullable<ServersSearch['sort']>>[] {
  return [
    { title: t('servers.name'), sort: 'display_name', width: 20, cell: ({ name }) => <span className="guest-text">{name}</span> },
    { title: t('servers.status'), sort: 'vm_state', width: 15, cell: (server) => <Status server={server} /> },
    { title: t('servers.addresses'), cell: (server) => <Addresses server={server} /> },
    { title: t('servers.flavor'), cell: (server) => <Flavor flavor={server.flavor as EmbeddedFlavor} /> },
    { title: t('servers.created'), sort: 'created_at', width: 15, cell: ({ created }) => <Time at={created} /> },
  ]
}

const COLORS: Readonly<Record<string, 'success' | 'danger' | 'warning' | 'info'>> = { ACTIVE: 'success', ERROR: 'danger', VERIFY_RESIZE: 'warning', UNKNOWN: 'warning', RESCUE: 'warning' }

function Status({ server }: { server: Server }) {
  const { t } = useTranslation()
  const known: Record<string, string> = t('server_status', { returnObjects: true })
  const kind = COLORS[server.status] ?? (isChanging(server) ? 'info' : undefined)
  const label = (
    <Label variant="outline" {...(kind ? { status: kind } : {})}>
      {known[server.status] ?? server.status}
    </Label>
  )
  const more = server.fault?.message ?? server['OS-EXT-STS:task_state']
  return <div>{more ? <Tooltip content={more}>{label}</Tooltip> : label}</div>
}

function Addresses({ server }: { server: Server }) {
  const { t } = useTranslation()
  const networks = Object.entries(server.addresses)
  if (networks.length === 0) return <span className="quiet">{t('servers.no_address')}</span>
  return networks.map(([network, addresses]) => (
    <div key={network} className="address">
      <span className="quiet guest-text">{network}</span>
      {addresses.map(({ addr, 'OS-EXT-IPS:type': type }) => (
        <div key={addr}>
          {addr} {type === 'floating' && <Label isCompact>{t('servers.floating')}</Label>}
        </div>
      ))}
    </div>
  ))
}

/** Since 2.47 a server tells its flavor as it was when it was made. */
interface EmbeddedFlavor {
  original_name: string
  vcpus: number
  /** MiB. */
  ram: number
  /** GiB. */
  disk: number
}

function Flavor({ flavor }: { flavor: EmbeddedFlavor }) {
  const { t } = useTranslation()
  return (
    <>
      <div className="guest-text">{flavor.original_name}</div>
      <span className="quiet">{t('servers.size', { vcpus: flavor.vcpus, ram: flavor.ram, disk: flavor.disk })}</span>
    </>
  )
}

function NoServers() {
  const { t } = useTranslation()
  return (
    <EmptyState headingLevel="h2" icon={ServerIcon} titleText={t('servers.none')}>
      <EmptyStateBody>{t('servers.none_body')}</EmptyStateBody>
      <EmptyStateFooter>
        <ClipboardCopy variant="inline-compact" isCode>
          openstack server create --image ondol-guest --flavor m1.nano --network private first
        </ClipboardCopy>
      </EmptyStateFooter>
    </EmptyState>
  )
}

function NothingFound({ name }: { name: string }) {
  const { t } = useTranslation()
  return (
    <EmptyState headingLevel="h2" icon={SearchIcon} titleText={t('list.nothing_found')}>
      <EmptyStateBody className="guest-text">{t('list.nothing_found_body', { name })}</EmptyStateBody>
    </EmptyState>
  )
}
