/** Volume types: what they are called, who may use them, and their extra specs. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { boolFromString } from '#stack/resource/field.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { typeList } from '../contract/lists.ts'
import type { Cinder } from '../house.ts'
import type { TypeRow } from '../store/tables.ts'
import { defaultTypeOf, deleteTypeRows, insertType, setType, typeById, typeByName, typesShown, volumesOfType } from '../store/types.ts'
import { BOOLEAN, DESCRIPTION, envelope, flagOf, REQUIRED_NAME, SPECS } from './body.ts'
import { loadType } from './load.ts'
import { pageOf } from './pages.ts'

type Viewer = Pick<Rq, 'allows' | 'context'>

/** Extra specs that ordinary users may read. */
const PUBLIC_SPECS = new Set(['multiattach', 'RESKEY:availability_zones', 'replication_enabled'])

interface Create {
  volume_type: { name: string; description?: string | null; extra_specs?: Record<string, string> | null; 'os-volume-type-access:is_public'?: unknown }
}
interface Update {
  volume_type: { name?: string | null; description?: string | null; is_public?: unknown }
}

const createBody = envelope('volume_type', { name: REQUIRED_NAME, description: DESCRIPTION, extra_specs: { anyOf: [SPECS, { type: 'null' }] }, 'os-volume-type-access:is_public': BOOLEAN }, ['name'])
const updateBody = envelope('volume_type', { name: { type: ['string', 'null'], maxLength: 255 }, description: DESCRIPTION, is_public: BOOLEAN })

export const typeRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/types', name: 'types.list', status: 200, handle: (rq) => list(house, rq as Rq<never>) }),
  route<Create>({ method: 'POST', path: '/types', name: 'types.create', policy: 'volume_extension:type_create', body: createBody, status: 200, handle: (rq) => create(house, rq) }),
  route({ method: 'GET', path: '/types/default', name: 'types.default', status: 200, handle: (rq) => show(house, rq as Rq<never>) }),
  route({ method: 'GET', path: '/types/{volume_type_id}', name: 'types.show', status: 200, handle: (rq) => show(house, rq as Rq<never>) }),
  route<Update>({ method: 'PUT', path: '/types/{volume_type_id}', name: 'types.update', policy: 'volume_extension:type_update', body: updateBody, status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: '/types/{volume_type_id}', name: 'types.delete', policy: 'volume_extension:type_delete', bodyKind: 'none', status: 202, handle: (rq) => remove(house, rq as Rq<never>) }),
]

export function visibleSpecs(rq: Viewer, row: TypeRow): Record<string, string> {
  const specs = JSON.parse(row.extra_specs) as Record<string, string>
  if (rq.allows('volume_extension:types_extra_specs:read_sensitive')) return specs
  return Object.fromEntries(Object.entries(specs).filter(([key]) => PUBLIC_SPECS.has(key)))
}

export function typeView(rq: Viewer, row: TypeRow): Record<string, unknown> {
  return {
    id: row.id,
    name: row.name,
    is_public: row.is_public === 1,
    description: row.description,
    ...(rq.allows('volume_extension:access_types_extra_specs') ? { extra_specs: visibleSpecs(rq, row) } : {}),
    ...(rq.allows('volume_extension:access_types_qos_specs_id') ? { qos_specs_id: row.qos_specs_id } : {}),
    ...(rq.allows('volume_extension:volume_type_access') ? { 'os-volume-type-access:is_public': row.is_public === 1 } : {}),
  }
}

async function list(house: Cinder, rq: Rq<never>): Promise<Reply> {
  rq.authorize('volume_extension:type_get_all')
  const asked = rq.query.get('is_public')
  const isAdmin = rq.allows('context_is_admin', {})
  const wanted = isAdmin && asked !== null && asked.toLowerCase() !== 'none' ? boolFromString(asked) : undefined
  if (isAdmin && asked !== null && asked.toLowerCase() !== 'none' && wanted === undefined) throw invalid(`Invalid is_public filter [${asked.slice(0, 50)}]`, { field: 'is_public' })
  const all = isAdmin && asked?.toLowerCase() === 'none'
  const page = await pageOf<TypeRow>(house, rq, {
    resource: typeList,
    own: ['is_public', 'extra_specs'],
    global: true,
    defaultSort: [{ key: 'created_at', dir: 'desc' }],
    narrow: typesShown(all ? 'all' : wanted === undefined ? { mine: rq.context.project_id ?? '' } : wanted ? 'public' : 'private'),
  })
  const specs = rq.version >= v('3.52') ? rq.query.get('extra_specs') : null
  const rows = specs === null ? page.rows : page.rows.filter((row) => hasSpecs(row, specs))
  return { json: { volume_types: rows.map((row) => typeView(rq, row)), ...page.extras } }
}

