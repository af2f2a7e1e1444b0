/** A server on the wire, at every version. The row is what it is; which fields are seen when is this table of conditions. */
import { isoMicros, isoSeconds } from '#base/clock.ts'
import type { Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { hostIdHash } from '../core/host-id.ts'
import { showsFault, showsProgress, statusOf } from '../core/states.ts'
import { guestName, hasConfigDrive } from '../flows/guest.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOfMany } from '../store/block-devices.ts'
import { tagsOfMany } from '../store/server-tags.ts'
import type { BlockDeviceRow, FaultInfo, FlavorSnapshot, ImageSnapshot, NicInfo, ServerRow } from '../store/tables.ts'
import { bookmark, linksOf } from './links.ts'
import { targetOf } from './server-steps.ts'

/** `update` and `rebuild` showed less before 2.75. */
export type ViewKind = 'show' | 'detail' | 'update' | 'rebuild'

type Wire = Record<string, unknown>

/** The versions at which a server's fields changed, as numbers: a list asks for each of them once per server. */
const SINCE = { '2.3': v('2.3'), '2.9': v('2.9'), '2.16': v('2.16'), '2.19': v('2.19'), '2.26': v('2.26'), '2.54': v('2.54'), '2.57': v('2.57'), '2.63': v('2.63'), '2.71': v('2.71'), '2.73': v('2.73'), '2.75': v('2.75'), '2.90': v('2.90'), '2.96': v('2.96'), '2.100': v('2.100') } as const

export async function serverViews(nova: Nova, rq: Rq<unknown>, rows: readonly ServerRow[], kind: ViewKind): Promise<Wire[]> {
  const ids = rows.map((row) => row.id)
  const full = kind === 'show' || kind === 'detail' || rq.version >= v('2.75')
  const devices = full ? await blockDevicesOfMany(nova.db, ids) : new Map<string, BlockDeviceRow[]>()
  const tags = rq.version >= v('2.26') ? await tagsOfMany(nova.db, ids) : new Map<string, string[]>()
  const states = full && rq.version >= v('2.16') ? await nova.hosts.states() : undefined
  return rows.map((row) => {
    const host = row.host_id === null ? undefined : states?.get(row.host_id)
    return serverView(nova, rq, row, kind, devices.get(row.id) ?? [], tags.get(row.id) ?? [], row.host_id === null ? '' : host === undefined ? 'UNKNOWN' : !host.up ? 'DOWN' : host.enabled ? 'UP' : 'MAINTENANCE')
  })
}

function serverView(nova: Nova, rq: Rq<unknown>, row: ServerRow, kind: ViewKind, devices: readonly BlockDeviceRow[], tags: readonly string[], hostStatus: string): Wire {
  const { version } = rq
  const at = (since: keyof typeof SINCE): boolean => version >= SINCE[since]
  const full = kind === 'show' || kind === 'detail' || at('2.75')
  const target = targetOf(row)
  const attributes = full && rq.allows('os_compute_api:os-extended-server-attributes', target)
  const status = statusOf(row)
  const nics = JSON.parse(row.network_info) as NicInfo[]
  const wire: Wire = {
    id: row.id,
    name: row.name,
    status,
    tenant_id: row.project_id,
    user_id: row.user_id,
    metadata: JSON.parse(row.metadata),
    hostId: hostIdHash(row.project_id, row.host),
    image: imageView(rq, row),
    flavor: flavorView(rq, row),
    created: isoSeconds(row.created_at),
    updated: isoSeconds(row.updated_at),
    addresses: full ? addressesView(nics) : plainAddresses(nics),
    accessIPv4: row.access_ip_v4 ?? '',
    accessIPv6: row.access_ip_v6 ?? '',
    links: linksOf(rq, 'servers', row.id),
    'OS-DCF:diskConfig': row.auto_disk_config === 1 ? 'AUTO' : 'MANUAL',
  }
  if (showsProgress(status)) wire.progress = row.progress
  if (showsFault(status) && row.fault !== null) wire.fault = faultView(rq, JSON.parse(row.fault) as FaultInfo)
  if (full) {
    wire['OS-EXT-AZ:availability_zone'] = row.availability_zone ?? row.pinned_az ?? ''
    wire.config_drive = hasConfigDrive(nova, row) ? 'True' : ''
    wire['OS-SRV-USG:launched_at'] = row.launched_at === null ? null : isoMicros(row.launched_at)
    wire['OS-SRV-USG:terminated_at'] = row.terminated_at === null ? null : isoMicros(row.terminated_at)
    const groups = JSON.parse(row.security_groups) as string[]
    if (groups.length > 0) wire.security_groups = groups.map((name) => ({ name }))
    wire['OS-EXT-STS:task_state'] = row.task_state
    wire['OS-EXT-STS:vm_state'] = row.vm_state
    wire['OS-EXT-STS:power_state'] = row.power_state
    wire['os-extended-volumes:volumes_attached'] = devices.filter((device) => device.volume_id !== null).map((device) => (at('2.3') ? { id: device.volume_id, delete_on_termination: device.delete_on_termination === 1 } : { id: device.volume_id }))
  }
  if (full || (kind === 'rebuild' && at('2.54'))) wire.key_name = row.key_name
  if (attributes) {
    wire['OS-EXT-SRV-ATTR:host'] = row.host
    wire['OS-EXT-SRV-ATTR:instance_name'] = guestName(row.id)
    wire['OS-EXT-SRV-ATTR:hypervisor_hostname'] = row.node
    if (at('2.3')) {
      const image = JSON.parse(row.image) as ImageSnapshot
      wire['OS-EXT-SRV-ATTR:reservation_id'] = row.reservation_id
      wire['OS-EXT-SRV-ATTR:launch_index'] = row.launch_index
      wire['OS-EXT-SRV-ATTR:kernel_id'] = image.kernel_id
      wire['OS-EXT-SRV-ATTR:ramdisk_id'] = image.ramdisk_id
      wire['OS-EXT-SRV-ATTR:root_device_name'] = row.root_device_name
      if (kind !== 'rebuild') wire['OS-EXT-SRV-ATTR:user_data'] = row.user_data
    }
  }
  if ((attributes && at('2.3')) || (full && at('2.90'))) wire['OS-EXT-SRV-ATTR:hostname'] = row.hostname
  if (kind === 'rebuild' && at('2.57')) wire.user_data = row.user_data
  if (at('2.9')) wire.locked = row.locked_by !== null
  if (full && at('2.16')) {
    if (rq.allows('os_compute_api:servers:show:host_status', target)) wire.host_status = hostStatus
    else if (hostStatus === 'UNKNOWN' && rq.allows('os_compute_api:servers:show:host_status:unknown-only', target)) wire.host_status = hostStatus
  }
  if (at('2.19')) wire.description = row.description
  if (at('2.26')) wire.tags = tags
  if (at('2.63')) wire.trusted_image_certificates = null
  if (at('2.71') && kind !== 'detail') wire.server_groups = row.group_id === null ? [] : [row.group_id]
  if (at('2.73')) wire.locked_reason = row.locked_reason
  if (at('2.96')) wire.pinned_availability_zone = row.pinned_az
  if (at('2.100')) wire.scheduler_hints = JSON.parse(row.scheduler_hints)
  return wire
}

function imageView(rq: Rq<unknown>, row: ServerRow): unknown {
  if (row.image_id === '') return ''
  const properties = rq.version >= v('2.98') ? { properties: (JSON.parse(row.image) as ImageSnapshot).properties } : {}
  return { id: row.image_id, links: bookmark(rq, 'images', row.image_id), ...properties }
}

function flavorView(rq: Rq<unknown>, row: ServerRow): unknown {
  if (rq.version < v('2.47')) return { id: row.flavor_id, links: bookmark(rq, 'flavors', row.flavor_id) }
  const flavor = JSON.parse(row.flavor) as FlavorSnapshot
  return {
    vcpus: flavor.vcpus,
    ram: flavor.memory_mb,
    disk: flavor.root_gb,
    ephemeral: flavor.ephemeral_gb,
    swap: flavor.swap,
    original_name: flavor.name,
    ...(rq.allows('os_compute_api:servers:show:flavor-extra-specs', targetOf(row)) ? { extra_specs: flavor.extra_specs } : {}),
  }
}

export interface AddressView {
  version: 4 | 6
  addr: string
  'OS-EXT-IPS:type': string
  'OS-EXT-IPS-MAC:mac_addr': string
}

export function addressesView(nics: readonly NicInfo[]): Record<string, AddressView[]> {
  const addresses: Record<string, AddressView[]> = {}
  for (const nic of nics) {
    const list = (addresses[nic.network_name] ??= [])
    for (const { ip, version, floating } of nic.fixed_ips) {
      list.push({ version, addr: ip, 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': nic.mac })
      for (const addr of floating ?? []) list.push({ version: 4, addr, 'OS-EXT-IPS:type': 'floating', 'OS-EXT-IPS-MAC:mac_addr': nic.mac })
    }
  }
  return addresses
}

/** Address and version only. */
export function plainAddresses(nics: readonly NicInfo[]): Record<string, { version: number; addr: string }[]> {
  return Object.fromEntries(Object.entries(addressesView(nics)).map(([name, list]) => [name, list.map(({ version, addr }) => ({ version, addr }))]))
}

function faultView(rq: Rq<unknown>, fault: FaultInfo): Wire {
  const details = fault.details !== undefined && (fault.code !== 500 || rq.allows('context_is_admin'))
  return { code: fault.code, created: isoSeconds(fault.created), message: fault.message, ...(details ? { details: fault.details } : {}) }
}

