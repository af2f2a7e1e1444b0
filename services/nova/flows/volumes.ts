/** A server's volumes: made, held, connected to its host, let go. Cinder's attachment says who holds a volume; the row names it. */
import { conflict, isFault, Fault } from '#base/fault.ts'
import { completeAttachment, type Connector, createAttachment, deleteAttachment, listAttachments, updateAttachment } from '#cinder/contract/attachments.ts'
import { createVolume, deleteVolume, showVolume, type Volume } from '#cinder/contract/volumes.ts'
import type { ConnectionInfo, VolumeSpec } from '#nova/drivers/interface.ts'
import type { Nova } from '../house.ts'
import { deleteBlockDevice, patchBlockDevice } from '../store/block-devices.ts'
import type { BlockDeviceRow, ServerRow } from '../store/tables.ts'

export const isVolume = (device: BlockDeviceRow): boolean => device.destination_type === 'volume'

/** The root disk is a volume. */
export const isOnVolume = (devices: readonly BlockDeviceRow[]): boolean => devices.some((device) => device.boot_index === 0 && isVolume(device))

/** Makes the volumes that are to be made, and holds every one for the server. */
export async function ensureVolumesHeld(nova: Nova, server: ServerRow, devices: readonly BlockDeviceRow[], signal: AbortSignal): Promise<BlockDeviceRow[]> {
  const held: BlockDeviceRow[] = []
  for (const device of devices) {
    let row = device
    if (isVolume(device)) {
      if (row.volume_id === null) row = await makeVolume(nova, server, row)
      if (row.attachment_id === null) {
        await awaitVolume(nova, row.volume_id!, signal)
        row = await hold(nova, server.id, row)
      }
    }
    held.push(row)
  }
  return held
}

async function makeVolume(nova: Nova, server: ServerRow, device: BlockDeviceRow): Promise<BlockDeviceRow> {
  const { volume } = await nova.client.call(await nova.service(), 'cinder', createVolume, {
    body: {
      volume: {
        project_id: server.project_id,
        user_id: server.user_id,
        name: '',
        description: '',
        ...(device.volume_size === null ? {} : { size: device.volume_size }),
        ...(device.volume_type === null ? {} : { volume_type: device.volume_type }),
        ...(device.source_type === 'image' ? { imageRef: device.image_id! } : {}),
        ...(device.source_type === 'snapshot' ? { snapshot_id: device.snapshot_id! } : {}),
      },
    },
  })
  await patchBlockDevice(nova.db, device.id, { volume_id: volume.id, volume_size: volume.size })
  return { ...device, volume_id: volume.id, volume_size: volume.size }
}

/** Waits until the volume can be attached; what went wrong with it is the server's fault too. */
export async function awaitVolume(nova: Nova, volumeId: string, signal: AbortSignal): Promise<Volume> {
  for (let wait = 50; ; wait = Math.min(2_000, wait * 2)) {
    const { volume } = await nova.client.call(await nova.service(), 'cinder', showVolume, { params: { volume_id: volumeId } })
    if (volume.status === 'available' || volume.status === 'in-use' || volume.status === 'reserved') return volume
    if (volume.status.startsWith('error')) throw new Fault('internal', `Volume ${volumeId} did not finish being created: it is in status ${volume.status}.`, { code: 'nova.volume_failed' })
    await nova.world.clock.sleep(wait, signal)
  }
}

/** Holds the volume for the server: nobody else can attach or delete it from now on. */
export async function hold(nova: Nova, serverId: string, device: BlockDeviceRow): Promise<BlockDeviceRow> {
  const { attachment } = await nova.client.call(await nova.service(), 'cinder', createAttachment, { body: { attachment: { volume_uuid: device.volume_id!, instance_uuid: serverId } } })
  await patchBlockDevice(nova.db, device.id, { attachment_id: attachment.id })
  return { ...device, attachment_id: attachment.id }
}

export function connectorOf(place: { host: string; host_ip: string }, device: string | null): Connector {
  return { host: place.host, ip: place.host_ip, multipath: false, platform: 'x86_64', os_type: 'linux', ...(device === null ? {} : { mountpoint: device }), mode: 'rw' }
}

