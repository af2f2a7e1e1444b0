/**
 * A server on the wire, at every version, as JSON text: what stands as JSON in its row is embedded as it stands, and what follows from a
 * snapshot alone is remembered with the snapshot's text. Which fields are seen when is this file's conditions.
 */
import { isoMicros, isoSeconds } from '#base/clock.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { hostIdHash } from '../core/host-id.ts'
import { remembered } from '../core/remembered.ts'
import { showsFault, showsProgress, statusOf } from '../core/states.ts'
import { guestName, hasConfigDrive } from '../flows/guest.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOfMany } from '../store/block-devices.ts'
import { tagsOfMany } from '../store/server-tags.ts'
import type { ShownServer } from '../store/shown-server.ts'
import type { BlockDeviceRow, FaultInfo, FlavorSnapshot, ImageSnapshot, NicInfo } from '../store/tables.ts'
import { addressesView, plainAddresses } from './server-addresses-view.ts'
import { targetOf } from './server-steps.ts'

/** `update` and `rebuild` showed less before 2.75. */
export type ViewKind = 'show' | 'detail' | 'update' | 'rebuild'

/** The versions at which a server's fields changed, as numbers: a list asks for each of them once per server. */
const SINCE = { '2.3': v('2.3'), '2.9': v('2.9'), '2.16': v('2.16'), '2.19': v('2.19'), '2.26': v('2.26'), '2.47': v('2.47'), '2.54': v('2.54'), '2.57': v('2.57'), '2.63': v('2.63'), '2.71': v('2.71'), '2.73': v('2.73'), '2.75': v('2.75'), '2.90': v('2.90'), '2.96': v('2.96'), '2.98': v('2.98'), '2.100': v('2.100') } as const

const JSON_TYPE = { 'content-type': 'application/json' }
const NO_DEVICES = new Map<string, BlockDeviceRow[]>()
const NO_TAGS = new Map<string, string[]>()

/** `{"server": …}` */
export async function serverReply(nova: Nova, rq: Rq<unknown>, row: ShownServer, kind: ViewKind): Promise<Reply> {
  const [text] = await serverTexts(nova, rq, [row], kind)
  return { headers: { ...JSON_TYPE }, body: `{"server":${text!}}` }
}

/** `{"servers": […]}`, and what else the answer holds. */
export async function serversReply(nova: Nova, rq: Rq<unknown>, rows: readonly ShownServer[], more: Readonly<Record<string, unknown>>): Promise<Reply> {
  const texts = await serverTexts(nova, rq, rows, 'detail')
  const rest = JSON.stringify(more).slice(1)
  return { headers: { ...JSON_TYPE }, body: `{"servers":[${texts.join()}]${rest === '}' ? '' : ','}${rest}` }
}

/** Each server as a JSON object. */
export async function serverTexts(nova: Nova, rq: Rq<unknown>, rows: readonly ShownServer[], kind: ViewKind): Promise<string[]> {
  const full = kind === 'show' || kind === 'detail' || rq.version >= SINCE['2.75']
  const having = (what: 'devices' | 'tags'): string[] => rows.flatMap((row) => (row[what] === 0 ? [] : row.id))
  const withDevices = full ? having('devices') : []
  const devices = withDevices.length > 0 ? await blockDevicesOfMany(nova.db, withDevices) : NO_DEVICES
  const withTags = rq.version >= SINCE['2.26'] ? having('tags') : []
  const tags = withTags.length > 0 ? await tagsOfMany(nova.db, withTags) : NO_TAGS
  const states = full && rq.version >= SINCE['2.16'] ? await nova.hosts.states() : undefined
  return rows.map((row) => {
    const host = row.host_id === null ? undefined : states?.get(row.host_id)
    return serverText(nova, rq, row, kind, devices.get(row.id) ?? [], tags.get(row.id) ?? [], row.host_id === null ? '' : host === undefined ? 'UNKNOWN' : !host.up ? 'DOWN' : host.enabled ? 'UP' : 'MAINTENANCE')
  })
}

const quoted: (value: string | null) => string = JSON.stringify

