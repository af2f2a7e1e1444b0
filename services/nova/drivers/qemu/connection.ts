/**
 * Cinder's connection_info as a node of QEMU's block graph. No volume ever becomes a block device of the host: QEMU speaks the protocol.
 *
 *     nbd    { path } (unix socket) or { host, port }, export
 *     file   { path, format: 'raw' | 'qcow2' }            (local and NFS)
 *     rbd    { name: 'pool/image', hosts?, ports?, auth_username?, conf? }
 *     iscsi  { target_portal, target_iqn, target_lun }
 *
 * The format is what Cinder says; nothing is ever probed.
 */
import { invalid, notImplemented } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'
import type { BlockNode } from '#host/qemu-machine.ts'
import type { ConnectionInfo, VolumeSpec } from '../interface.ts'

/**
 * QEMU's names have at most 31 letters, digits, dashes and underscores, and two devices of one name would be taken for one: the whole
 * UUID, in fewer characters.
 */
export function deviceName(kind: 'v' | 'n', id: string): string {
  if (!isUuid(id)) throw invalid('A volume or port is named by its UUID.', { field: kind === 'v' ? 'volume_id' : 'port_id' })
  return kind + Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
}

export function volumeNodeName(volumeId: string): string {
  return deviceName('v', volumeId)
}

/** The node the guest's disk is on: always a format node over a protocol node, so that the protocol node can be changed below it. */
export function volumeNode(volume: VolumeSpec): BlockNode {
  const { connection } = volume
  const readOnly = volume.read_only === true || connection.data.access_mode === 'ro'
  return {
    driver: formatOf(connection),
    'node-name': volumeNodeName(volume.volume_id),
    discard: 'unmap',
    ...(readOnly ? { 'read-only': true } : {}),
    file: { ...protocolNode(connection), ...(readOnly ? { 'read-only': true } : {}), discard: 'unmap' },
  }
}

/** Without a name. */
export function protocolNode(connection: ConnectionInfo): Readonly<Record<string, unknown>> & { driver: string } {
  const { data, driver_volume_type: type } = connection
  const text = (key: string): string => {
    const value = data[key]
    if (typeof value !== 'string' || value === '') throw invalid(`connection_info.data.${key} is missing.`, { field: key })
    return value
  }
  if (type === 'nbd') {
    const server = typeof data.path === 'string' ? { type: 'unix', path: text('path') } : { type: 'inet', host: text('host'), port: String(data.port ?? 10809) }
    // For this long a lost server is waited for, with the guest's requests held back, before they fail.
    return { driver: 'nbd', server, export: text('export'), 'reconnect-delay': 60 }
  }
  if (type === 'file' || type === 'local') {
    const filename = text('path')
    if (!filename.startsWith('/')) throw invalid('connection_info.data.path must be absolute.', { field: 'path' })
    return { driver: 'file', filename }
  }
  if (type === 'rbd') {
    const [pool, image, ...rest] = text('name').split('/')
    if (!pool || !image || rest.length > 0) throw invalid('connection_info.data.name must be pool/image.', { field: 'name' })
    const hosts = Array.isArray(data.hosts) ? (data.hosts as unknown[]).map(String) : []
    const ports = Array.isArray(data.ports) ? (data.ports as unknown[]).map(String) : []
    return {
      driver: 'rbd',
      pool,
      image,
      ...(hosts.length > 0 ? { server: hosts.map((host, index) => ({ host, port: ports[index] ?? '6789' })) } : {}),
      ...(typeof data.auth_username === 'string' ? { user: data.auth_username } : {}),
      ...(typeof data.conf === 'string' ? { conf: data.conf } : {}),
    }
  }
  if (type === 'iscsi') {
    if (data.auth_password !== undefined) throw notImplemented('iSCSI volumes with CHAP cannot be attached on this host.')
    return {
      driver: 'iscsi',
      transport: 'tcp',
      portal: text('target_portal'),
      target: text('target_iqn'),
      lun: Number(data.target_lun ?? 0),
    }
  }
  throw notImplemented(`Volumes connected by ${type} cannot be attached on this host.`)
}

function formatOf(connection: ConnectionInfo): 'raw' | 'qcow2' {
  const format = connection.data.format ?? (connection.driver_volume_type === 'file' ? undefined : 'raw')
  if (format !== 'raw' && format !== 'qcow2') throw invalid('connection_info.data.format must be raw or qcow2.', { field: 'format' })
  return format
}
