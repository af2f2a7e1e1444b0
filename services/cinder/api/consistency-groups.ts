/** Consistency groups and their snapshots, as they were before groups: groups of one type, under their old names. */
import { isDuplicate } from '#base/sql/engine-error.ts'
import { invalid } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { groupList, groupSnapshotList } from '../contract/lists.ts'
import type { Cinder } from '../house.ts'
import type { GroupRow, GroupSnapshotRow, GroupTypeRow } from '../store/group-tables.ts'
import { groupsOfTypeNamed, groupSnapshotsOfTypeNamed, groupTypeBy, insertGroupType } from '../store/groups.ts'
import { BOOLEAN, DESCRIPTION, envelope, flagOf, NAME, trimmed, UUID, UUID_OR_NULL } from './body.ts'
import { DEFAULT_GROUP_TYPE } from './group-types.ts'
import { changeGroup, copyGroup, loadGroupSnapshot, makeGroup, makeGroupSnapshot, removeGroup, removeGroupSnapshot } from './group-work.ts'
import { listOf, loadGroup } from './groups.ts'
import { targetOf } from './load.ts'
import { pageOf } from './pages.ts'
import { stamp } from './volume-view.ts'

interface Create {
  consistencygroup: { name?: string | null; description?: string | null; volume_types: string; availability_zone?: string | null }
}
interface Update {
  consistencygroup: { name?: string | null; description?: string | null; add_volumes?: string | null; remove_volumes?: string | null }
}
interface FromSource {
  'consistencygroup-from-src': { name?: string | null; description?: string | null; cgsnapshot_id?: string | null; source_cgid?: string | null }
}
interface Snapshot {
  cgsnapshot: { name?: string | null; description?: string | null; consistencygroup_id: string }
}

const names = { name: NAME, description: DESCRIPTION }
const ids = { type: ['string', 'null'], maxLength: 4096 }
const updateBody = envelope('consistencygroup', { ...names, add_volumes: ids, remove_volumes: ids })
const one = '/consistencygroups/{consistencygroup_id}'

export const consistencyGroupRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/consistencygroups', name: 'consistencygroups.list', status: 200, handle: (rq) => list(house, rq as Rq<never>, false) }),
  route({ method: 'GET', path: '/consistencygroups/detail', name: 'consistencygroups.list_detail', status: 200, handle: (rq) => list(house, rq as Rq<never>, true) }),
  route<Create>({ method: 'POST', path: '/consistencygroups', name: 'consistencygroups.create', body: envelope('consistencygroup', { ...names, volume_types: { type: 'string', minLength: 1 }, availability_zone: NAME, user_id: {}, project_id: {}, status: {} }, ['volume_types']), status: 202, handle: (rq) => create(house, rq) }),
  route<FromSource>({ method: 'POST', path: '/consistencygroups/create_from_src', name: 'consistencygroups.create_from_source', body: envelope('consistencygroup-from-src', { ...names, cgsnapshot_id: UUID_OR_NULL, source_cgid: UUID_OR_NULL, user_id: {}, project_id: {}, status: {} }), status: 202, handle: (rq) => createFromSource(house, rq) }),
  route({ method: 'GET', path: one, name: 'consistencygroups.show', status: 200, handle: async (rq) => ({ json: { consistencygroup: view(await load(house, rq, 'group:get')) } }) }),
  route({ method: 'DELETE', path: one, name: 'consistencygroups.remove', bodyKind: 'none', status: 202, handle: async (rq) => { await removeGroup(house, await load(house, rq, 'group:delete'), false); return {} } }),
  route<{ consistencygroup: { force?: unknown } }>({ method: 'POST', path: `${one}/delete`, name: 'consistencygroups.delete', body: envelope('consistencygroup', { force: BOOLEAN }), status: 202, handle: async (rq) => { await removeGroup(house, await load(house, rq, 'group:delete'), flagOf(rq.body.consistencygroup.force, 'force')); return {} } }),
  ...[one, `${one}/update`].map((path, i) => route<Update>({ method: 'PUT', path, name: `consistencygroups.update${i === 0 ? '' : '_action'}`, body: updateBody, status: 202, handle: (rq) => update(house, rq) })),
  route({ method: 'GET', path: '/cgsnapshots', name: 'cgsnapshots.list', status: 200, handle: (rq) => listSnapshots(house, rq as Rq<never>, false) }),
  route({ method: 'GET', path: '/cgsnapshots/detail', name: 'cgsnapshots.list_detail', status: 200, handle: (rq) => listSnapshots(house, rq as Rq<never>, true) }),
  route<Snapshot>({ method: 'POST', path: '/cgsnapshots', name: 'cgsnapshots.create', body: envelope('cgsnapshot', { ...names, consistencygroup_id: UUID, user_id: {}, project_id: {}, status: {} }, ['consistencygroup_id']), status: 202, handle: (rq) => createSnapshot(house, rq) }),
  route({ method: 'GET', path: '/cgsnapshots/{cgsnapshot_id}', name: 'cgsnapshots.show', status: 200, handle: async (rq) => ({ json: { cgsnapshot: snapshotView(await loadSnapshot(house, rq, 'group:get_group_snapshot')) } }) }),
  route({ method: 'DELETE', path: '/cgsnapshots/{cgsnapshot_id}', name: 'cgsnapshots.delete', bodyKind: 'none', status: 202, handle: async (rq) => { await removeGroupSnapshot(house, await loadSnapshot(house, rq, 'group:delete_group_snapshot')); return {} } }),
]