function serverText(nova: Nova, rq: Rq<unknown>, row: ShownServer, kind: ViewKind, devices: readonly BlockDeviceRow[], tags: readonly string[], hostStatus: string): string {
  const { version } = rq
  const full = kind === 'show' || kind === 'detail' || version >= SINCE['2.75']
  const target = targetOf(row)
  const attributes = full && rq.allows('os_compute_api:os-extended-server-attributes', target)
  const status = statusOf(row)
  const base = insideQuotes(rq.base)
  let text =
    `{"id":"${row.id}","name":${quoted(row.name)},"status":"${status}","tenant_id":${quoted(row.project_id)},"user_id":${quoted(row.user_id)},"metadata":${row.metadata}` +
    `,"hostId":"${hostIdHash(row.project_id, row.host)}","image":${imageText(version, row, base)},"flavor":${flavorText(rq, row, base)}` +
    `,"created":"${isoSeconds(row.created_at)}","updated":"${isoSeconds(row.updated_at)}","addresses":${full ? addressesText(row.network_info) : plainAddressesText(row.network_info)}` +
    `,"accessIPv4":"${row.access_ip_v4 ?? ''}","accessIPv6":"${row.access_ip_v6 ?? ''}"` +
    `,"links":[{"rel":"self","href":"${base}/v2.1/servers/${row.id}"},{"rel":"bookmark","href":"${base}/servers/${row.id}"}],"OS-DCF:diskConfig":"${row.auto_disk_config === 1 ? 'AUTO' : 'MANUAL'}"`
  if (showsProgress(status)) text += `,"progress":${row.progress}`
  if (showsFault(status) && row.fault !== null) text += `,"fault":${faultText(rq, row.fault)}`
  if (full) {
    text +=
      `,"OS-EXT-AZ:availability_zone":${quoted(row.availability_zone ?? row.pinned_az ?? '')},"config_drive":"${hasConfigDrive(nova, row) ? 'True' : ''}"` +
      `,"OS-SRV-USG:launched_at":${instantText(row.launched_at)},"OS-SRV-USG:terminated_at":${instantText(row.terminated_at)}${groupsText(row.security_groups)}` +
      `,"OS-EXT-STS:task_state":${quoted(row.task_state)},"OS-EXT-STS:vm_state":"${row.vm_state}","OS-EXT-STS:power_state":${row.power_state}` +
      `,"os-extended-volumes:volumes_attached":${devices.length === 0 ? '[]' : volumesText(devices, version >= SINCE['2.3'])}`
  }
  if (full || (kind === 'rebuild' && version >= SINCE['2.54'])) text += `,"key_name":${quoted(row.key_name)}`
  if (attributes) {
    text += `,"OS-EXT-SRV-ATTR:host":${quoted(row.host)},"OS-EXT-SRV-ATTR:instance_name":"${guestName(row.id)}","OS-EXT-SRV-ATTR:hypervisor_hostname":${quoted(row.node)}`
    if (version >= SINCE['2.3']) {
      text += `,"OS-EXT-SRV-ATTR:reservation_id":${quoted(row.reservation_id)},"OS-EXT-SRV-ATTR:launch_index":${row.launch_index}${imageFacts(row.image).boot},"OS-EXT-SRV-ATTR:root_device_name":${quoted(row.root_device_name)}`
      if (kind !== 'rebuild') text += `,"OS-EXT-SRV-ATTR:user_data":${quoted(row.user_data)}`
    }
  }
  if ((attributes && version >= SINCE['2.3']) || (full && version >= SINCE['2.90'])) text += `,"OS-EXT-SRV-ATTR:hostname":${quoted(row.hostname)}`
  if (kind === 'rebuild' && version >= SINCE['2.57']) text += `,"user_data":${quoted(row.user_data)}`
  if (version >= SINCE['2.9']) text += `,"locked":${row.locked_by !== null}`
  if (full && version >= SINCE['2.16']) {
    if (rq.allows('os_compute_api:servers:show:host_status', target) || (hostStatus === 'UNKNOWN' && rq.allows('os_compute_api:servers:show:host_status:unknown-only', target))) text += `,"host_status":"${hostStatus}"`
  }
  if (version >= SINCE['2.19']) text += `,"description":${quoted(row.description)}`
  if (version >= SINCE['2.26']) text += `,"tags":${tags.length === 0 ? '[]' : JSON.stringify(tags)}`
  if (version >= SINCE['2.63']) text += ',"trusted_image_certificates":null'
  if (version >= SINCE['2.71'] && kind !== 'detail') text += `,"server_groups":${row.group_id === null ? '[]' : `["${row.group_id}"]`}`
  if (version >= SINCE['2.73']) text += `,"locked_reason":${quoted(row.locked_reason)}`
  if (version >= SINCE['2.96']) text += `,"pinned_availability_zone":${quoted(row.pinned_az)}`
  if (version >= SINCE['2.100']) text += `,"scheduler_hints":${row.scheduler_hints}`
  return `${text}}`
}

