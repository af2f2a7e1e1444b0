/** Resource providers. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { CONCURRENT_UPDATE, DUPLICATE_NAME, PROVIDER_CANNOT_DELETE_PARENT, PROVIDER_IN_USE } from '../contract/codes.ts'
import { dashed } from '../contract/names.ts'
import type { Link, ProviderCreate, ProviderUpdate, ResourceProvider } from '../contract/resource-providers.ts'
import { parseMemberOf, parseResources, parseTraits } from '../core/filters.ts'
import { subtreeOf } from '../core/provider-tree.ts'
import type { Placement } from '../house.ts'
import { generationsAdvance } from '../store/generations.ts'
import { providerDelete, type ProviderFilter, providerGet, providerHasAllocations, providerHasChildren, providerInsert, providerList, providersMove, providerTree, providerUpdate } from '../store/providers.ts'
import { classesMissing } from '../store/resource-classes.ts'
import type { PlacementSql, PlacementTx, ProviderRow } from '../store/tables.ts'
import { traitsMissing } from '../store/traits.ts'
import { freshness, newest } from './freshness.ts'

/** The provider that a path names. */
export async function providerFound(db: PlacementSql, rq: Rq): Promise<ProviderRow> {
  const uuid = rq.params.uuid!
  const found = await providerGet(db, uuid)
  if (!found) throw notFound(`No resource provider with uuid ${uuid} found`)
  return found
}

export const listProviders = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const rows = await providerList(house.db, await filterOf(house, rq))
  return { json: { resource_providers: rows.map((row) => providerWire(rq, row)) }, headers: freshness(house, rq, newest(rows)) }
}

export const showProvider = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const row = await providerFound(house.db, rq)
  return { json: providerWire(rq, row), headers: freshness(house, rq, row.updated_at) }
}

export const createProvider = (house: Placement) => async (rq: Rq<ProviderCreate>): Promise<Reply> => {
  const { name, parent_provider_uuid: parent = null } = rq.body
  const uuid = rq.body.uuid === undefined ? house.world.random.uuid() : dashed(rq.body.uuid)
  const now = house.world.clock.now()
  const refuse = (why: string): never => {
    throw invalid(`Unable to create resource provider "${name}", ${uuid}: Object action create failed because: ${why}`, { field: 'parent_provider_uuid' })
  }
  if (parent !== null && dashed(parent) === uuid) refuse('parent provider UUID cannot be same as UUID. Please set parent provider UUID to None if there is no parent.')
  const row = await named(house, { name, uuid }, async (tx) => {
    const above = parent === null ? undefined : ((await providerGet(tx, dashed(parent))) ?? refuse('parent provider UUID does not exist.'))
    const made: ProviderRow = { uuid, name, generation: 0, parent_provider_uuid: above?.uuid ?? null, root_provider_uuid: above?.root_provider_uuid ?? uuid, traits: '[]', created_at: now, updated_at: now }
    await providerInsert(tx, made)
    return made
  })
  const location = `${rq.base}/resource_providers/${uuid}`
  if (rq.version < v('1.20')) return { headers: { location } }
  return { json: providerWire(rq, row), headers: { location, ...freshness(house, rq, row.updated_at) } }
}

export const updateProvider = (house: Placement) => async (rq: Rq<ProviderUpdate>): Promise<Reply> => {
  const uuid = rq.params.uuid!
  const row = await named(house, { name: rq.body.name }, async (tx) => {
    const before = await providerFound(tx, rq)
    const after = { ...before, name: rq.body.name, updated_at: house.world.clock.now() }
    const wish = rq.body.parent_provider_uuid
    if (wish !== undefined && (wish === null ? null : dashed(wish)) !== before.parent_provider_uuid) {
      Object.assign(after, await reparent(tx, before, wish === null ? null : dashed(wish), rq.version >= v('1.37'), after.updated_at))
    }
    await providerUpdate(tx, uuid, { name: after.name, parent_provider_uuid: after.parent_provider_uuid, updated_at: after.updated_at })
    return after
  })
  return { json: providerWire(rq, row), headers: freshness(house, rq, row.updated_at) }
}

export const deleteProvider = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const uuid = rq.params.uuid!
  const now = house.world.clock.now()
  await house.db.transaction(async (tx) => {
    if ((await generationsAdvance(tx, [uuid], 0, now)) === 0) throw notFound(`No resource provider with uuid ${uuid} found for delete`)
    if (await providerHasChildren(tx, uuid)) throw conflict(`Unable to delete parent resource provider ${uuid}: It has child resource providers.`, { code: PROVIDER_CANNOT_DELETE_PARENT })
    if (await providerHasAllocations(tx, uuid)) throw conflict(`Unable to delete resource provider ${uuid}: Resource provider has allocations.`, { code: PROVIDER_IN_USE })
    await providerDelete(tx, uuid)
  })
  return {}
}

