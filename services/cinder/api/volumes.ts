/** Volumes: list, show, change, delete, and the summary. */
import { Fault, invalid } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { volumeList } from '../contract/lists.ts'
import { DELETABLE_SNAPSHOT, DELETABLE_VOLUME, isMigrating } from '../core/states.ts'
import type { Cinder } from '../house.ts'
import { attachmentsOf } from '../store/attachments.ts'
import { snapshotsOf } from '../store/snapshots.ts'
import type { VolumeRow } from '../store/tables.ts'
import { typesByIds } from '../store/types.ts'
import { moveVolume, setVolume, setVolumeMetadata, summary, volumeById, withFacts } from '../store/volumes.ts'
import { DESCRIPTION, envelope, METADATA, NAME, queryFlag, trimmed } from './body.ts'
import { loadVolume } from './load.ts'
import { dictionary, pageOf } from './pages.ts'
import { volumeDetail, volumeDetails, volumeSummary, volumeView } from './volume-view.ts'

interface VolumeUpdate {
  volume: { name?: string | null; description?: string | null; display_name?: string | null; display_description?: string | null; metadata?: Record<string, string> }
}

const updateBody = envelope('volume', { name: NAME, description: DESCRIPTION, display_name: NAME, display_description: DESCRIPTION, metadata: METADATA })

export const volumeRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/volumes', name: 'volumes.list', status: 200, handle: (rq) => list(house, rq as Rq<never>, false) }),
  route({ method: 'GET', path: '/volumes/detail', name: 'volumes.list_detail', status: 200, handle: (rq) => list(house, rq as Rq<never>, true) }),
  route({ method: 'GET', path: '/volumes/summary', name: 'volumes.summary', since: v('3.12'), status: 200, handle: (rq) => summarize(house, rq as Rq<never>) }),
  route({ method: 'GET', path: '/volumes/{volume_id}', name: 'volumes.show', status: 200, handle: (rq) => show(house, rq as Rq<never>) }),
  route<VolumeUpdate>({ method: 'PUT', path: '/volumes/{volume_id}', name: 'volumes.update', body: updateBody, status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: '/volumes/{volume_id}', name: 'volumes.delete', bodyKind: 'none', status: 202, handle: (rq) => remove(house, rq as Rq<never>) }),
]

async function list(house: Cinder, rq: Rq<never>, detail: boolean): Promise<Reply> {
  rq.authorize('volume:get_all')
  const metadata = rq.query.get('metadata')
  const image = rq.version >= v('3.4') ? rq.query.get('glance_metadata') : null
  const volume = withFacts('volume', 'cinder_volumes', metadata === null ? {} : dictionary(metadata, 'metadata'))
  const glance = withFacts('image', 'cinder_volumes', image === null ? {} : dictionary(image, 'glance_metadata'))
  const page = await pageOf<VolumeRow>(house, rq, { resource: volumeList, own: ['metadata', 'glance_metadata'], narrow: (query) => glance(volume(query)) })
  const volumes = detail ? await volumeDetails(house, rq, page.rows) : page.rows.map((row) => volumeSummary(rq, row))
  return { json: { volumes, ...page.extras } }
}

async function summarize(house: Cinder, rq: Rq<never>): Promise<Reply> {
  rq.authorize('volume:get_all')
  const all = queryFlag(rq.query, 'all_tenants') && rq.allows('context_is_admin', {})
  const { count, gigabytes, metadata } = await summary(house.db, all ? undefined : (rq.context.project_id ?? ''))
  return { json: { 'volume-summary': { total_count: count, total_size: gigabytes, ...(rq.version >= v('3.36') ? { metadata } : {}) } } }
}

async function show(house: Cinder, rq: Rq<never>): Promise<Reply> {
  const row = await loadVolume(house, rq, rq.params.volume_id!, 'volume:get')
  const [type] = row.volume_type_id === null ? [] : await typesByIds(house.db, [row.volume_type_id])
  const attachments = row.attach_status === 'detached' ? [] : await attachmentsOf(house.db, [row.id])
  return { json: { volume: volumeDetail(rq, row, type, attachments) } }
}

async function update(house: Cinder, rq: Rq<VolumeUpdate>): Promise<Reply> {
  const row = await loadVolume(house, rq, rq.params.volume_id!, 'volume:update')
  const given = rq.body.volume
  if (Object.keys(given).length === 0) throw invalid("Missing required element 'volume' in request body.", { field: 'volume' })
  const now = house.world.clock.now()
  const name = given.name !== undefined ? given.name : given.display_name
  const description = given.description !== undefined ? given.description : given.display_description
  await house.db.transaction(async (tx) => {
    await setVolume(tx, row.id, { ...(name === undefined ? {} : { name: trimmed(name) }), ...(description === undefined ? {} : { description: trimmed(description) }), updated_at: now })
    if (given.metadata) await setVolumeMetadata(tx, row.id, 'volume', given.metadata, now)
  })
  const next = (await volumeById(house.db, row.id)) ?? row
  const [wire] = await volumeDetails(house, rq, [next], volumeView)
  return { json: { volume: wire } }
}

async function remove(house: Cinder, rq: Rq<never>): Promise<Reply> {
  const force = rq.version >= v('3.23') && queryFlag(rq.query, 'force')
  const row = await loadVolume(house, rq, rq.params.volume_id!, force ? 'volume:force_delete' : 'volume:delete')
  await beginDelete(house, row, { cascade: queryFlag(rq.query, 'cascade'), force })
  return {}
}

/** Marks the volume and starts its end; a volume that is in use is refused, by force only while a server has it. */
export async function beginDelete(house: Cinder, row: VolumeRow, { cascade, force }: { cascade: boolean; force: boolean }): Promise<void> {
  const refuse = (): never => {
    const wanted = 'available or error or error_restoring or error_extending or error_managing'
    throw invalid(`Invalid volume: Volume status must be ${wanted} and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.`)
  }
  if (!force) {
    if (row.attach_status === 'attached' || isMigrating(row.migration_status) || row.group_id !== null) refuse()
    const snapshots = await snapshotsOf(house.db, row.id)
    if (snapshots.length > 0 && !cascade) refuse()
    const busy = snapshots.find((one) => !(DELETABLE_SNAPSHOT as readonly string[]).includes(one.status) || one.group_snapshot_id !== null)
    if (busy) throw invalid(`Invalid volume: Volume ${row.id} has a snapshot that cannot be deleted now (${busy.status}).`)
  } else if ((await attachmentsOf(house.db, [row.id])).some((one) => one.attach_status === 'attached')) {
    throw new Fault('invalid', 'Invalid volume: Volume is attached to a server; detach it first.')
  }
  await house.db.transaction(async (tx) => {
    const patch = { status: 'deleting', previous_status: row.status, updated_at: house.world.clock.now() }
    if (force) await setVolume(tx, row.id, patch)
    else if (!(await moveVolume(tx, row.id, DELETABLE_VOLUME, patch))) refuse()
    await house.engine.start(tx as never, house.flows.deleteVolume, { volume_id: row.id, project_id: row.project_id, cascade, force }, { resource_kind: 'volume', resource_id: row.id, project_id: row.project_id })
  })
}
