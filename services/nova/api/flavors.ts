/** Flavors: the sizes servers come in. */
import { conflict, type Fault, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion, v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import { deleteFlavor, flavorById, type FlavorQuery, insertFlavor, listFlavors, mayUseFlavor, patchFlavor } from '../store/flavors.ts'
import type { FlavorRow } from '../store/tables.ts'
import { linksOf, nextLink } from './links.ts'
import { limitOf } from './paging.ts'
import { boolOf, last, querySchema } from './queries.ts'
import { envelope, flag, isTrue, nameText, object } from './schemas.ts'

const MAX_INT = 2_147_483_647
const whole = (minimum: number): Schema => ({ anyOf: [{ type: 'integer', minimum, maximum: MAX_INT }, { type: 'string', pattern: minimum > 0 ? '^0*[1-9][0-9]{0,9}$' : '^[0-9]{1,10}$' }] })
const flavorDescription: Schema = { type: ['string', 'null'], maxLength: 65_535, pattern: String.raw`^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$` }
const flavorId: Schema = { anyOf: [{ type: 'string', minLength: 1, maxLength: 255, pattern: '^(?! )[a-zA-Z0-9. _-]+(?<! )$' }, { type: 'number' }, { type: 'null' }] }

const createSchema = (more: Readonly<Record<string, Schema>>): Schema =>
  envelope('flavor', object({ name: nameText, id: flavorId, ram: whole(1), vcpus: whole(1), disk: whole(0), 'OS-FLV-EXT-DATA:ephemeral': whole(0), swap: { anyOf: [whole(0), { const: '' }] }, 'os-flavor-access:is_public': flag, ...more }, ['name', 'ram', 'vcpus', 'disk']))

const rxtx: Schema = { anyOf: [{ type: 'number', exclusiveMinimum: 0, maximum: 3.40282e38 }, { type: 'string', pattern: String.raw`^[0-9]*\.?[0-9]*[1-9][0-9]*(\.[0-9]+)?$` }] }

interface Create {
  name: string
  id?: string | number | null
  ram: number | string
  vcpus: number | string
  disk: number | string
  'OS-FLV-EXT-DATA:ephemeral'?: number | string
  swap?: number | string
  rxtx_factor?: number | string
  'os-flavor-access:is_public'?: boolean | string
  description?: string | null
}

const SORT_KEYS = ['created_at', 'description', 'disabled', 'ephemeral_gb', 'flavorid', 'id', 'is_public', 'memory_mb', 'name', 'root_gb', 'rxtx_factor', 'swap', 'updated_at', 'vcpu_weight', 'vcpus']
/** Keys of other implementations' tables that have no column here: such a list comes by id. */
const NO_COLUMN = new Set(['id', 'vcpu_weight'])
const LIST = ['limit', 'marker', 'is_public', 'minRam', 'minDisk', 'sort_key', 'sort_dir']
const listValues = { sort_key: { enum: SORT_KEYS }, sort_dir: { enum: ['asc', 'desc'] } }
const listQuery = byVersion<Schema>({ '2.1': querySchema(LIST, false, listValues), '2.75': querySchema(LIST, true, listValues), '2.102': querySchema([...LIST, 'name'], true, listValues) })

export function flavorRoutes(nova: Nova): Route[] {
  const one = '/v2.1/flavors/{flavor_id}'
  return [
    route({ method: 'GET', path: '/v2.1/flavors', name: 'flavors.index', query: listQuery, status: 200, handle: (rq) => list(nova, rq, false) }),
    route({ method: 'GET', path: '/v2.1/flavors/detail', name: 'flavors.detail', query: listQuery, status: 200, handle: (rq) => list(nova, rq, true) }),
    route({ method: 'GET', path: one, name: 'flavors.show', status: 200, handle: async (rq) => ({ json: { flavor: flavorView(rq, await loadFlavor(nova, rq)) } }) }),
    route<{ flavor: Create }>({
      method: 'POST', path: '/v2.1/flavors', name: 'flavors.create', policy: 'os_compute_api:os-flavor-manage:create', status: 200,
      body: byVersion({ '2.1': createSchema({ rxtx_factor: rxtx }), '2.55': createSchema({ rxtx_factor: rxtx, description: flavorDescription }), '2.102': createSchema({ description: flavorDescription }) }),
      handle: (rq) => create(nova, rq),
    }),
    route<{ flavor: { description: string | null } }>({
      method: 'PUT', path: one, name: 'flavors.update', since: v('2.55'), policy: 'os_compute_api:os-flavor-manage:update', status: 200,
      body: envelope('flavor', object({ description: flavorDescription }, ['description'])),
      async handle(rq) {
        const flavor = await loadFlavor(nova, rq)
        const patch = { description: rq.body.flavor.description, updated_at: nova.world.clock.now() }
        await patchFlavor(nova.db, flavor.flavorid, patch)
        return { json: { flavor: flavorView(rq, { ...flavor, ...patch }) } }
      },
    }),
    route({
      method: 'DELETE', path: one, name: 'flavors.delete', policy: 'os_compute_api:os-flavor-manage:delete', status: 202,
      async handle(rq) {
        if (!(await nova.db.transaction((tx) => deleteFlavor(tx, rq.params.flavor_id!)))) throw noFlavor(rq.params.flavor_id!)
        return {}
      },
    }),
  ]
}

export const noFlavor = (id: string): Fault => notFound(`Flavor ${id} could not be found.`, { code: 'nova.flavor_not_found' })

/** The flavor of the path; one that is private to others is not there. */
export async function loadFlavor(nova: Nova, rq: Rq<unknown>): Promise<FlavorRow> {
  const id = rq.params.flavor_id!
  const flavor = await flavorById(nova.db, id)
  if (!flavor) throw noFlavor(id)
  if (flavor.is_public === 0 && !rq.allows('context_is_admin') && !(await mayUseFlavor(nova.db, id, rq.context.project_id ?? ''))) throw noFlavor(id)
  return flavor
}

async function list(nova: Nova, rq: Rq<unknown>, detail: boolean): Promise<Reply> {
  const { query } = rq
  const sortKey = last(query, 'sort_key') ?? 'flavorid'
  const limit = limitOf(query, nova.config.max_limit)
  const marker = last(query, 'marker')
  const name = rq.version >= v('2.102') ? last(query, 'name') : undefined
  const min_disk = numberOf(query, 'minDisk')
  const min_ram = numberOf(query, 'minRam')
  const asked: FlavorQuery = {
    visible: visibleOf(rq),
    ...(min_disk === undefined ? {} : { min_disk }),
    ...(min_ram === undefined ? {} : { min_ram }),
    ...(name === undefined ? {} : { name }),
    sort: { column: (NO_COLUMN.has(sortKey) ? 'flavorid' : sortKey) as keyof FlavorRow, dir: last(query, 'sort_dir') === 'desc' ? 'desc' : 'asc' },
    limit: limit + 1,
    ...(marker === undefined ? {} : { marker }),
  }
  const found = limit === 0 ? [] : await listFlavors(nova.db, asked)
  if (found === undefined) throw invalid(`marker [${marker}] not found`, { field: 'marker' })
  const rows = found.slice(0, limit)
  const flavors = rows.map((row) => (detail ? flavorView(rq, row) : { id: row.flavorid, name: row.name, ...(rq.version >= v('2.55') ? { description: row.description } : {}), links: linksOf(rq, 'flavors', row.flavorid) }))
  return { json: { flavors, ...(found.length > limit ? { flavors_links: nextLink(rq, rows.at(-1)!.flavorid) } : {}) } }
}

/** Only administrators may ask for private ones. */
function visibleOf(rq: Rq<unknown>): FlavorQuery['visible'] {
  const own = { kind: 'for', project_id: rq.context.project_id ?? '' } as const
  if (!rq.allows('context_is_admin')) return own
  const text = last(rq.query, 'is_public')
  if (text === undefined) return own
  if (text.toLowerCase() === 'none') return { kind: 'all' }
  const is_public = boolOf(text)
  if (is_public === undefined) throw invalid(`Invalid is_public filter [${text}]`, { field: 'is_public' })
  return is_public ? own : { kind: 'public', is_public: false }
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = last(query, name)
  if (text === undefined) return undefined
  if (!/^\s*-?\d+\s*$/.test(text)) throw invalid(`Invalid ${name} filter [${text}]`, { field: name })
  return Number(text)
}

async function create(nova: Nova, rq: Rq<{ flavor: Create }>): Promise<Reply> {
  const wish = rq.body.flavor
  const now = nova.world.clock.now()
  const flavorid = wish.id === undefined || wish.id === null ? nova.world.random.uuid() : String(wish.id)
  const is_public = wish['os-flavor-access:is_public']
  const row: FlavorRow = {
    flavorid,
    name: wish.name,
    description: wish.description ?? null,
    memory_mb: amount('ram', wish.ram),
    vcpus: amount('vcpus', wish.vcpus),
    root_gb: amount('disk', wish.disk),
    ephemeral_gb: amount('OS-FLV-EXT-DATA:ephemeral', wish['OS-FLV-EXT-DATA:ephemeral'] ?? 0),
    swap: amount('swap', wish.swap || 0),
    rxtx_factor: Number(wish.rxtx_factor ?? 1),
    is_public: is_public === undefined || isTrue(is_public) ? 1 : 0,
    disabled: 0,
    extra_specs: '{}',
    created_at: now,
    updated_at: now,
  }
  try {
    await nova.db.transaction((tx) => insertFlavor(tx, row))
  } catch (thrown) {
    if (!isDuplicate(nova.db.engine, thrown)) throw thrown
    if (await flavorById(nova.db, flavorid)) throw conflict(`Flavor with ID ${flavorid} already exists.`)
    throw conflict(`Flavor with name ${wish.name} already exists.`)
  }
  return { json: { flavor: flavorView(rq, row) } }
}

function amount(field: string, given: number | string): number {
  const number = Number(given)
  if (number > MAX_INT) throw invalid(`Invalid input for field/attribute ${field}. Value: ${given}. ${given} is greater than the maximum of ${MAX_INT}`, { field })
  return number
}

export function flavorView(rq: Rq<unknown>, row: FlavorRow): Record<string, unknown> {
  const { version } = rq
  const specs = version >= v('2.61') && rq.allows('os_compute_api:os-flavor-extra-specs:index')
  return {
    id: row.flavorid,
    name: row.name,
    ram: row.memory_mb,
    disk: row.root_gb,
    swap: row.swap === 0 && version < v('2.75') ? '' : row.swap,
    'OS-FLV-EXT-DATA:ephemeral': row.ephemeral_gb,
    ...(version < v('2.102') ? { 'OS-FLV-DISABLED:disabled': row.disabled === 1 } : {}),
    vcpus: row.vcpus,
    'os-flavor-access:is_public': row.is_public === 1,
    ...(version < v('2.102') ? { rxtx_factor: row.rxtx_factor } : {}),
    ...(version >= v('2.55') ? { description: row.description } : {}),
    links: linksOf(rq, 'flavors', row.flavorid),
    ...(specs ? { extra_specs: JSON.parse(row.extra_specs) } : {}),
  }
}