/** Moves the provider with all that is below it. Before 1.37 only a provider without a parent may get one. */
async function reparent(tx: PlacementTx, before: ProviderRow, parent: string | null, mayMove: boolean, now: number): Promise<Pick<ProviderRow, 'parent_provider_uuid' | 'root_provider_uuid'>> {
  const refuse = (why: string): never => {
    throw invalid(`Unable to save resource provider ${before.uuid}: Object action update failed because: ${why}`, { field: 'parent_provider_uuid' })
  }
  const above = parent === null ? undefined : ((await providerGet(tx, parent)) ?? refuse('parent provider UUID does not exist.'))
  if (before.parent_provider_uuid !== null && !mayMove) refuse(`${parent === null ? 'un-parenting' : 're-parenting'} a provider is not currently allowed.`)
  // Both trees stand still meanwhile, else two moves could make a ring.
  await generationsAdvance(tx, [before.root_provider_uuid, ...(above ? [above.root_provider_uuid] : [])], 0, now)
  const below = subtreeOf(await providerTree(tx, before.root_provider_uuid), before.uuid)
  if (above && below.includes(above.uuid)) refuse('creating loop in the provider tree is not allowed.')
  const root = above?.root_provider_uuid ?? before.uuid
  await providersMove(tx, below, root, now)
  return { parent_provider_uuid: parent, root_provider_uuid: root }
}

/** A transaction whose only duplicate can be the provider's name or uuid. */
async function named<T>(house: Placement, identity: { name: string; uuid?: string }, work: (tx: PlacementTx) => Promise<T>): Promise<T> {
  try {
    return await house.db.transaction(work)
  } catch (thrown) {
    if (!isDuplicate(house.db.engine, thrown)) throw thrown
    const taken = identity.uuid === undefined ? undefined : await providerGet(house.db, identity.uuid)
    const shown = taken ? `uuid: ${taken.uuid}` : `name: ${identity.name}`
    throw conflict(`Conflicting resource provider ${shown} already exists.`, { code: DUPLICATE_NAME, cause: thrown })
  }
}

async function filterOf(house: Placement, rq: Rq): Promise<ProviderFilter> {
  const one = (name: string): string | undefined => rq.query.getAll(name).at(-1)
  const resources = one('resources')
  const filter: ProviderFilter = resources === undefined ? {} : { resources: parseResources(resources) }
  for (const name of ['name', 'uuid', 'in_tree'] as const) {
    const value = one(name)
    if (value !== undefined) filter[name] = name === 'name' ? value : dashed(value)
  }
  if (rq.query.has('member_of')) {
    const { member_of, forbidden } = parseMemberOf(rq.query.getAll('member_of'), rq.version)
    Object.assign(filter, { member_of, forbidden_aggregates: forbidden })
  }
  if (rq.query.has('required')) {
    const { required, forbidden } = parseTraits(rq.query.getAll('required'), rq.version)
    const missing = await traitsMissing(house.db, [...required.flat(), ...forbidden])
    if (missing.length > 0) throw invalid(`Invalid trait(s) in "required" parameter: No such trait(s): ${missing.join(', ')}.`, { field: 'required' })
    Object.assign(filter, { required_traits: required, forbidden_traits: forbidden })
  }
  const missing = await classesMissing(house.db, Object.keys(filter.resources ?? {}))
  if (missing.length > 0) throw invalid(`Invalid resource class in resources parameter: No such resource class ${missing[0]}.`, { field: 'resources' })
  return filter
}

function providerWire(rq: Rq, row: ProviderRow): ResourceProvider {
  const { uuid, name, generation, parent_provider_uuid, root_provider_uuid } = row
  const wire = { uuid, name, generation, links: linksOf(rq, uuid) }
  return rq.version < v('1.14') ? wire : { ...wire, parent_provider_uuid, root_provider_uuid }
}

const RELATED = [
  ['inventories', v('1.0')],
  ['usages', v('1.0')],
  ['aggregates', v('1.1')],
  ['traits', v('1.6')],
  ['allocations', v('1.11')],
] as const

function linksOf(rq: Rq, uuid: string): Link[] {
  const self = `${rq.http.mount ?? ''}/resource_providers/${uuid}`
  return [{ rel: 'self', href: self }, ...RELATED.filter(([, since]) => rq.version >= since).map(([rel]) => ({ rel, href: `${self}/${rel}` }))]
}

/** A write that met another one: worth another try by the client. */
export function concurrent(frame: string, thrown?: unknown): Error {
  return conflict(`${frame}Another thread concurrently updated the data. Please retry your update`, { code: CONCURRENT_UPDATE, ...(thrown === undefined ? {} : { cause: thrown }) })
}
