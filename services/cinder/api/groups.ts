/** Groups and their snapshots (3.13, 3.14). */
import { invalid } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { groupList, groupSnapshotList } from '../contract/lists.ts'
import { GROUP_SNAPSHOT_STATUSES, GROUP_STATUSES } from '../core/states.ts'
import type { Cinder } from '../house.ts'
import type { GroupRow, GroupSnapshotRow } from '../store/group-tables.ts'
import { groupById, setGroup, setGroupSnapshot } from '../store/groups.ts'
import { volumesOfGroup } from '../store/volumes.ts'
import { actionBody, BOOLEAN, DESCRIPTION, envelope, flagOf, NAME, queryFlag, trimmed, UUID, UUID_OR_NULL } from './body.ts'
import { findGroupType } from './group-types.ts'
import { changeGroup, copyGroup, loadGroupSnapshot, makeGroup, makeGroupSnapshot, removeGroup, removeGroupSnapshot } from './group-work.ts'
import { seen, targetOf } from './load.ts'
import { pageOf } from './pages.ts'
import { stamp } from './volume-view.ts'

interface Create {
  group: { name?: string | null; description?: string | null; group_type: string; volume_types: string[]; availability_zone?: string | null }
}
interface Update {
  group: { name?: string | null; description?: string | null; add_volumes?: string | null; remove_volumes?: string | null }
}
interface FromSource {
  name?: string | null
  description?: string | null
  group_snapshot_id?: string | null
  source_group_id?: string | null
}

const since = v('3.13')
const names = { name: NAME, description: DESCRIPTION }
const word = { type: ['string', 'null'], maxLength: 255 }
const ids = { type: ['string', 'null'], maxLength: 4096 }
const status = { type: 'object', required: ['status'], properties: { status: { type: 'string', minLength: 1 } } }
const action = '/groups/{group_id}/action'

export const groupRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/groups', name: 'groups.list', since, status: 200, handle: (rq) => list(house, rq as Rq<never>, false) }),
  route({ method: 'GET', path: '/groups/detail', name: 'groups.list_detail', since, status: 200, handle: (rq) => list(house, rq as Rq<never>, true) }),
  route<Create>({
    method: 'POST',
    path: '/groups',
    name: 'groups.create',
    since,
    body: envelope('group', { ...names, group_type: { type: 'string', minLength: 1, maxLength: 255 }, volume_types: { type: 'array', minItems: 1, uniqueItems: true, items: { type: 'string', maxLength: 255 } }, availability_zone: word }, ['group_type', 'volume_types']),
    status: 202,
    handle: (rq) => create(house, rq),
  }),
  route({ method: 'GET', path: '/groups/{group_id}', name: 'groups.show', since, status: 200, handle: (rq) => show(house, rq as Rq<never>) }),
  route<Update>({ method: 'PUT', path: '/groups/{group_id}', name: 'groups.update', since, body: envelope('group', { ...names, add_volumes: ids, remove_volumes: ids }), status: 202, handle: (rq) => update(house, rq) }),
  route<FromSource>({ method: 'POST', path: '/groups/action', action: 'create-from-src', name: 'groups.create_from_source', since: v('3.14'), body: actionBody('create-from-src', { type: 'object', properties: { ...names, group_snapshot_id: UUID_OR_NULL, source_group_id: UUID_OR_NULL } }), status: 202, handle: (rq) => createFromSource(house, rq) }),
  route<{ 'delete-volumes'?: unknown }>({ method: 'POST', path: action, action: 'delete', name: 'groups.delete', since, body: actionBody('delete', { type: 'object', properties: { 'delete-volumes': BOOLEAN } }), status: 202, handle: (rq) => remove(house, rq) }),
  route<{ status: string }>({ method: 'POST', path: action, action: 'reset_status', name: 'groups.reset_status', since: v('3.20'), body: actionBody('reset_status', status), status: 202, handle: (rq) => resetStatus(house, rq) }),
  ...(['enable_replication', 'disable_replication', 'failover_replication', 'list_replication_targets'] as const).map((verb) =>
    route({ method: 'POST', path: action, action: verb, name: `groups.${verb}`, since: v('3.38'), status: 202, handle: (rq) => noReplication(house, rq, verb) }),
  ),
  route({ method: 'GET', path: '/group_snapshots', name: 'group_snapshots.list', since: v('3.14'), status: 200, handle: (rq) => listSnapshots(house, rq as Rq<never>, false) }),
  route({ method: 'GET', path: '/group_snapshots/detail', name: 'group_snapshots.list_detail', since: v('3.14'), status: 200, handle: (rq) => listSnapshots(house, rq as Rq<never>, true) }),
  route<{ group_snapshot: { group_id: string; name?: string | null; description?: string | null } }>({ method: 'POST', path: '/group_snapshots', name: 'group_snapshots.create', since: v('3.14'), body: envelope('group_snapshot', { ...names, group_id: UUID }, ['group_id']), status: 202, handle: (rq) => createSnapshot(house, rq) }),
  route({ method: 'GET', path: '/group_snapshots/{group_snapshot_id}', name: 'group_snapshots.show', since: v('3.14'), status: 200, handle: async (rq) => ({ json: { group_snapshot: snapshotView(rq, await loadSnapshot(house, rq, 'group:get_group_snapshot')) } }) }),
  route({ method: 'DELETE', path: '/group_snapshots/{group_snapshot_id}', name: 'group_snapshots.delete', since: v('3.14'), bodyKind: 'none', status: 202, handle: (rq) => removeSnapshot(house, rq) }),
  route<{ status: string }>({ method: 'POST', path: '/group_snapshots/{group_snapshot_id}/action', action: 'reset_status', name: 'group_snapshots.reset_status', since: v('3.19'), body: actionBody('reset_status', status), status: 202, handle: (rq) => resetSnapshot(house, rq) }),
]

