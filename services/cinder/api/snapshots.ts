/** Snapshots: list, show, create, change, delete, and their actions. */
import { invalid } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { snapshotList } from '../contract/lists.ts'
import { DELETABLE_SNAPSHOT, SNAPSHOT_STATUSES } from '../core/states.ts'
import type { Cinder } from '../house.ts'
import { insertSnapshot, moveSnapshot, setSnapshot, snapshotById } from '../store/snapshots.ts'
import type { SnapshotRow } from '../store/tables.ts'
import { volumeById, withFacts } from '../store/volumes.ts'
import { actionBody, BOOLEAN, DESCRIPTION, envelope, flagOf, METADATA, NAME, trimmed } from './body.ts'
import { loadSnapshot, loadVolume, targetOf } from './load.ts'
import { dictionary, pageOf } from './pages.ts'
import { insistOnQuota } from './quota-check.ts'
import { stamp } from './volume-view.ts'

interface Create {
  snapshot: { volume_id: string | null; name?: string | null; description?: string | null; display_name?: string | null; display_description?: string | null; force?: unknown; metadata?: Record<string, string> | null }
}
type Update = { snapshot: Omit<Create['snapshot'], 'volume_id' | 'force'> }

const names = { name: NAME, description: DESCRIPTION, display_name: NAME, display_description: DESCRIPTION }
const createBody = envelope('snapshot', { ...names, volume_id: { type: ['string', 'null'], maxLength: 255 }, force: { anyOf: [BOOLEAN, { type: 'null' }] }, metadata: { anyOf: [METADATA, { type: 'null' }] } }, ['volume_id'])
const path = '/snapshots/{snapshot_id}/action'
const A = 'volume_extension:snapshot_admin_actions:'
const STATUS = { type: 'object', required: ['status'], properties: { status: { type: 'string', minLength: 1 } } }

export const snapshotRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/snapshots', name: 'snapshots.list', status: 200, handle: (rq) => list(house, rq as Rq<never>, snapshotView) }),
  route({ method: 'GET', path: '/snapshots/detail', name: 'snapshots.list_detail', status: 200, handle: (rq) => list(house, rq as Rq<never>, snapshotDetail) }),
  route<Create>({ method: 'POST', path: '/snapshots', name: 'snapshots.create', body: createBody, status: 202, handle: (rq) => create(house, rq) }),
  route({ method: 'GET', path: '/snapshots/{snapshot_id}', name: 'snapshots.show', status: 200, handle: async (rq) => ({ json: { snapshot: snapshotDetail(rq, await loadSnapshot(house, rq, rq.params.snapshot_id!, 'volume:get_snapshot')) } }) }),
  route<Update>({ method: 'PUT', path: '/snapshots/{snapshot_id}', name: 'snapshots.update', body: envelope('snapshot', names), status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: '/snapshots/{snapshot_id}', name: 'snapshots.delete', bodyKind: 'none', status: 202, handle: (rq) => remove(house, rq as Rq<never>, 'volume:delete_snapshot', false) }),
  route({ method: 'POST', path, action: 'os-force_delete', name: 'snapshots.force_delete', status: 202, handle: (rq) => remove(house, rq as Rq<never>, `${A}force_delete`, true) }),
  route<{ status: string }>({ method: 'POST', path, action: 'os-reset_status', name: 'snapshots.reset_status', body: actionBody('os-reset_status', STATUS), status: 202, handle: (rq) => resetStatus(house, rq) }),
  route<{ status: string; progress?: string }>({ method: 'POST', path, action: 'os-update_snapshot_status', name: 'snapshots.update_status', body: actionBody('os-update_snapshot_status', STATUS), status: 202, handle: (rq) => updateStatus(house, rq) }),
]

type Viewer = Pick<Rq, 'version' | 'allows' | 'context'>