/** Every volume connected to the host. */
export async function connectVolumes(nova: Nova, devices: readonly BlockDeviceRow[], place: { host: string; host_ip: string }): Promise<BlockDeviceRow[]> {
  const caller = await nova.service()
  const connected: BlockDeviceRow[] = []
  for (const device of devices) {
    if (!isVolume(device) || device.attachment_id === null) {
      connected.push(device)
      continue
    }
    const { attachment } = await nova.client.call(caller, 'cinder', updateAttachment, { params: { attachment_id: device.attachment_id }, body: { attachment: { connector: connectorOf(place, device.device_name) } } })
    const connection_info = JSON.stringify(connectionOf(attachment.connection_info))
    await patchBlockDevice(nova.db, device.id, { connection_info })
    connected.push({ ...device, connection_info })
  }
  return connected
}

export function connectionOf(info: Readonly<Record<string, unknown>>): ConnectionInfo {
  const { driver_volume_type, data, ...rest } = info
  if (typeof driver_volume_type !== 'string') throw conflict('The volume has no connection to this host.', { code: 'nova.no_connection' })
  return { driver_volume_type, data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : rest }
}

/** The guest has the volumes: they are in use. */
export async function completeVolumes(nova: Nova, devices: readonly BlockDeviceRow[]): Promise<void> {
  const caller = await nova.service()
  for (const device of devices) {
    if (isVolume(device) && device.attachment_id !== null) await nova.client.call(caller, 'cinder', completeAttachment, { params: { attachment_id: device.attachment_id }, body: { 'os-complete': null } })
  }
}

export function volumeSpec(device: BlockDeviceRow): VolumeSpec {
  const connection = JSON.parse(device.connection_info ?? 'null') as ConnectionInfo | null
  if (!connection) throw conflict(`Volume ${device.volume_id} has no connection.`, { code: 'nova.no_connection' })
  return {
    volume_id: device.volume_id!,
    connection,
    ...(device.device_name === null ? {} : { device: device.device_name }),
    ...(device.boot_index < 0 ? {} : { boot_index: device.boot_index }),
    ...(device.disk_bus === null ? {} : { disk_bus: device.disk_bus }),
    ...(connection.data.access_mode === 'ro' ? { read_only: true } : {}),
    ...(connection.data.multiattach === true ? { shared: true } : {}),
  }
}

const ignoreGone = (thrown: unknown): void => {
  if (!isFault(thrown, 'not_found')) throw thrown
}

export async function letVolumeGo(nova: Nova, device: BlockDeviceRow): Promise<void> {
  // Held by a request that died, or whose answer was lost, before the row named what holds it.
  if (device.attachment_id === null) await letAllGo(nova, device.server_id, ({ volume_id }) => volume_id === device.volume_id)
  else await nova.client.call(await nova.service(), 'cinder', deleteAttachment, { params: { attachment_id: device.attachment_id } }).then(() => {}, ignoreGone)
}

/** What Cinder says holds volumes for the server. */
export async function letAllGo(nova: Nova, serverId: string, which: (attachment: { id: string; volume_id: string }) => boolean = () => true): Promise<void> {
  const caller = await nova.service()
  const { attachments } = await nova.client.call(caller, 'cinder', listAttachments, { query: { all_tenants: true, instance_id: serverId } })
  for (const one of attachments) if (which(one)) await nova.client.call(caller, 'cinder', deleteAttachment, { params: { attachment_id: one.id } }).then(() => {}, ignoreGone)
}

/**
 * At the end of a server: volumes are let go, and those that were to go with it are deleted (S8). Cinder says what the server holds: beside what its
 * rows name, the other side of a move that was never settled, and what a process held and died.
 */
export async function releaseVolumes(nova: Nova, serverId: string, devices: readonly BlockDeviceRow[]): Promise<void> {
  const caller = await nova.service()
  await letAllGo(nova, serverId)
  for (const device of devices.filter(isVolume)) {
    // Should the server not go after all, its rows name nothing that is gone.
    await patchBlockDevice(nova.db, device.id, { attachment_id: null, connection_info: null })
    if (device.delete_on_termination === 1 && device.volume_id !== null) {
      await nova.client.call(caller, 'cinder', deleteVolume, { params: { volume_id: device.volume_id } }).catch((thrown: unknown) => {
        // Someone else holds it, or it has snapshots: it was the user's wish to keep those, and the server goes all the same.
        if (!isFault(thrown, 'not_found') && !isFault(thrown, 'invalid') && !isFault(thrown, 'conflict')) throw thrown
      })
    }
  }
}

/** One volume let go for good: its row too. */
export async function forgetVolume(nova: Nova, device: BlockDeviceRow): Promise<void> {
  await letVolumeGo(nova, device)
  await deleteBlockDevice(nova.db, device.id)
}