export async function loadGroup(house: Cinder, rq: Pick<Rq, 'context' | 'authorize' | 'allows'>, id: string, rule: string): Promise<GroupRow> {
  const row = seen(rq, await groupById(house.db, id), `Group ${id.slice(0, 100)}`)
  rq.authorize(rule, targetOf(row))
  return row
}

async function detail(house: Cinder, rq: Pick<Rq, 'version' | 'query' | 'allows'>, row: GroupRow): Promise<Record<string, unknown>> {
  const withVolumes = rq.version >= v('3.25') && queryFlag(rq.query, 'list_volume')
  return {
    id: row.id,
    status: row.status,
    availability_zone: row.availability_zone,
    created_at: stamp(row.created_at),
    name: row.name,
    description: row.description,
    group_type: row.group_type_id,
    volume_types: JSON.parse(row.volume_types) as unknown,
    ...(rq.version >= v('3.14') ? { group_snapshot_id: row.group_snapshot_id, source_group_id: row.source_group_id } : {}),
    ...(withVolumes ? { volumes: (await volumesOfGroup(house.db, row.id)).map((volume) => volume.id) } : {}),
    ...(rq.version >= v('3.38') ? { replication_status: row.replication_status } : {}),
    ...(rq.version >= v('3.58') && rq.allows('group:group_project_attribute', targetOf(row)) ? { project_id: row.project_id } : {}),
  }
}

async function list(house: Cinder, rq: Rq<never>, detailed: boolean): Promise<Reply> {
  rq.authorize('group:get_all')
  const page = await pageOf<GroupRow>(house, rq, { resource: groupList, own: ['list_volume'] })
  const groups = detailed ? await Promise.all(page.rows.map((row) => detail(house, rq, row))) : page.rows.map(({ id, name }) => ({ id, name }))
  return { json: { groups, ...page.extras } }
}

async function show(house: Cinder, rq: Rq<never>): Promise<Reply> {
  return { json: { group: await detail(house, rq, await loadGroup(house, rq, rq.params.group_id!, 'group:get')) } }
}

async function create(house: Cinder, rq: Rq<Create>): Promise<Reply> {
  rq.authorize('group:create')
  const given = rq.body.group
  const type = await findGroupType(house, rq, given.group_type, 'id or name')
  const row = await makeGroup(house, rq, { name: trimmed(given.name), description: trimmed(given.description), availability_zone: given.availability_zone ?? null, volume_types: given.volume_types, type })
  return { json: { group: { id: row.id, name: row.name } } }
}

async function createFromSource(house: Cinder, rq: Rq<FromSource>): Promise<Reply> {
  rq.authorize('group:create')
  const { group_snapshot_id, source_group_id, name, description } = rq.body
  if (!group_snapshot_id === !source_group_id) throw invalid("Either 'group_snapshot_id' or 'source_group_id' must be provided to create a group from source, and not both.", { field: 'create-from-src' })
  const snapshot = group_snapshot_id ? await loadGroupSnapshot(house, rq, group_snapshot_id) : undefined
  const source = await loadGroup(house, rq, snapshot?.group_id ?? source_group_id!, 'group:get')
  const row = await copyGroup(house, rq, { name: trimmed(name), description: trimmed(description), source, ...(snapshot ? { snapshot } : {}) })
  return { json: { group: { id: row.id, name: row.name } } }
}