export function snapshotView(rq: Viewer, row: SnapshotRow): Record<string, unknown> {
  const { version } = rq
  return {
    id: row.id,
    created_at: stamp(row.created_at),
    updated_at: stamp(row.updated_at),
    name: row.name,
    description: row.description,
    volume_id: row.volume_id,
    status: row.status,
    size: row.volume_size,
    metadata: JSON.parse(row.metadata) as unknown,
    ...(version >= v('3.14') ? { group_snapshot_id: row.group_snapshot_id } : {}),
    ...(version >= v('3.41') ? { user_id: row.user_id } : {}),
    ...(version >= v('3.65') ? { consumes_quota: row.consumes_quota === 1 } : {}),
  }
}

export function snapshotDetail(rq: Viewer, row: SnapshotRow): Record<string, unknown> {
  const wire = snapshotView(rq, row)
  if (rq.allows('volume_extension:extended_snapshot_attributes', targetOf(row))) {
    wire['os-extended-snapshot-attributes:project_id'] = row.project_id
    wire['os-extended-snapshot-attributes:progress'] = row.progress
  }
  return wire
}

async function list(house: Cinder, rq: Rq<never>, view: typeof snapshotView): Promise<Reply> {
  rq.authorize('volume:get_all_snapshots')
  const metadata = rq.version >= v('3.22') ? rq.query.get('metadata') : null
  const narrow = withFacts('snapshot', 'cinder_snapshots', metadata === null ? {} : dictionary(metadata, 'metadata'))
  const page = await pageOf<SnapshotRow>(house, rq, { resource: snapshotList, own: ['metadata'], narrow })
  return { json: { snapshots: page.rows.map((row) => view(rq, row)), ...page.extras } }
}

async function create(house: Cinder, rq: Rq<Create>): Promise<Reply> {
  const given = rq.body.snapshot
  const volume = await loadVolume(house, rq, given.volume_id ?? 'None', 'volume:create_snapshot')
  const force = flagOf(given.force, 'force') || rq.version >= v('3.66')
  if (rq.version >= v('3.66') && given.force !== undefined && !flagOf(given.force, 'force', true)) throw invalid('Since microversion 3.66 the "force" flag is invalid for this request unless it is true.', { field: 'force' })
  if (volume.status !== 'available' && !(force && volume.status === 'in-use')) throw invalid(`Invalid volume: Volume ${volume.id} status must be available${force ? ' or in-use' : ''}, but current status is: ${volume.status}.`)
  const now = house.world.clock.now()
  const row = newSnapshot({
    id: house.world.random.uuid(),
    volume,
    user_id: rq.context.user_id ?? '',
    name: trimmed(given.name !== undefined ? given.name : given.display_name),
    description: trimmed(given.description !== undefined ? given.description : given.display_description),
    metadata: given.metadata ?? {},
    now,
  })
  await house.db.transaction(async (tx) => {
    const still = await volumeById(tx, volume.id)
    if (!still || !['available', 'in-use'].includes(still.status)) throw invalid(`Invalid volume: Volume ${volume.id} is ${still?.status ?? 'deleted'}.`)
    await insistOnQuota(house, tx, row.project_id, { snapshots: 1, ...(house.config.no_snapshot_gb_quota ? {} : { gigabytes: row.volume_size }), type_id: row.volume_type_id })
    await insertSnapshot(tx, row)
    await house.engine.start(tx as never, house.flows.createSnapshot, { snapshot_id: row.id, volume_id: volume.id, project_id: row.project_id, host: volume.host! }, { resource_kind: 'snapshot', resource_id: row.id, project_id: row.project_id })
  })
  return { json: { snapshot: snapshotView(rq, row) } }
}

export function newSnapshot(wish: {
  id: string
  volume: { id: string; project_id: string; size: number; volume_type_id: string | null }
  user_id: string
  name: string | null
  description: string | null
  metadata: Record<string, string>
  now: number
  group_snapshot_id?: string
}): SnapshotRow {
  return {
    id: wish.id,
    volume_id: wish.volume.id,
    project_id: wish.volume.project_id,
    user_id: wish.user_id,
    name: wish.name,
    description: wish.description,
    status: 'creating',
    progress: '0%',
    volume_size: wish.volume.size,
    volume_type_id: wish.volume.volume_type_id,
    group_snapshot_id: wish.group_snapshot_id ?? null,
    consumes_quota: 1,
    metadata: JSON.stringify(wish.metadata),
    created_at: wish.now,
    updated_at: null,
  }
}

