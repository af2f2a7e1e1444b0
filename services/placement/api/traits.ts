/** Traits, and the traits of a provider. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { CONCURRENT_UPDATE } from '../contract/codes.ts'
import { isCustomSymbol } from '../contract/names.ts'
import { isStandardTrait, type ProviderTraits, STANDARD_TRAITS } from '../contract/traits.ts'
import type { Placement } from '../house.ts'
import { generationAdvance } from '../store/generations.ts'
import type { ProviderRow } from '../store/tables.ts'
import { providerTraitsReplace, traitDelete, traitGet, traitInsert, traitIsUsed, traitList, traitsInUse, traitsMissing } from '../store/traits.ts'
import { freshness, newest } from './freshness.ts'
import { providerFound } from './resource-providers.ts'

export const listTraits = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const wanted = nameFilter(rq.query.getAll('name').at(-1))
  const associated = flag(rq.query.getAll('associated').at(-1))
  const custom = await traitList(house.db)
  const used = associated === undefined ? undefined : await traitsInUse(house.db)
  const traits = [...STANDARD_TRAITS, ...custom.map((row) => row.name)].filter((name) => wanted(name) && (used === undefined || used.has(name) === associated))
  return { json: { traits }, headers: freshness(house, rq, newest(custom.filter((row) => traits.includes(row.name)))) }
}

export const showTrait = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const name = rq.params.name!
  const row = isStandardTrait(name) ? undefined : ((await traitGet(house.db, name)) ?? absent(name))
  return { headers: freshness(house, rq, row?.created_at) }
}

export const ensureTrait = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const name = rq.params.name!
  if (!isCustomSymbol(name)) {
    throw invalid('The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"', { field: 'name' })
  }
  const now = house.world.clock.now()
  let row = await traitGet(house.db, name)
  const status = row ? 204 : 201
  if (!row) {
    await traitInsert(house.db, name, now).catch((thrown: unknown) => {
      if (!isDuplicate(house.db.engine, thrown)) throw thrown
    })
    row = { name, created_at: now, updated_at: now }
  }
  return { status, headers: { location: `${rq.base}/traits/${name}`, ...freshness(house, rq, row.created_at) } }
}

export const deleteTrait = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const name = rq.params.name!
  if (isStandardTrait(name)) throw invalid(`Cannot delete standard trait ${name}.`)
  await house.db.transaction(async (tx) => {
    if (!(await traitGet(tx, name))) absent(name)
    if (await traitIsUsed(tx, name)) throw conflict(`The trait ${name} is in use by a resource provider.`)
    await traitDelete(tx, name)
  })
  return {}
}

export const listProviderTraits = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const provider = await providerFound(house.db, rq)
  return { json: wire(traitsOf(provider), provider.generation), headers: freshness(house, rq, provider.updated_at) }
}

export const replaceProviderTraits = (house: Placement) => async (rq: Rq<ProviderTraits>): Promise<Reply> => {
  const traits = [...new Set(rq.body.traits)].sort()
  const now = house.world.clock.now()
  const generation = await house.db.transaction(async (tx) => {
    const provider = await providerFound(tx, rq)
    if (provider.generation !== rq.body.resource_provider_generation) {
      throw conflict("Resource provider's generation already changed. Please update the generation and try again.", { code: CONCURRENT_UPDATE, field: 'resource_provider_generation' })
    }
    const missing = await traitsMissing(tx, traits)
    if (missing.length > 0) throw invalid(`No such trait ${missing.join(', ')}`, { field: 'traits' })
    if (JSON.stringify(traits) === provider.traits) return provider.generation
    const generation = await generationAdvance(tx, provider.uuid, provider.generation, now)
    await providerTraitsReplace(tx, provider, traits)
    return generation
  })
  return { json: wire(traits, generation), headers: freshness(house, rq, now) }
}

export const clearProviderTraits = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  await house.db.transaction(async (tx) => {
    const provider = await providerFound(tx, rq)
    if (traitsOf(provider).length === 0) return
    await generationAdvance(tx, provider.uuid, provider.generation, house.world.clock.now())
    await providerTraitsReplace(tx, provider, [])
  })
  return {}
}

function absent(name: string): never {
  throw notFound(`No such trait(s): ${name}.`)
}

function nameFilter(text: string | undefined): (name: string) => boolean {
  if (text === undefined) return () => true
  const [, how, what] = /^([^:]*):(.*)$/s.exec(text) ?? []
  if (what === undefined) throw invalid(`Badly formatted name parameter. Expected name query string parameter in form: ?name=[in|startswith]:[name1,name2|prefix]. Got: "${text}"`, { field: 'name' })
  if (how === 'in') {
    const names = new Set(what.split(','))
    return (name) => names.has(name)
  }
  return how === 'startswith' ? (name) => name.startsWith(what) : () => true
}

function flag(text: string | undefined): boolean | undefined {
  const lower = text?.toLowerCase()
  if (lower !== undefined && lower !== 'true' && lower !== 'false') throw invalid('The query parameter "associated" only accepts "true" or "false"', { field: 'associated' })
  return lower === undefined ? undefined : lower === 'true'
}

function traitsOf(provider: ProviderRow): string[] {
  return JSON.parse(provider.traits) as string[]
}

function wire(traits: string[], resource_provider_generation: number): ProviderTraits {
  return { traits, resource_provider_generation }
}
