/** Making and ending attachments: the one record that says who holds a volume, and the volume's status that follows from it. */
import { invalid } from '#base/fault.ts'
import type { Tx } from '#base/sql/database.ts'
import type { Connector } from '../contract/attachments.ts'
import type { Cinder } from '../house.ts'
import { attachmentsOf, deleteAttachment, insertAttachment, setAttachment } from '../store/attachments.ts'
import { settleVolume } from '../store/holding.ts'
import type { AttachmentRow, CinderTables, VolumeRow } from '../store/tables.ts'
import { volumeById } from '../store/volumes.ts'

export interface NewAttachment {
  instance_uuid: string | null
  attach_status: 'reserved' | 'attached'
  attach_mode?: string | null
  attached_host?: string | null
  mountpoint?: string | null
}

/** In a transaction that has just found the volume free (or shareable). */
export async function makeAttachment(house: Cinder, tx: Tx<CinderTables>, volume: VolumeRow, wish: NewAttachment): Promise<AttachmentRow> {
  const now = house.world.clock.now()
  const row: AttachmentRow = {
    id: house.world.random.uuid(),
    volume_id: volume.id,
    project_id: volume.project_id,
    instance_uuid: wish.instance_uuid,
    attached_host: wish.attached_host ?? null,
    mountpoint: wish.mountpoint ?? null,
    attach_mode: wish.attach_mode ?? null,
    attach_status: wish.attach_status,
    connector: null,
    connection_info: null,
    attach_time: wish.attach_status === 'attached' ? now : null,
    created_at: now,
    updated_at: null,
  }
  await insertAttachment(tx, row)
  await settleVolume(tx, volume.id, now)
  return row
}

/** May one more hold it? Read in the transaction that makes the attachment. */
export async function insistOnFree(tx: Tx<CinderTables>, volumeId: string, instance: string | null, statuses: readonly string[] = ['available', 'downloading'], moves = false): Promise<VolumeRow> {
  const volume = await volumeById(tx, volumeId)
  const held = await attachmentsOf(tx, [volumeId])
  const shared = volume?.multiattach === 1
  // A server that moves is connected on both hosts for a while; it is one server still.
  if (moves && volume && instance !== null && held.length > 0 && held.every((one) => one.instance_uuid === instance)) return volume
  const allowed = shared ? [...statuses, 'in-use', 'reserved', 'attaching'] : statuses
  if (!volume || !allowed.includes(volume.status) || (held.length > 0 && !shared)) {
    throw invalid(`Invalid volume: Volume ${volumeId} status must be ${statuses[0]!}${shared ? ' or in-use' : ''} to reserve, but the current status is ${volume?.status ?? 'deleted'}.`)
  }
  if (instance !== null && held.some((one) => one.instance_uuid === instance && one.attach_status !== 'reserved' && !shared)) throw invalid(`Invalid volume: Volume ${volumeId} is attached to server ${instance} already.`)
  return volume
}

/** Connects the host to the volume; the attachment's id is the connection's. Safe to repeat. */
export async function connect(house: Cinder, volume: VolumeRow, attachment: AttachmentRow, connector: Connector, mode: string | null): Promise<AttachmentRow> {
  if (!connector.host) throw invalid('The connector must name its host.', { field: 'connector' })
  if (volume.host === null) throw invalid(`Invalid volume: Volume ${volume.id} is on no backend.`)
  const attach_mode = mode ?? connector.mode ?? attachment.attach_mode ?? (volume.readonly === 1 ? 'ro' : 'rw')
  if (volume.readonly === 1 && attach_mode !== 'ro') throw invalid(`Invalid attaching mode '${attach_mode}' for volume ${volume.id}.`, { field: 'mode' })
  const said: Partial<AttachmentRow> = { connector: JSON.stringify(connector), attached_host: connector.host, mountpoint: connector.mountpoint ?? attachment.mountpoint, attach_mode }
  // Written before the backend is asked: a connection that nobody knows of cannot be.
  await setAttachment(house.db, attachment.id, said)
  const info = await house.agentAt(volume.host).connect({ volume_id: volume.id, connector: { connection_id: attachment.id, host: connector.host, mode: attach_mode === 'ro' ? 'ro' : 'rw' } })
  const now = house.world.clock.now()
  const attached = attachment.attach_status === 'attached'
  const done: Partial<AttachmentRow> = { connection_info: JSON.stringify(info), attach_status: attached ? 'attached' : 'attaching', attach_time: attachment.attach_time ?? now, updated_at: now }
  await house.db.transaction(async (tx) => {
    await setAttachment(tx, attachment.id, done)
    await settleVolume(tx, volume.id, now)
  })
  return { ...attachment, ...said, ...done }
}

/** Cuts the host off, then forgets: never the other way round. */
export async function release(house: Cinder, volume: VolumeRow, attachment: AttachmentRow, also: readonly string[] = []): Promise<void> {
  if (volume.host !== null && attachment.connector !== null) await house.agentAt(volume.host).disconnect({ volume_id: volume.id, connection_id: attachment.id })
  await house.db.transaction(async (tx) => {
    await deleteAttachment(tx, attachment.id)
    await settleVolume(tx, volume.id, house.world.clock.now(), also)
  })
}