const load = (house: Cinder, rq: Pick<Rq, 'context' | 'authorize' | 'allows' | 'params'>, rule: string): Promise<GroupRow> => loadGroup(house, rq, rq.params.consistencygroup_id!, rule)

function view(row: GroupRow): Record<string, unknown> {
  return { id: row.id, name: row.name, description: row.description, status: row.status, availability_zone: row.availability_zone, created_at: stamp(row.created_at), volume_types: JSON.parse(row.volume_types) as unknown }
}

async function list(house: Cinder, rq: Rq<never>, detailed: boolean): Promise<Reply> {
  rq.authorize('group:get_all')
  const page = await pageOf<GroupRow>(house, rq, { resource: { ...groupList, many: 'consistencygroups' }, narrow: groupsOfTypeNamed(DEFAULT_GROUP_TYPE) })
  return { json: { consistencygroups: page.rows.map((row) => (detailed ? view(row) : { id: row.id, name: row.name })), ...page.extras } }
}

/** Made when the first consistency group is. */
async function theType(house: Cinder): Promise<GroupTypeRow> {
  const found = await groupTypeBy(house.db, 'name', DEFAULT_GROUP_TYPE)
  if (found) return found
  const row: GroupTypeRow = { id: house.world.random.uuid(), name: DEFAULT_GROUP_TYPE, description: 'Default group type for migrating cgsnapshot', is_public: 1, group_specs: JSON.stringify({ consistent_group_snapshot_enabled: '<is> True' }), created_at: house.world.clock.now(), updated_at: null }
  try {
    await insertGroupType(house.db, row)
    return row
  } catch (thrown) {
    if (!isDuplicate(house.db.engine, thrown)) throw thrown
    return (await groupTypeBy(house.db, 'name', DEFAULT_GROUP_TYPE))!
  }
}

async function create(house: Cinder, rq: Rq<Create>): Promise<Reply> {
  rq.authorize('group:create')
  const { name, description, volume_types, availability_zone } = rq.body.consistencygroup
  const row = await makeGroup(house, rq, { name: trimmed(name), description: trimmed(description), availability_zone: availability_zone ?? null, volume_types: listOf(volume_types), type: await theType(house) })
  return { json: { consistencygroup: view(row) } }
}

async function createFromSource(house: Cinder, rq: Rq<FromSource>): Promise<Reply> {
  rq.authorize('group:create')
  const { name, description, cgsnapshot_id, source_cgid } = rq.body['consistencygroup-from-src']
  if (!cgsnapshot_id === !source_cgid) throw invalid("Either 'cgsnapshot_id' or 'source_cgid' must be provided to create a consistency group from source, and not both.", { field: 'consistencygroup-from-src' })
  const snapshot = cgsnapshot_id ? await loadGroupSnapshot(house, rq, cgsnapshot_id) : undefined
  const source = await loadGroup(house, rq, snapshot?.group_id ?? source_cgid!, 'group:get')
  const row = await copyGroup(house, rq, { name: trimmed(name), description: trimmed(description), source, ...(snapshot ? { snapshot } : {}) })
  return { json: { consistencygroup: view(row) } }
}

async function update(house: Cinder, rq: Rq<Update>): Promise<Reply> {
  const row = await load(house, rq, 'group:update')
  const { name, description, add_volumes, remove_volumes } = rq.body.consistencygroup
  await changeGroup(house, rq, row, { ...(name === undefined ? {} : { name: trimmed(name) }), ...(description === undefined ? {} : { description: trimmed(description) }), add: listOf(add_volumes), remove: listOf(remove_volumes) })
  return {}
}

function snapshotView(row: GroupSnapshotRow): Record<string, unknown> {
  return { id: row.id, name: row.name, description: row.description, status: row.status, created_at: stamp(row.created_at), consistencygroup_id: row.group_id }
}

async function loadSnapshot(house: Cinder, rq: Rq, rule: string): Promise<GroupSnapshotRow> {
  const row = await loadGroupSnapshot(house, rq, rq.params.cgsnapshot_id!)
  rq.authorize(rule, targetOf(row))
  return row
}

async function listSnapshots(house: Cinder, rq: Rq<never>, detailed: boolean): Promise<Reply> {
  rq.authorize('group:get_all_group_snapshots')
  const page = await pageOf<GroupSnapshotRow>(house, rq, { resource: { ...groupSnapshotList, many: 'cgsnapshots' }, narrow: groupSnapshotsOfTypeNamed(DEFAULT_GROUP_TYPE) })
  return { json: { cgsnapshots: page.rows.map((row) => (detailed ? snapshotView(row) : { id: row.id, name: row.name })), ...page.extras } }
}

async function createSnapshot(house: Cinder, rq: Rq<Snapshot>): Promise<Reply> {
  const { name, description, consistencygroup_id } = rq.body.cgsnapshot
  const group = await loadGroup(house, rq, consistencygroup_id, 'group:create_group_snapshot')
  const row = await makeGroupSnapshot(house, rq, group, { name: trimmed(name), description: trimmed(description) })
  return { json: { cgsnapshot: snapshotView(row) } }
}