/** What a client called this cloud, as it stands between quotes. */
const insideQuotes = remembered((text) => quoted(text).slice(1, -1))

const instantText = (ms: number | null): string => (ms === null ? 'null' : `"${isoMicros(ms)}"`)
const addressesText = remembered((text) => JSON.stringify(addressesView(JSON.parse(text) as NicInfo[])))
const plainAddressesText = remembered((text) => JSON.stringify(plainAddresses(JSON.parse(text) as NicInfo[])))

/** Left out where a server has none. */
const groupsText = remembered((text) => {
  const names = JSON.parse(text) as string[]
  return names.length === 0 ? '' : `,"security_groups":${JSON.stringify(names.map((name) => ({ name })))}`
})

const imageFacts = remembered((text) => {
  const { kernel_id, ramdisk_id, properties } = JSON.parse(text) as ImageSnapshot
  const boot = JSON.stringify({ 'OS-EXT-SRV-ATTR:kernel_id': kernel_id, 'OS-EXT-SRV-ATTR:ramdisk_id': ramdisk_id }).slice(1, -1)
  const kept = JSON.stringify({ properties }).slice(1, -1)
  return { boot: boot === '' ? '' : `,${boot}`, properties: kept === '' ? '' : `,${kept}` }
})

function imageText(version: number, row: ShownServer, base: string): string {
  if (row.image_id === '') return '""'
  return `{"id":"${row.image_id}","links":[{"rel":"bookmark","href":"${base}/images/${row.image_id}"}]${version >= SINCE['2.98'] ? imageFacts(row.image).properties : ''}}`
}

const flavorFacts = remembered((text) => {
  const flavor = JSON.parse(text) as FlavorSnapshot
  const open = { vcpus: flavor.vcpus, ram: flavor.memory_mb, disk: flavor.root_gb, ephemeral: flavor.ephemeral_gb, swap: flavor.swap, original_name: flavor.name }
  return { open: JSON.stringify(open), whole: JSON.stringify({ ...open, extra_specs: flavor.extra_specs }) }
})

function flavorText(rq: Rq<unknown>, row: ShownServer, base: string): string {
  if (rq.version < SINCE['2.47']) {
    const id = insideQuotes(row.flavor_id)
    return `{"id":"${id}","links":[{"rel":"bookmark","href":"${base}/flavors/${id}"}]}`
  }
  const facts = flavorFacts(row.flavor)
  return rq.allows('os_compute_api:servers:show:flavor-extra-specs', targetOf(row)) ? facts.whole : facts.open
}

function volumesText(devices: readonly BlockDeviceRow[], withRemoval: boolean): string {
  const volumes = devices.filter((device) => device.volume_id !== null)
  return JSON.stringify(volumes.map((device) => (withRemoval ? { id: device.volume_id, delete_on_termination: device.delete_on_termination === 1 } : { id: device.volume_id })))
}

function faultText(rq: Rq<unknown>, text: string): string {
  const fault = JSON.parse(text) as FaultInfo
  const details = fault.details !== undefined && (fault.code !== 500 || rq.allows('context_is_admin'))
  return JSON.stringify({ code: fault.code, created: isoSeconds(fault.created), message: fault.message, ...(details ? { details: fault.details } : {}) })
}
