/** Types of groups, and their specs. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { groupTypeList } from '../contract/lists.ts'
import type { Cinder } from '../house.ts'
import type { GroupTypeRow } from '../store/group-tables.ts'
import { deleteGroupType, groupsOfType, groupTypeBy, groupTypesShown, insertGroupType, setGroupType } from '../store/groups.ts'
import { BOOLEAN, DESCRIPTION, envelope, flagOf, REQUIRED_NAME, SPECS } from './body.ts'
import { pageOf } from './pages.ts'

const since = v('3.11')
const P = 'group:group_types:'
const S = 'group:group_types_specs:'
const specsPath = '/group_types/{group_type_id}/group_specs'

/** The type that consistency groups of old are of. */
export const DEFAULT_GROUP_TYPE = 'default_cgsnapshot_type'

interface Create {
  group_type: { name: string; description?: string | null; is_public?: unknown; group_specs?: Record<string, string> | null }
}
type Update = { group_type: { name?: string | null; description?: string | null; is_public?: unknown } }

export const groupTypeRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/group_types', name: 'group_types.list', since, status: 200, handle: (rq) => list(house, rq as Rq<never>) }),
  route<Create>({ method: 'POST', path: '/group_types', name: 'group_types.create', since, policy: `${P}create`, body: envelope('group_type', { name: REQUIRED_NAME, description: DESCRIPTION, is_public: BOOLEAN, group_specs: { anyOf: [SPECS, { type: 'null' }] } }, ['name']), status: 202, handle: (rq) => create(house, rq) }),
  route({ method: 'GET', path: '/group_types/default', name: 'group_types.default', since, status: 200, handle: async (rq) => ({ json: { group_type: view(rq, await load(house, rq)) } }) }),
  route({ method: 'GET', path: '/group_types/{group_type_id}', name: 'group_types.show', since, status: 200, handle: async (rq) => ({ json: { group_type: view(rq, await load(house, rq)) } }) }),
  route<Update>({ method: 'PUT', path: '/group_types/{group_type_id}', name: 'group_types.update', since, policy: `${P}update`, body: envelope('group_type', { name: { type: ['string', 'null'], maxLength: 255 }, description: DESCRIPTION, is_public: BOOLEAN }), status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: '/group_types/{group_type_id}', name: 'group_types.delete', since, policy: `${P}delete`, bodyKind: 'none', status: 202, handle: (rq) => remove(house, rq) }),
  route({ method: 'GET', path: specsPath, name: 'group_types.specs.list', since, policy: `${S}get_all`, status: 200, handle: async (rq) => ({ json: { group_specs: specsOf(await load(house, rq)) } }) }),
  route<{ group_specs: Record<string, string> }>({ method: 'POST', path: specsPath, name: 'group_types.specs.create', since, policy: `${S}create`, body: { type: 'object', required: ['group_specs'], properties: { group_specs: SPECS } }, status: 202, handle: (rq) => addSpecs(house, rq) }),
  route({ method: 'GET', path: `${specsPath}/{spec_id}`, name: 'group_types.specs.show', since, policy: `${S}get`, status: 200, handle: async (rq) => ({ json: one(await load(house, rq), rq.params.spec_id!) }) }),
  route<Record<string, string>>({ method: 'PUT', path: `${specsPath}/{spec_id}`, name: 'group_types.specs.update', since, policy: `${S}update`, body: { ...SPECS, minProperties: 1, maxProperties: 1 }, status: 200, handle: (rq) => setSpec(house, rq) }),
  route({ method: 'DELETE', path: `${specsPath}/{spec_id}`, name: 'group_types.specs.delete', since, policy: `${S}delete`, bodyKind: 'none', status: 202, handle: (rq) => removeSpec(house, rq) }),
]

const specsOf = (row: GroupTypeRow): Record<string, string> => JSON.parse(row.group_specs) as Record<string, string>

function view(rq: Pick<Rq, 'allows'>, row: GroupTypeRow): Record<string, unknown> {
  return { id: row.id, name: row.name, description: row.description, is_public: row.is_public === 1, ...(rq.allows('group:access_group_types_specs') ? { group_specs: specsOf(row) } : {}) }
}

export async function findGroupType(house: Cinder, rq: Pick<Rq, 'allows'>, wanted: string, by: 'id' | 'id or name' = 'id'): Promise<GroupTypeRow> {
  const row = (await groupTypeBy(house.db, 'id', wanted)) ?? (by === 'id or name' ? await groupTypeBy(house.db, 'name', wanted) : undefined)
  if (!row || (row.is_public === 0 && !rq.allows('context_is_admin', {}))) throw notFound(`Group type ${wanted.slice(0, 100)} could not be found.`)
  return row
}

