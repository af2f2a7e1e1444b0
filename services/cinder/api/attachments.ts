/** The attachments API (3.27): reserve, connect, complete, let go. */
import { invalid, notFound } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { byVersion, v } from '#stack/version.ts'
import type { Attachment, Connector } from '../contract/attachments.ts'
import { attachmentList } from '../contract/lists.ts'
import type { Cinder } from '../house.ts'
import { attachmentById, attachmentsOf, setAttachment } from '../store/attachments.ts'
import { settleVolume } from '../store/holding.ts'
import type { AttachmentRow, VolumeRow } from '../store/tables.ts'
import { volumeById } from '../store/volumes.ts'
import { connect, insistOnFree, makeAttachment, release } from './attachment-work.ts'
import { strictEnvelope, UUID, UUID_OR_NULL } from './body.ts'
import { insistOnDetachable } from './detach-guard.ts'
import { loadVolume, seen, targetOf } from './load.ts'
import { pageOf } from './pages.ts'
import { stamp } from './volume-view.ts'

interface Create {
  attachment: { volume_uuid: string; instance_uuid?: string | null; connector?: Connector | null; mode?: 'rw' | 'ro' }
}

const CONNECTOR = { type: ['object', 'null'], properties: { host: { type: 'string' } } }
const createProperties = { instance_uuid: UUID_OR_NULL, connector: CONNECTOR, volume_uuid: UUID }
const createBody = byVersion<object>({
  '3.27': strictEnvelope('attachment', createProperties, ['volume_uuid']),
  '3.54': strictEnvelope('attachment', { ...createProperties, mode: { enum: ['rw', 'ro'] } }, ['volume_uuid']),
})
const updateBody = strictEnvelope('attachment', { connector: { type: 'object', properties: { host: { type: 'string' } }, minProperties: 1 } }, ['connector'])
const since = v('3.27')

export const attachmentRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/attachments', name: 'attachments.list', since, status: 200, handle: (rq) => list(house, rq as Rq<never>, summary) }),
  route({ method: 'GET', path: '/attachments/detail', name: 'attachments.list_detail', since, status: 200, handle: (rq) => list(house, rq as Rq<never>, attachmentView) }),
  route({ method: 'GET', path: '/attachments/{attachment_id}', name: 'attachments.show', since, status: 200, handle: (rq) => show(house, rq as Rq<never>) }),
  route<Create>({ method: 'POST', path: '/attachments', name: 'attachments.create', since, body: createBody, status: 200, handle: (rq) => create(house, rq) }),
  route<{ attachment: { connector: Connector } }>({ method: 'PUT', path: '/attachments/{attachment_id}', name: 'attachments.update', since, body: updateBody, status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'POST', path: '/attachments/{attachment_id}/action', action: 'os-complete', name: 'attachments.complete', since: v('3.44'), status: 204, handle: (rq) => complete(house, rq as Rq<never>) }),
  route({ method: 'DELETE', path: '/attachments/{attachment_id}', name: 'attachments.delete', since, bodyKind: 'none', status: 200, handle: (rq) => remove(house, rq as Rq<never>) }),
]

function summary(row: AttachmentRow): Record<string, unknown> {
  return { id: row.id, status: row.attach_status, instance: row.instance_uuid, volume_id: row.volume_id }
}

/** The connection's own keys stand beside its type, with what the attachment knows of itself. */
export function attachmentView(row: AttachmentRow): Attachment {
  let connection_info: Attachment['connection_info'] = {}
  if (row.connection_info !== null) {
    const { driver_volume_type, data } = JSON.parse(row.connection_info) as { driver_volume_type: string; data: Record<string, unknown> }
    connection_info = { ...data, driver_volume_type, attachment_id: row.id, volume_id: row.volume_id, access_mode: data.access_mode ?? row.attach_mode ?? 'rw' }
  }
  return {
    id: row.id,
    status: row.attach_status as Attachment['status'],
    instance: row.instance_uuid as string,
    volume_id: row.volume_id,
    attached_at: stamp(row.attach_time) ?? '',
    detached_at: '',
    attach_mode: row.attach_mode as Attachment['attach_mode'],
    connection_info,
  }
}

