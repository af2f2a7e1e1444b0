/** Volumes of a server: attach, detach, list. Who holds a volume is Cinder's attachment; the row names it. */
import { conflict, Fault, forbidden, invalid, isFault, notFound, notImplemented } from '#base/fault.ts'
import { showVolume } from '#cinder/contract/volumes.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Schema } from '#stack/schema.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { type ApiVersion, byVersion, v } from '#stack/version.ts'
import { nextName } from '../core/block-devices.ts'
import { assertMay } from '../core/states.ts'
import { hold, letVolumeGo } from '../flows/volumes.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf, deleteBlockDevice, insertBlockDevices, patchBlockDevice } from '../store/block-devices.ts'
import type { BlockDeviceRow, ServerRow } from '../store/tables.ts'
import { limitOf } from './paging.ts'
import { deviceTag, envelope, flag, isTrue, object, uuidText } from './schemas.ts'
import { callerOf } from './server-create.ts'
import { authorizedServer, beginWork, isAdmin } from './server-steps.ts'

interface AttachWish {
  volumeId: string
  device?: string | null
  tag?: string
  delete_on_termination?: unknown
}

const device: Schema = { type: ['string', 'null'], pattern: '(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$' }

const attachSchema = (version: ApiVersion): Schema =>
  envelope('volumeAttachment', object({ volumeId: uuidText, device, ...(version >= v('2.49') ? { tag: deviceTag } : {}), ...(version >= v('2.79') ? { delete_on_termination: flag } : {}) }, ['volumeId']))
const updateSchema = (version: ApiVersion): Schema =>
  envelope(
    'volumeAttachment',
    object({ volumeId: uuidText, ...(version >= v('2.85') ? { device: { type: ['string', 'null'] }, tag: deviceTag, delete_on_termination: flag, serverId: uuidText, id: uuidText } : {}) }, ['volumeId']),
  )

export function volumeAttachmentRoutes(nova: Nova): Route[] {
  const path = '/v2.1/servers/{server_id}/os-volume_attachments'
  return [
    route({
      method: 'GET', path, name: 'volume-attachments.index', status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-volumes-attachments:index')
        const all = (await blockDevicesOf(nova.db, server.id)).filter((row) => row.volume_id !== null)
        const offset = Number(rq.query.get('offset') ?? 0)
        if (!Number.isInteger(offset) || offset < 0) throw invalid('offset param must be a positive integer', { field: 'offset' })
        return { json: { volumeAttachments: all.slice(offset, offset + limitOf(rq.query, nova.config.max_limit)).map((row) => view(rq, row)) } }
      },
    }),
    route<{ volumeAttachment: AttachWish }>({
      method: 'POST', path, name: 'volume-attachments.create', status: byVersion({ '2.1': 200, '2.101': 202 }), body: byVersion({ '2.1': attachSchema(v('2.1')), '2.49': attachSchema(v('2.49')), '2.79': attachSchema(v('2.79')) }),
      handle: async (rq) => attach(nova, rq, await authorizedServer(nova, rq, 'os-volumes-attachments:create'), rq.body.volumeAttachment),
    }),
    route({
      method: 'GET', path: `${path}/{volume_id}`, name: 'volume-attachments.show', status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-volumes-attachments:show')
        return { json: { volumeAttachment: view(rq, await attached(nova, server, rq.params.volume_id!)) } }
      },
    }),
    route<{ volumeAttachment: AttachWish & { serverId?: string; id?: string } }>({
      method: 'PUT', path: `${path}/{volume_id}`, name: 'volume-attachments.update', status: 202, body: byVersion({ '2.1': updateSchema(v('2.1')), '2.85': updateSchema(v('2.85')) }),
      handle: (rq) => update(nova, rq, rq.body.volumeAttachment),
    }),
    route({
      method: 'DELETE', path: `${path}/{volume_id}`, name: 'volume-attachments.delete', status: 202,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-volumes-attachments:delete')
        const row = await attached(nova, server, rq.params.volume_id!)
        if (row.boot_index === 0 && server.vm_state !== 'shelved_offloaded') throw forbidden('Cannot detach a root device volume')
        await beginWork(nova, rq, server, { action: 'detach_volume', event: 'compute_detach_volume', legal: 'detachVolume', flow: nova.flows.detachVolume, params: { device_id: row.id, volume_id: row.volume_id! } })
        return {}
      },
    }),
  ]
}

async function attached(nova: Nova, server: ServerRow, volumeId: string): Promise<BlockDeviceRow> {
  const row = (await blockDevicesOf(nova.db, server.id)).find((one) => one.volume_id === volumeId)
  if (!row) throw notFound(`Instance ${server.id} is not attached to volume ${volumeId}.`)
  return row
}

