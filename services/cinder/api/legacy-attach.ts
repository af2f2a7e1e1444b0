/** Attaching by actions on the volume, as it was before attachments were a resource. They write the same records. */
import { invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import type { Connector } from '../contract/attachments.ts'
import type { Cinder } from '../house.ts'
import { attachmentsOf } from '../store/attachments.ts'
import { settleVolume } from '../store/holding.ts'
import type { AttachmentRow, VolumeRow } from '../store/tables.ts'
import { moveVolume } from '../store/volumes.ts'
import { connect, insistOnFree, makeAttachment, release } from './attachment-work.ts'
import { UUID_OR_NULL } from './body.ts'
import { insistOnDetachable } from './detach-guard.ts'
import { volumeAction } from './volume-action.ts'

const A = 'volume_extension:volume_actions:'
const OPEN = {}
const CONNECTOR = { type: 'object', required: ['connector'], properties: { connector: { type: ['object', 'string', 'null'] } } }

interface Attach {
  instance_uuid?: string | null
  host_name?: string | null
  mountpoint: string
  mode?: string
}

export const legacyAttachRoutes = (house: Cinder): Route[] => [
  volumeAction('os-reserve', `${A}reserve`, OPEN, reserve),
  volumeAction('os-unreserve', `${A}unreserve`, OPEN, (h, _rq, volume) => settle(h, volume)),
  volumeAction('os-begin_detaching', `${A}begin_detaching`, OPEN, beginDetaching),
  volumeAction('os-roll_detaching', `${A}roll_detaching`, OPEN, (h, _rq, volume) => settle(h, volume)),
  volumeAction<Attach>(
    'os-attach',
    `${A}attach`,
    { type: 'object', required: ['mountpoint'], properties: { instance_uuid: UUID_OR_NULL, mountpoint: { type: 'string', minLength: 1, maxLength: 255 }, host_name: { type: ['string', 'null'], maxLength: 255 }, mode: { enum: ['rw', 'ro'] } } },
    attach,
  ),
  volumeAction<{ attachment_id?: string | null } | null>('os-detach', `${A}detach`, { type: ['object', 'null'], properties: { attachment_id: UUID_OR_NULL } }, detach),
  volumeAction<{ attachment_id?: string | null } | null>('os-force_detach', 'volume_extension:volume_admin_actions:force_detach', { type: ['object', 'null'], properties: { attachment_id: UUID_OR_NULL, connector: { type: ['object', 'string', 'null'] } } }, forceDetach),
  volumeAction<{ connector: Connector }>('os-initialize_connection', `${A}initialize_connection`, CONNECTOR, initialize, { status: 200 }),
  volumeAction<{ connector: Connector | null }>('os-terminate_connection', `${A}terminate_connection`, CONNECTOR, terminate),
].map((one) => one(house))

async function reserve(house: Cinder, _rq: Rq<unknown>, volume: VolumeRow): Promise<void> {
  const from = volume.multiattach === 1 ? ['available', 'in-use'] : ['available']
  const done = volume.status !== 'in-use' && (await moveVolume(house.db, volume.id, from, { status: 'attaching', updated_at: house.world.clock.now() }))
  if (!done && !(volume.multiattach === 1 && volume.status === 'in-use')) throw invalid(`Invalid volume: Volume status must be available to reserve, but the status is ${volume.status}.`)
}

async function settle(house: Cinder, volume: VolumeRow): Promise<void> {
  await house.db.transaction((tx) => settleVolume(tx, volume.id, house.world.clock.now()))
}

async function beginDetaching(house: Cinder, _rq: Rq<unknown>, volume: VolumeRow): Promise<void> {
  const done = volume.attach_status === 'attached' && (await moveVolume(house.db, volume.id, ['in-use'], { status: 'detaching', updated_at: house.world.clock.now() }))
  if (!done) throw invalid(`Invalid volume: Volume status must be in-use and attached to detach, but the status is ${volume.status}.`)
}

async function attach(house: Cinder, rq: Rq<Attach>, volume: VolumeRow): Promise<void> {
  const { instance_uuid = null, host_name = null, mountpoint, mode } = rq.body
  if (instance_uuid === null && host_name === null) throw invalid('Invalid request to attach volume to an invalid target', { field: 'instance_uuid' })
  const attach_mode = mode ?? (volume.readonly === 1 ? 'ro' : 'rw')
  if (volume.readonly === 1 && attach_mode !== 'ro') throw invalid(`Invalid attaching mode '${attach_mode}' for volume ${volume.id}.`, { field: 'mode' })
  await house.db.transaction(async (tx) => {
    const same = (await attachmentsOf(tx, [volume.id])).find((one) => (instance_uuid === null ? one.attached_host === host_name : one.instance_uuid === instance_uuid))
    if (same?.attach_status === 'attached') return
    await insistOnFree(tx, volume.id, instance_uuid, ['available', 'attaching'])
    await makeAttachment(house, tx, volume, { instance_uuid, attach_status: 'attached', attach_mode, attached_host: host_name, mountpoint })
  })
}

/** A volume that was declared faulty is whole again once nobody has it. */
const forceDetach: typeof detach = (house, rq, volume) => detach(house, rq, volume, ['error', 'error_detaching'])

async function detach(house: Cinder, rq: Rq<{ attachment_id?: string | null } | null>, volume: VolumeRow, also: readonly string[] = []): Promise<void> {
  const held = await attachmentsOf(house.db, [volume.id])
  const wanted = rq.body?.attachment_id ?? null
  if (wanted === null && held.length > 1) throw invalid('Invalid volume: Detach volume failed: More than one attachment, but no attachment_id provided.', { field: 'attachment_id' })
  const attachment = wanted === null ? held[0] : held.find((one) => one.id === wanted)
  if (!attachment) {
    if (wanted !== null) throw notFound(`Volume attachment could not be found with filter: attachment_id = ${wanted}.`)
    await settle(house, volume)
    return
  }
  await insistOnDetachable(house, rq, attachment)
  await release(house, volume, attachment, also)
}

/** The attachment that a host's connector speaks of: its own, or one that has no host yet. */
function attachmentFor(held: readonly AttachmentRow[], host: string): AttachmentRow | undefined {
  return held.find((one) => one.attached_host === host) ?? held.find((one) => one.connector === null)
}

async function initialize(house: Cinder, rq: Rq<{ connector: Connector }>, volume: VolumeRow): Promise<Reply> {
  const { connector } = rq.body
  if (typeof connector !== 'object' || connector === null) throw invalid('Connector must be an object.', { field: 'connector' })
  const held = await attachmentsOf(house.db, [volume.id])
  const row = attachmentFor(held, connector.host) ?? (await house.db.transaction((tx) => makeAttachment(house, tx, volume, { instance_uuid: null, attach_status: 'reserved' })))
  const done = await connect(house, volume, row, connector, null)
  const { driver_volume_type, data } = JSON.parse(done.connection_info!) as { driver_volume_type: string; data: Record<string, unknown> }
  return { json: { connection_info: { driver_volume_type, data: { access_mode: done.attach_mode, encrypted: false, ...data } } } }
}

async function terminate(house: Cinder, rq: Rq<{ connector: Connector | null }>, volume: VolumeRow): Promise<void> {
  const { connector } = rq.body
  const held = await attachmentsOf(house.db, [volume.id])
  const mine = connector === null ? held : held.filter((one) => one.attached_host === connector.host && one.connector !== null)
  for (const one of mine) {
    await insistOnDetachable(house, rq, one)
    if (one.attach_status === 'attached') {
      if (volume.host !== null) await house.agentAt(volume.host).disconnect({ volume_id: volume.id, connection_id: one.id })
    } else await release(house, volume, one)
  }
}
