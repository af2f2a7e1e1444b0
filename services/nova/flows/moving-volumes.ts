/** A server's volumes while it moves: connected to both hosts, until the move is settled and one side is let go. */
import { isFault } from '#base/fault.ts'
import { createAttachment, deleteAttachment, listAttachments, updateAttachment } from '#cinder/contract/attachments.ts'
import type { Nova } from '../house.ts'
import { patchBlockDevice } from '../store/block-devices.ts'
import type { BlockDeviceRow } from '../store/tables.ts'
import { completeVolumes, connectionOf, connectorOf, isVolume } from './volumes.ts'

/** Block device id → attachment. */
export type Attachments = Record<string, string>

export const attachmentsOf = (devices: readonly BlockDeviceRow[]): Attachments => Object.fromEntries(devices.flatMap((device) => (isVolume(device) && device.attachment_id !== null ? [[device.id, device.attachment_id]] : [])))

/**
 * Ids of attachments of the server that no row of it names: those of a move that is under way, or was. Only of the volumes of these rows: of another one
 * the row may not be written yet.
 */
async function strayAttachments(nova: Nova, serverId: string, devices: readonly BlockDeviceRow[]): Promise<{ id: string; volume_id: string }[]> {
  const named = new Set(Object.values(attachmentsOf(devices)))
  const moving = new Set(devices.flatMap((device) => (isVolume(device) && device.attachment_id !== null && device.volume_id !== null ? [device.volume_id] : [])))
  const { attachments } = await nova.client.call(await nova.service(), 'cinder', listAttachments, { query: { instance_id: serverId, all_tenants: true } })
  return attachments.filter(({ id, volume_id }) => !named.has(id) && moving.has(volume_id))
}

/** Ends the attachments that a move made and the rows do not name. */
export async function letStraysGo(nova: Nova, serverId: string, devices: readonly BlockDeviceRow[]): Promise<void> {
  if (devices.some(isVolume)) await letGo(nova, Object.fromEntries((await strayAttachments(nova, serverId, devices)).map(({ id }) => [id, id])))
}

/** Ends what holds one volume for the server while no row of it names that volume. */
export async function letStraysOf(nova: Nova, serverId: string, volumeId: string): Promise<void> {
  const { attachments } = await nova.client.call(await nova.service(), 'cinder', listAttachments, { query: { instance_id: serverId, all_tenants: true } })
  await letGo(nova, Object.fromEntries(attachments.filter((one) => one.volume_id === volumeId).map(({ id }) => [id, id])))
}

/**
 * Second attachments, connected to the destination; nothing of the rows changes yet. What was made is taken away when one fails; what a dead
 * process made before goes first.
 */
export async function connectElsewhere(nova: Nova, serverId: string, devices: readonly BlockDeviceRow[], place: { host: string; host_ip: string }): Promise<BlockDeviceRow[]> {
  const caller = await nova.service()
  await letStraysGo(nova, serverId, devices)
  const made: BlockDeviceRow[] = []
  const moved: BlockDeviceRow[] = []
  try {
    for (const device of devices) {
      if (!isVolume(device)) {
        moved.push(device)
        continue
      }
      const { attachment } = await nova.client.call(caller, 'cinder', createAttachment, { body: { attachment: { volume_uuid: device.volume_id!, instance_uuid: serverId, connector: connectorOf(place, device.device_name) } } })
      const there = { ...device, attachment_id: attachment.id, connection_info: JSON.stringify(connectionOf(attachment.connection_info)) }
      made.push(there)
      moved.push(there)
    }
    return moved
  } catch (thrown) {
    await letGo(nova, attachmentsOf(made))
    throw thrown
  }
}

/** The rows name the new attachments from now on. */
export async function adoptAttachments(nova: Nova, devices: readonly BlockDeviceRow[]): Promise<void> {
  for (const device of devices) if (isVolume(device)) await patchBlockDevice(nova.db, device.id, { attachment_id: device.attachment_id, connection_info: device.connection_info })
  await completeVolumes(nova, devices)
}

/** Back to attachments that are still there: connected to this host again, and the rows name them. */
export async function returnTo(nova: Nova, devices: readonly BlockDeviceRow[], old: Attachments, place: { host: string; host_ip: string }): Promise<BlockDeviceRow[]> {
  const caller = await nova.service()
  const back: BlockDeviceRow[] = []
  for (const device of devices) {
    const attachment_id = old[device.id]
    if (attachment_id === undefined) {
      back.push(device)
      continue
    }
    const { attachment } = await nova.client.call(caller, 'cinder', updateAttachment, { params: { attachment_id }, body: { attachment: { connector: connectorOf(place, device.device_name) } } })
    back.push({ ...device, attachment_id, connection_info: JSON.stringify(connectionOf(attachment.connection_info)) })
  }
  await adoptAttachments(nova, back)
  return back
}

export async function letGo(nova: Nova, attachments: Attachments): Promise<void> {
  const caller = await nova.service()
  for (const attachment_id of Object.values(attachments)) {
    await nova.client.call(caller, 'cinder', deleteAttachment, { params: { attachment_id } }).catch((thrown: unknown) => {
      if (!isFault(thrown, 'not_found')) throw thrown
    })
  }
}