async function update(house: Cinder, rq: Rq<Update>): Promise<Reply> {
  const row = await loadSnapshot(house, rq, rq.params.snapshot_id!, 'volume:update_snapshot')
  const given = rq.body.snapshot
  const name = given.name !== undefined ? given.name : given.display_name
  const description = given.description !== undefined ? given.description : given.display_description
  if (name === undefined && description === undefined) throw invalid("Missing required element 'snapshot' in request body.", { field: 'snapshot' })
  await setSnapshot(house.db, row.id, { ...(name === undefined ? {} : { name: trimmed(name) }), ...(description === undefined ? {} : { description: trimmed(description) }), updated_at: house.world.clock.now() })
  return { json: { snapshot: snapshotView(rq, (await snapshotById(house.db, row.id)) ?? row) } }
}

async function remove(house: Cinder, rq: Rq<never>, rule: string, force: boolean): Promise<Reply> {
  const row = await loadSnapshot(house, rq, rq.params.snapshot_id!, rule)
  const refuse = (): never => {
    throw invalid(`Invalid snapshot: Snapshot status must be available or error, and it must not be part of a group snapshot; it is ${row.status}.`)
  }
  if (!force && row.group_snapshot_id !== null) refuse()
  const volume = await volumeById(house.db, row.volume_id)
  await house.db.transaction(async (tx) => {
    const patch = { status: 'deleting', updated_at: house.world.clock.now() }
    if (force) await setSnapshot(tx, row.id, patch)
    else if (!(await moveSnapshot(tx, row.id, DELETABLE_SNAPSHOT, patch))) refuse()
    const work = { snapshot_id: row.id, volume_id: row.volume_id, project_id: row.project_id, host: volume?.host ?? null }
    await house.engine.start(tx as never, house.flows.deleteSnapshot as never, work as never, { resource_kind: 'snapshot', resource_id: row.id, project_id: row.project_id })
  })
  return {}
}

async function resetStatus(house: Cinder, rq: Rq<{ status: string }>): Promise<Reply> {
  const row = await loadSnapshot(house, rq, rq.params.snapshot_id!, `${A}reset_status`)
  const status = rq.body.status.toLowerCase()
  if (!(SNAPSHOT_STATUSES as readonly string[]).includes(status)) throw invalid(`Invalid input for field/attribute status. Value: ${status.slice(0, 100)}.`, { field: 'status' })
  await setSnapshot(house.db, row.id, { status, updated_at: house.world.clock.now() })
  return {}
}

/** What a backend tells of a snapshot that Nova takes for it. */
async function updateStatus(house: Cinder, rq: Rq<{ status: string; progress?: string }>): Promise<Reply> {
  const row = await loadSnapshot(house, rq, rq.params.snapshot_id!, 'snapshot_extension:snapshot_actions:update_snapshot_status')
  const allowed: Readonly<Record<string, readonly string[]>> = { creating: ['creating', 'available', 'error'], deleting: ['deleting', 'error_deleting'] }
  const { status, progress } = rq.body
  if (!(row.status in allowed)) throw invalid(`Snapshot status ${row.status} not allowed for update_snapshot_status`, { field: 'status' })
  if (!allowed[row.status]!.includes(status)) throw invalid(`Provided snapshot status ${status.slice(0, 100)} not allowed for snapshot with status ${row.status}.`, { field: 'status' })
  if (progress !== undefined && !/^\d{1,3}%$/.test(String(progress))) throw invalid('progress must be an integer percentage', { field: 'progress' })
  await setSnapshot(house.db, row.id, { status, ...(progress === undefined ? {} : { progress }), updated_at: house.world.clock.now() })
  return {}
}