export const listOf = (text: string | null | undefined): string[] => (text ?? '').split(',').map((one) => one.trim()).filter(Boolean)

async function update(house: Cinder, rq: Rq<Update>): Promise<Reply> {
  const row = await loadGroup(house, rq, rq.params.group_id!, 'group:update')
  const { name, description, add_volumes, remove_volumes } = rq.body.group
  await changeGroup(house, rq, row, { ...(name === undefined ? {} : { name: trimmed(name) }), ...(description === undefined ? {} : { description: trimmed(description) }), add: listOf(add_volumes), remove: listOf(remove_volumes) })
  return {}
}

async function remove(house: Cinder, rq: Rq<{ 'delete-volumes'?: unknown }>): Promise<Reply> {
  const row = await loadGroup(house, rq, rq.params.group_id!, 'group:delete')
  await removeGroup(house, row, flagOf(rq.body['delete-volumes'], 'delete-volumes'))
  return {}
}

function known(status: string, allowed: readonly string[]): string {
  const lower = status.toLowerCase()
  if (!allowed.includes(lower)) throw invalid(`Invalid input for field/attribute status. Value: ${status.slice(0, 100)}.`, { field: 'status' })
  return lower
}

async function resetStatus(house: Cinder, rq: Rq<{ status: string }>): Promise<Reply> {
  const row = await loadGroup(house, rq, rq.params.group_id!, 'group:reset_status')
  await setGroup(house.db, row.id, { status: known(rq.body.status, GROUP_STATUSES), updated_at: house.world.clock.now() })
  return {}
}

async function noReplication(house: Cinder, rq: Rq, verb: string): Promise<Reply> {
  const row = await loadGroup(house, rq, rq.params.group_id!, `group:${verb}`)
  throw invalid(`Invalid group type: Group ${row.id} is not of a type with replication, and the storage backends of this cloud do not replicate.`)
}

function snapshotView(rq: Pick<Rq, 'version' | 'allows'>, row: GroupSnapshotRow): Record<string, unknown> {
  return {
    id: row.id,
    name: row.name,
    status: row.status,
    description: row.description,
    created_at: stamp(row.created_at),
    group_id: row.group_id,
    group_type_id: row.group_type_id,
    ...(rq.version >= v('3.58') && rq.allows('group:group_snapshot_project_attribute', targetOf(row)) ? { project_id: row.project_id } : {}),
  }
}

async function loadSnapshot(house: Cinder, rq: Rq | Rq<{ status: string }>, rule: string): Promise<GroupSnapshotRow> {
  const row = await loadGroupSnapshot(house, rq, rq.params.group_snapshot_id!)
  rq.authorize(rule, targetOf(row))
  return row
}

async function listSnapshots(house: Cinder, rq: Rq<never>, detailed: boolean): Promise<Reply> {
  rq.authorize('group:get_all_group_snapshots')
  const page = await pageOf<GroupSnapshotRow>(house, rq, { resource: groupSnapshotList })
  return { json: { group_snapshots: page.rows.map((row) => (detailed ? snapshotView(rq, row) : { id: row.id, name: row.name })), ...page.extras } }
}

async function createSnapshot(house: Cinder, rq: Rq<{ group_snapshot: { group_id: string; name?: string | null; description?: string | null } }>): Promise<Reply> {
  const { group_id, name, description } = rq.body.group_snapshot
  const group = await loadGroup(house, rq, group_id, 'group:create_group_snapshot')
  const row = await makeGroupSnapshot(house, rq, group, { name: trimmed(name), description: trimmed(description) })
  return { json: { group_snapshot: { id: row.id, name: row.name, group_type_id: row.group_type_id } } }
}

async function removeSnapshot(house: Cinder, rq: Rq): Promise<Reply> {
  await removeGroupSnapshot(house, await loadSnapshot(house, rq, 'group:delete_group_snapshot'))
  return {}
}

async function resetSnapshot(house: Cinder, rq: Rq<{ status: string }>): Promise<Reply> {
  const row = await loadSnapshot(house, rq, 'group:reset_group_snapshot_status')
  await setGroupSnapshot(house.db, row.id, { status: known(rq.body.status, GROUP_SNAPSHOT_STATUSES), updated_at: house.world.clock.now() })
  return {}
}
