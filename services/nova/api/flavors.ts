/** Flavors: list, show, create, update, delete. Access and extra specs have files of their own. */
import { conflict, invalid, notFound, type Fault } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Schema } from '#stack/schema.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { type ApiVersion, byVersion, v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import { deleteFlavor, flavorById, type FlavorQuery, insertFlavor, listFlavors, mayUseFlavor, patchFlavor } from '../store/flavors.ts'
import type { FlavorRow } from '../store/tables.ts'
import { linksOf, nextLink } from './links.ts'
import { limitOf } from './paging.ts'
import { envelope, flag, isTrue, nameText, object } from './schemas.ts'
import { isAdmin } from './server-steps.ts'

const number = (minimum: number): Schema => ({ anyOf: [{ type: 'integer', minimum, maximum: 2_147_483_647 }, { type: 'string', pattern: minimum > 0 ? '^[1-9][0-9]{0,9}$' : '^[0-9]{1,10}$' }] })
const note: Schema = { type: ['string', 'null'], maxLength: 65_535, pattern: String.raw`^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$` }

function createSchema(version: ApiVersion): Schema {
  return envelope(
    'flavor',
    object(
      {
        name: nameText,
        id: { anyOf: [{ type: 'string', minLength: 1, maxLength: 255, pattern: String.raw`^(?! )[a-zA-Z0-9. _-]+(?<! )$` }, { type: 'integer' }, { type: 'null' }] },
        ram: number(1),
        vcpus: number(1),
        disk: number(0),
        'OS-FLV-EXT-DATA:ephemeral': number(0),
        swap: { anyOf: [number(0), { const: '' }] },
        ...(version < v('2.102') ? { rxtx_factor: { anyOf: [{ type: 'number', exclusiveMinimum: 0, maximum: 3.402_823_466_4e38 }, { type: 'string', pattern: String.raw`^[0-9]+(\.[0-9]+)?$` }] } } : {}),
        'os-flavor-access:is_public': flag,
        ...(version >= v('2.55') ? { description: note } : {}),
      },
      ['name', 'ram', 'vcpus', 'disk'],
    ),
  )
}

interface FlavorWish {
  name: string
  id?: string | number | null
  ram: number | string
  vcpus: number | string
  disk: number | string
  'OS-FLV-EXT-DATA:ephemeral'?: number | string
  swap?: number | string
  rxtx_factor?: number | string
  'os-flavor-access:is_public'?: unknown
  description?: string | null
}

export function flavorRoutes(nova: Nova): Route[] {
  return [
    route({ method: 'GET', path: '/v2.1/flavors', name: 'flavors.index', status: 200, handle: (rq) => list(nova, rq, false) }),
    route({ method: 'GET', path: '/v2.1/flavors/detail', name: 'flavors.detail', status: 200, handle: (rq) => list(nova, rq, true) }),
    route<{ flavor: FlavorWish }>({
      method: 'POST', path: '/v2.1/flavors', name: 'flavors.create', policy: 'os_compute_api:os-flavor-manage:create', status: 200,
      body: byVersion({ '2.1': createSchema(v('2.1')), '2.55': createSchema(v('2.55')), '2.102': createSchema(v('2.102')) }),
      handle: (rq) => create(nova, rq),
    }),
    route({ method: 'GET', path: '/v2.1/flavors/{flavor_id}', name: 'flavors.show', status: 200, handle: async (rq) => ({ json: { flavor: flavorView(rq, await visibleFlavor(nova, rq, rq.params.flavor_id!), 'detail') } }) }),
    route<{ flavor: { description: string | null } }>({
      method: 'PUT', path: '/v2.1/flavors/{flavor_id}', name: 'flavors.update', policy: 'os_compute_api:os-flavor-manage:update', since: v('2.55'), status: 200, body: envelope('flavor', object({ description: note }, ['description'])),
      async handle(rq) {
        const flavor = await visibleFlavor(nova, rq, rq.params.flavor_id!)
        const { description } = rq.body.flavor
        await patchFlavor(nova.db, flavor.flavorid, { description, updated_at: nova.world.clock.now() })
        return { json: { flavor: flavorView(rq, { ...flavor, description }, 'detail') } }
      },
    }),
    route({
      method: 'DELETE', path: '/v2.1/flavors/{flavor_id}', name: 'flavors.delete', policy: 'os_compute_api:os-flavor-manage:delete', status: 202,
      async handle(rq) {
        if (!(await nova.db.transaction((tx) => deleteFlavor(tx, rq.params.flavor_id!)))) throw noFlavor(rq.params.flavor_id!)
        return {}
      },
    }),
  ]
}

export const noFlavor = (id: string): Fault => notFound(`Flavor ${id} could not be found.`)

/** The flavor if the caller may know of it. */
export async function visibleFlavor(nova: Nova, rq: Rq<unknown>, id: string): Promise<FlavorRow> {
  const flavor = await flavorById(nova.db, id)
  const visible = flavor && (flavor.is_public === 1 || isAdmin(rq) || (await mayUseFlavor(nova.db, id, rq.context.project_id ?? '')))
  if (!visible) throw noFlavor(id)
  return flavor
}