async function attach(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: AttachWish): Promise<Reply> {
  assertMay('attachVolume', server, isAdmin(rq))
  if (server.vm_state.startsWith('shelved') && rq.version < v('2.20')) throw conflict(`Cannot 'attach_volume' instance ${server.id} while it is in vm_state ${server.vm_state}`)
  const { volume } = await shownVolume(nova, rq, wish.volumeId)
  if (volume.multiattach && rq.version < v('2.60')) throw invalid('Multiattach volumes are only supported starting with compute API version 2.60.', { field: 'volumeId' })
  const devices = await blockDevicesOf(nova.db, server.id)
  if (devices.some((row) => row.volume_id === volume.id)) throw invalid(`Invalid volume: volume ${volume.id} already attached to instance ${server.id}`, { field: 'volumeId' })
  if (volume.status !== 'available' && !(volume.multiattach && volume.status === 'in-use')) throw invalid(`Invalid volume: volume ${volume.id} status must be available. Currently in ${volume.status}.`, { field: 'volumeId' })
  const taken = [server.root_device_name, ...devices.flatMap((row) => (row.device_name === null ? [] : [row.device_name]))]
  if (wish.device && taken.includes(wish.device)) throw conflict(`The device ${wish.device} is in use on instance ${server.id}.`)
  const row: BlockDeviceRow = {
    id: nova.world.random.uuid(), server_id: server.id, source_type: 'volume', destination_type: 'volume', device_type: 'disk', disk_bus: null, guest_format: null, boot_index: -1, device_name: wish.device || nextName('/dev/vd', new Set(taken)),
    image_id: null, snapshot_id: null, volume_id: volume.id, volume_size: volume.size, volume_type: null, delete_on_termination: isTrue(wish.delete_on_termination) ? 1 : 0, attachment_id: null, connection_info: null, tag: wish.tag ?? null, created_at: nova.world.clock.now(),
  }
  // Held before the answer: a second server cannot be promised it.
  await insertBlockDevices(nova.db, [row]).catch((thrown: unknown) => {
    if (isDuplicate(nova.db.engine, thrown)) throw invalid(`Invalid volume: volume ${volume.id} already attached to instance ${server.id}`, { field: 'volumeId', cause: thrown })
    throw thrown
  })
  let held = row
  try {
    held = await hold(nova, server.id, row)
    await beginWork(nova, rq, server, { action: 'attach_volume', event: 'compute_attach_volume', legal: 'attachVolume', flow: nova.flows.attachVolume, params: { device_id: row.id, volume_id: volume.id } })
  } catch (thrown) {
    // While it cannot be let go the row stays, for the housekeeping to try again.
    const free = await letVolumeGo(nova, held).then(() => true, () => false)
    if (free) await deleteBlockDevice(nova.db, row.id)
    if (isFault(thrown, 'invalid')) throw new Fault('invalid', `Invalid volume: ${thrown.message}`, { field: 'volumeId', cause: thrown })
    throw thrown
  }
  if (rq.version >= v('2.101')) return {}
  const { version } = rq
  return {
    json: {
      volumeAttachment: {
        id: volume.id, serverId: server.id, volumeId: volume.id, device: row.device_name,
        ...(version >= v('2.70') ? { tag: row.tag } : {}),
        ...(version >= v('2.79') ? { delete_on_termination: row.delete_on_termination === 1 } : {}),
        ...(version >= v('2.89') ? { attachment_id: held.attachment_id, bdm_uuid: row.id } : {}),
      },
    },
  }
}

async function shownVolume(nova: Nova, rq: Rq<unknown>, id: string) {
  return nova.client.call(callerOf(rq), 'cinder', showVolume, { params: { volume_id: id } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found')) throw notFound(`Volume ${id} could not be found.`, { cause: thrown })
    throw thrown
  })
}

async function update(nova: Nova, rq: Rq<unknown>, wish: AttachWish & { serverId?: string; id?: string }): Promise<Reply> {
  const old = rq.params.volume_id!
  const swap = wish.volumeId !== old
  const server = await authorizedServer(nova, rq, swap ? 'os-volumes-attachments:swap' : 'os-volumes-attachments:update')
  const row = await attached(nova, server, old)
  if (swap) {
    assertMay('swapVolume', server, isAdmin(rq))
    await shownVolume(nova, rq, wish.volumeId).catch((thrown: unknown) => {
      if (isFault(thrown, 'not_found')) throw invalid(thrown.message, { field: 'volumeId', cause: thrown })
      throw thrown
    })
    const { volume } = await shownVolume(nova, rq, old)
    if (volume.multiattach && volume.attachments.length > 1) throw invalid('Swapping multi-attach volumes with more than one read/write attachment is not supported.', { field: 'volumeId' })
    throw notImplemented('Swapping a volume under a running server is not available in this cloud: detach it and attach the other one.')
  }
  if (rq.version < v('2.85')) throw invalid('The volume is attached already; another one cannot be the same.', { field: 'volumeId' })
  for (const [field, now] of [['device', row.device_name], ['tag', row.tag], ['serverId', server.id]] as const) {
    const asked = wish[field as 'device' | 'tag' | 'serverId']
    if (asked !== undefined && asked !== now) throw invalid(`The ${field} of an attachment cannot be changed.`, { field })
  }
  if (wish.delete_on_termination !== undefined) await patchBlockDevice(nova.db, row.id, { delete_on_termination: isTrue(wish.delete_on_termination) ? 1 : 0 })
  return {}
}

function view(rq: Rq<unknown>, row: BlockDeviceRow): Record<string, unknown> {
  const { version } = rq
  return {
    ...(version < v('2.89') ? { id: row.volume_id } : {}),
    volumeId: row.volume_id,
    serverId: row.server_id,
    device: row.device_name,
    ...(version >= v('2.70') ? { tag: row.tag } : {}),
    ...(version >= v('2.79') ? { delete_on_termination: row.delete_on_termination === 1 } : {}),
    ...(version >= v('2.89') ? { attachment_id: row.attachment_id, bdm_uuid: row.id } : {}),
  }
}