async function list(house: Cinder, rq: Rq<never>, view: (row: AttachmentRow) => unknown): Promise<Reply> {
  const page = await pageOf<AttachmentRow>(house, rq, { resource: attachmentList, own: ['status'], scope: rq.query.has('status') ? [{ column: 'attach_status', op: '=', value: rq.query.get('status') }] : [] })
  return { json: { attachments: page.rows.map(view), ...page.extras } }
}

async function load(house: Cinder, rq: Rq<never> | Rq<{ attachment: { connector: Connector } }>, rule?: string): Promise<{ row: AttachmentRow; volume: VolumeRow }> {
  const id = rq.params.attachment_id!
  const row = seen(rq, await attachmentById(house.db, id), `Volume attachment ${id.slice(0, 100)}`)
  if (rule) rq.authorize(rule, targetOf(row))
  const volume = await volumeById(house.db, row.volume_id)
  if (!volume) throw notFound(`Volume ${row.volume_id} could not be found.`)
  return { row, volume }
}

async function show(house: Cinder, rq: Rq<never>): Promise<Reply> {
  return { json: { attachment: attachmentView((await load(house, rq)).row) } }
}

async function create(house: Cinder, rq: Rq<Create>): Promise<Reply> {
  const { volume_uuid, instance_uuid = null, connector, mode } = rq.body.attachment
  const volume = await loadVolume(house, rq, volume_uuid, 'volume:attachment_create')
  if (volume.multiattach === 1 && volume.bootable === 1) rq.authorize('volume:multiattach_bootable_volume', targetOf(volume))
  if (mode === 'rw' && volume.readonly === 1) throw invalid(`Invalid attaching mode 'rw' for volume ${volume.id}.`, { field: 'mode' })
  let row = await house.db.transaction(async (tx) => {
    const free = await insistOnFree(tx, volume.id, instance_uuid, undefined, rq.context.roles.includes('service') || rq.context.service_roles.includes('service'))
    return makeAttachment(house, tx, free, { instance_uuid, attach_status: 'reserved', attach_mode: mode ?? null })
  })
  if (connector && Object.keys(connector).length > 0) {
    try {
      row = await connect(house, volume, row, connector, mode ?? null)
    } catch (thrown) {
      await release(house, volume, row)
      throw thrown
    }
  }
  return { json: { attachment: attachmentView(row) } }
}

async function update(house: Cinder, rq: Rq<{ attachment: { connector: Connector } }>): Promise<Reply> {
  const { row, volume } = await load(house, rq, 'volume:attachment_update')
  const done = await connect(house, volume, row, rq.body.attachment.connector, null)
  // Before os-complete came, to connect was to attach.
  if (rq.version < v('3.44')) await markAttached(house, volume, done)
  return { json: { attachment: attachmentView(rq.version < v('3.44') ? { ...done, attach_status: 'attached' } : done) } }
}

async function complete(house: Cinder, rq: Rq<never>): Promise<Reply> {
  const { row, volume } = await load(house, rq, 'volume:attachment_complete')
  await markAttached(house, volume, row)
  return {}
}

async function markAttached(house: Cinder, volume: VolumeRow, row: AttachmentRow): Promise<void> {
  const now = house.world.clock.now()
  await house.db.transaction(async (tx) => {
    await setAttachment(tx, row.id, { attach_status: 'attached', attach_time: row.attach_time ?? now, updated_at: now })
    await settleVolume(tx, volume.id, now)
  })
}

async function remove(house: Cinder, rq: Rq<never>): Promise<Reply> {
  const { row, volume } = await load(house, rq, 'volume:attachment_delete')
  await insistOnDetachable(house, rq, row)
  await release(house, volume, row)
  const left = await attachmentsOf(house.db, [volume.id])
  return { json: { attachments: left.map(attachmentView) } }
}