function hasSpecs(row: TypeRow, text: string): boolean {
  const specs = JSON.parse(row.extra_specs) as Record<string, string>
  return [...text.matchAll(/['"]([^'"]+)['"]\s*:\s*['"]([^'"]*)['"]/g)].every(([, key, value]) => specs[key!] === value)
}

async function show(house: Cinder, rq: Rq<never>): Promise<Reply> {
  rq.authorize('volume_extension:type_get')
  const id = rq.params.volume_type_id
  const row = id === undefined ? await defaultType(house, rq) : await loadType(house, rq, id)
  return { json: { volume_type: typeView(rq, row) } }
}

async function defaultType(house: Cinder, rq: Rq<never>): Promise<TypeRow> {
  const own = rq.context.project_id === undefined ? undefined : await defaultTypeOf(house.db, rq.context.project_id)
  const row = own === undefined ? await typeByName(house.db, house.config.default_volume_type) : await typeById(house.db, own)
  if (!row) throw notFound('Default volume type can not be found.')
  return row
}

async function create(house: Cinder, rq: Rq<Create>): Promise<Reply> {
  const given = rq.body.volume_type
  const row: TypeRow = {
    id: house.world.random.uuid(),
    name: given.name.trim(),
    description: given.description?.trim() ?? null,
    is_public: flagOf(given['os-volume-type-access:is_public'], 'os-volume-type-access:is_public', true) ? 1 : 0,
    extra_specs: JSON.stringify(given.extra_specs ?? {}),
    qos_specs_id: null,
    created_at: house.world.clock.now(),
    updated_at: null,
  }
  await named(house, row.name, () => insertType(house.db, row))
  const { qos_specs_id: _, ...wire } = typeView(rq, row)
  return { json: { volume_type: wire } }
}

async function named(house: Cinder, name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw conflict(`Volume Type ${name} already exists.`, { field: 'name' })
    throw thrown
  }
}

async function update(house: Cinder, rq: Rq<Update>): Promise<Reply> {
  const row = await loadType(house, rq, rq.params.volume_type_id!)
  const { name, description, is_public } = rq.body.volume_type
  if (name === undefined && description === undefined && is_public === undefined) throw invalid('Specify volume type name, description, is_public or a combination thereof.', { field: 'volume_type' })
  if (name !== undefined && name !== null && name.trim() === '') throw invalid('Volume type name can not be empty.', { field: 'name' })
  const patch = {
    ...(name ? { name: name.trim() } : {}),
    ...(description === undefined ? {} : { description: description?.trim() ?? null }),
    ...(is_public === undefined ? {} : { is_public: flagOf(is_public, 'is_public') ? 1 : 0 }),
    updated_at: house.world.clock.now(),
  }
  await named(house, name ?? row.name, () => setType(house.db, row.id, patch))
  const next = { ...row, ...patch }
  return { json: { volume_type: { id: next.id, name: next.name, is_public: next.is_public === 1, description: next.description, extra_specs: visibleSpecs(rq, next) } } }
}

async function remove(house: Cinder, rq: Rq<never>): Promise<Reply> {
  const row = await loadType(house, rq, rq.params.volume_type_id!)
  if (row.name === house.config.default_volume_type) throw invalid(`The volume type ${row.name} is the default of this cloud and cannot be deleted.`)
  await house.db.transaction(async (tx) => {
    if ((await volumesOfType(tx, row.id)) > 0) throw invalid('Target volume type is still in use.')
    await deleteTypeRows(tx, row.id)
  })
  return {}
}
