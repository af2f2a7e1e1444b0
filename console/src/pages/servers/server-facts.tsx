/** What lists and details show of a server. */
import { Label, Tooltip } from '@patternfly/react-core'
import { useTranslation } from 'react-i18next'
import { isChanging, type Server } from '../../api/compute.ts'

const COLORS: Readonly<Record<string, 'success' | 'danger' | 'warning' | 'info'>> = { ACTIVE: 'success', ERROR: 'danger', VERIFY_RESIZE: 'warning', UNKNOWN: 'warning', RESCUE: 'warning' }

export function Status({ server }: { server: Server }) {
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

export function Addresses({ server }: { server: Server }) {
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
export interface EmbeddedFlavor {
  original_name: string
  vcpus: number
  /** MiB. */
  ram: number
  /** GiB. */
  disk: number
}

export function Flavor({ flavor }: { flavor: EmbeddedFlavor }) {
  const { t } = useTranslation()
  return (
    <>
      <div className="guest-text">{flavor.original_name}</div>
      <span className="quiet">{t('servers.size', { vcpus: flavor.vcpus, ram: flavor.ram, disk: flavor.disk })}</span>
    </>
  )
}