async function create(nova: Nova, rq: Rq<{ flavor: FlavorWish }>): Promise<Reply> {
  const wish = rq.body.flavor
  const now = nova.world.clock.now()
  const row: FlavorRow = {
    flavorid: wish.id === undefined || wish.id === null || wish.id === 'auto' ? nova.world.random.uuid() : String(wish.id),
    name: wish.name.trim(),
    description: wish.description ?? null,
    memory_mb: Number(wish.ram),
    vcpus: Number(wish.vcpus),
    root_gb: Number(wish.disk),
    ephemeral_gb: Number(wish['OS-FLV-EXT-DATA:ephemeral'] ?? 0),
    swap: Number(wish.swap || 0),
    rxtx_factor: Number(wish.rxtx_factor ?? 1),
    is_public: wish['os-flavor-access:is_public'] === undefined || isTrue(wish['os-flavor-access:is_public']) ? 1 : 0,
    disabled: 0,
    extra_specs: '{}',
    created_at: now,
    updated_at: now,
  }
  for (const [field, value] of [['ram', row.memory_mb], ['vcpus', row.vcpus], ['disk', row.root_gb], ['OS-FLV-EXT-DATA:ephemeral', row.ephemeral_gb], ['swap', row.swap]] as const) {
    if (value > 2_147_483_647) throw invalid(`Invalid input for field/attribute ${field}. Value: ${value}. ${value} is greater than the maximum of 2147483647`, { field })
  }
  try {
    await nova.db.transaction((tx) => insertFlavor(tx, row))
  } catch (thrown) {
    if (!isDuplicate(nova.db.engine, thrown)) throw thrown
    if (await flavorById(nova.db, row.flavorid)) throw conflict(`Flavor with ID ${row.flavorid} already exists.`, { cause: thrown })
    throw conflict(`Flavor with name ${row.name} already exists.`, { cause: thrown })
  }
  return { json: { flavor: flavorView(rq, row, 'detail') } }
}

const SORT: Readonly<Record<string, keyof FlavorRow>> = { created_at: 'created_at', description: 'description', disabled: 'disabled', ephemeral_gb: 'ephemeral_gb', flavorid: 'flavorid', id: 'flavorid', is_public: 'is_public', memory_mb: 'memory_mb', name: 'name', root_gb: 'root_gb', rxtx_factor: 'rxtx_factor', swap: 'swap', updated_at: 'updated_at', vcpus: 'vcpus', vcpu_weight: 'flavorid' }

async function list(nova: Nova, rq: Rq<unknown>, detail: boolean): Promise<Reply> {
  const { query } = rq
  const number = (name: string): number | undefined => {
    const text = query.get(name)
    if (text === null) return undefined
    if (!/^\d+$/.test(text)) throw invalid(`Invalid ${name} filter [${text.slice(0, 50)}]`, { field: name })
    return Number(text)
  }
  const key = query.get('sort_key') ?? 'flavorid'
  const column = Object.hasOwn(SORT, key) ? SORT[key]! : undefined
  const dir = query.get('sort_dir') ?? 'asc'
  if (column === undefined) throw invalid(`Invalid input for query parameters sort_key. Value: ${key.slice(0, 50)}. Sort key supplied is not valid.`, { field: 'sort_key' })
  if (dir !== 'asc' && dir !== 'desc') throw invalid(`Invalid input for query parameters sort_dir. Value: ${dir.slice(0, 50)}.`, { field: 'sort_dir' })
  const limit = limitOf(query, nova.config.max_limit)
  const min_disk = number('minDisk')
  const min_ram = number('minRam')
  const marker = query.get('marker')
  const name = rq.version >= v('2.102') ? query.get('name') : null
  const plan: FlavorQuery = {
    visible: visibleTo(rq),
    sort: { column, dir },
    limit: limit + 1,
    ...(min_disk === undefined ? {} : { min_disk }),
    ...(min_ram === undefined ? {} : { min_ram }),
    ...(marker === null ? {} : { marker }),
    ...(name === null ? {} : { name }),
  }
  const rows = limit === 0 ? [] : await listFlavors(nova.db, plan)
  if (!rows) throw invalid(`marker [${marker}] not found`, { field: 'marker' })
  const more = rows.length > limit
  const page = rows.slice(0, limit)
  return { json: { flavors: page.map((row) => flavorView(rq, row, detail ? 'detail' : 'brief')), ...(more ? { flavors_links: nextLink(rq, page.at(-1)!.flavorid) } : {}) } }
}

/** Administrators choose with `is_public` (`None`: all); others see the public ones and their own. */
function visibleTo(rq: Rq<unknown>): FlavorQuery['visible'] {
  if (!isAdmin(rq)) return { kind: 'for', project_id: rq.context.project_id ?? '' }
  const asked = rq.query.get('is_public')
  if (asked === null) return { kind: 'public', is_public: true }
  if (asked.toLowerCase() === 'none') return { kind: 'all' }
  if (!/^(1|t|true|on|y|yes|0|f|false|off|n|no)$/i.test(asked)) throw invalid(`Invalid is_public filter [${asked.slice(0, 50)}]`, { field: 'is_public' })
  return { kind: 'public', is_public: isTrue(asked) }
}

export function flavorView(rq: Rq<unknown>, row: FlavorRow, kind: 'brief' | 'detail'): Record<string, unknown> {
  const { version } = rq
  const brief = { id: row.flavorid, name: row.name, links: linksOf(rq, 'flavors', row.flavorid), ...(version >= v('2.55') ? { description: row.description } : {}) }
  if (kind === 'brief') return brief
  return {
    ...brief,
    ram: row.memory_mb,
    disk: row.root_gb,
    vcpus: row.vcpus,
    swap: row.swap === 0 && version < v('2.75') ? '' : row.swap,
    'OS-FLV-EXT-DATA:ephemeral': row.ephemeral_gb,
    'os-flavor-access:is_public': row.is_public === 1,
    ...(version < v('2.102') ? { 'OS-FLV-DISABLED:disabled': row.disabled === 1, rxtx_factor: row.rxtx_factor } : {}),
    ...(version >= v('2.61') && rq.allows('os_compute_api:os-flavor-extra-specs:index') ? { extra_specs: JSON.parse(row.extra_specs) as Record<string, string> } : {}),
  }
}