async function load(house: Cinder, rq: Pick<Rq, 'params' | 'allows'>): Promise<GroupTypeRow> {
  const id = rq.params.group_type_id
  if (id !== undefined) return findGroupType(house, rq, id)
  const row = await groupTypeBy(house.db, 'name', DEFAULT_GROUP_TYPE)
  if (!row) throw notFound('Default group type can not be found.')
  return row
}

async function list(house: Cinder, rq: Rq<never>): Promise<Reply> {
  const asked = rq.query.get('is_public')?.toLowerCase()
  const isAdmin = rq.allows('context_is_admin', {})
  const shown = !isAdmin || asked === undefined ? 'public' : asked === 'none' ? 'all' : flagOf(asked, 'is_public') ? 'public' : 'private'
  const page = await pageOf<GroupTypeRow>(house, rq, { resource: groupTypeList, global: true, own: ['is_public', 'group_specs'], narrow: groupTypesShown(shown) })
  return { json: { group_types: page.rows.map((row) => view(rq, row)), ...page.extras } }
}

async function named(house: Cinder, name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw conflict(`Group Type ${name} already exists.`, { field: 'name' })
    throw thrown
  }
}

async function create(house: Cinder, rq: Rq<Create>): Promise<Reply> {
  const given = rq.body.group_type
  const row: GroupTypeRow = {
    id: house.world.random.uuid(),
    name: given.name.trim(),
    description: given.description ?? null,
    is_public: flagOf(given.is_public, 'is_public', true) ? 1 : 0,
    group_specs: JSON.stringify(given.group_specs ?? {}),
    created_at: house.world.clock.now(),
    updated_at: null,
  }
  await named(house, row.name, () => insertGroupType(house.db, row))
  return { json: { group_type: view(rq, row) } }
}

async function update(house: Cinder, rq: Rq<Update>): Promise<Reply> {
  const row = await load(house, rq)
  const { name, description, is_public } = rq.body.group_type
  if (name === undefined && description === undefined && is_public === undefined) throw invalid('Specify group type name, description or a combination thereof.', { field: 'group_type' })
  if (name !== undefined && name !== null && name.trim() === '') throw invalid('Group type name can not be empty.', { field: 'name' })
  const patch = {
    ...(name ? { name: name.trim() } : {}),
    ...(description === undefined ? {} : { description }),
    ...(is_public === undefined ? {} : { is_public: flagOf(is_public, 'is_public') ? 1 : 0 }),
    updated_at: house.world.clock.now(),
  }
  await named(house, name ?? row.name, () => setGroupType(house.db, row.id, patch))
  return { json: { group_type: view(rq, { ...row, ...patch }) } }
}

async function remove(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await load(house, rq)
  await house.db.transaction(async (tx) => {
    if ((await groupsOfType(tx, row.id)) > 0) throw invalid('Target group type is still in use.')
    await deleteGroupType(tx, row.id)
  })
  return {}
}

function one(row: GroupTypeRow, key: string): Record<string, string> {
  const value = specsOf(row)[key]
  if (value === undefined) throw notFound(`Group Type ${row.id} has no specs with key ${key.slice(0, 100)}.`)
  return { [key]: value }
}

async function change(house: Cinder, row: GroupTypeRow, next: Record<string, string>): Promise<void> {
  await setGroupType(house.db, row.id, { group_specs: JSON.stringify(next), updated_at: house.world.clock.now() })
}

async function addSpecs(house: Cinder, rq: Rq<{ group_specs: Record<string, string> }>): Promise<Reply> {
  const row = await load(house, rq)
  await change(house, row, { ...specsOf(row), ...rq.body.group_specs })
  return { json: { group_specs: rq.body.group_specs } }
}

async function setSpec(house: Cinder, rq: Rq<Record<string, string>>): Promise<Reply> {
  const row = await load(house, rq)
  if (!(rq.params.spec_id! in rq.body)) throw invalid('Request body and URI mismatch.', { field: rq.params.spec_id! })
  await change(house, row, { ...specsOf(row), ...rq.body })
  return { json: rq.body }
}

async function removeSpec(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await load(house, rq)
  const key = rq.params.spec_id!
  one(row, key)
  const { [key]: _, ...rest } = specsOf(row)
  await change(house, row, rest)
  return {}
}
