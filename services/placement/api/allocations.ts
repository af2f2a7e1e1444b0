/** Allocations: seen by consumer or by provider, and replaced whole per consumer. */
import { invalid, notFound } from '#base/fault.ts'
import { isUuidLike } from '#base/ids.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Allocations, ConsumerAllocations, ConsumerWish, ProviderAllocations, Resources } from '../contract/allocations.ts'
import { dashed } from '../contract/names.ts'
import type { Placement } from '../house.ts'
import { allocationsOfConsumer, allocationsOfProvider } from '../store/allocations.ts'
import { type Claim, claimRelease, claimsWrite } from '../store/claims.ts'
import { consumerGet } from '../store/consumers.ts'
import type { PlacementTx } from '../store/tables.ts'
import { freshness, newest } from './freshness.ts'
import { concurrent, providerFound } from './resource-providers.ts'

/** A body of any version; before 1.12 the allocations are a list. */
export type AnyWish = Partial<Omit<ConsumerWish, 'allocations'>> & { allocations: Allocations | readonly { resource_provider: { uuid: string }; resources: Resources }[] }

export const listAllocations = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const rows = await allocationsOfConsumer(house.db, rq.params.consumer_uuid!)
  const json: ConsumerAllocations = { allocations: {} }
  for (const { resource_provider_uuid, resource_class, used, generation } of rows) {
    const at = (json.allocations[resource_provider_uuid] ??= { resources: {}, generation })
    at.resources[resource_class] = used
  }
  const consumer = rows.length > 0 && rq.version >= v('1.12') ? await consumerGet(house.db, rq.params.consumer_uuid!) : undefined
  if (consumer) {
    const { project_id, user_id, generation, consumer_type } = consumer
    Object.assign(json, { project_id, user_id })
    if (rq.version >= v('1.28')) json.consumer_generation = generation
    if (rq.version >= v('1.38')) json.consumer_type = consumer_type ?? 'unknown'
  }
  return { json, headers: freshness(house, rq, newest(rows)) }
}

export const listProviderAllocations = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const provider = await providerFound(house.db, rq)
  const rows = await allocationsOfProvider(house.db, provider.uuid)
  const json: ProviderAllocations = { allocations: {}, resource_provider_generation: provider.generation }
  for (const { consumer_uuid, resource_class, used, consumer_generation } of rows) {
    const at = (json.allocations[consumer_uuid] ??= { resources: {}, ...(rq.version < v('1.28') ? {} : { consumer_generation }) })
    at.resources[resource_class] = used
  }
  return { json, headers: freshness(house, rq, newest(rows)) }
}

export const replaceAllocations = (house: Placement) => async (rq: Rq<AnyWish>): Promise<Reply> => {
  const consumer = rq.params.consumer_uuid!
  if (!isUuidLike(consumer)) throw invalid(`Malformed consumer_uuid: ${consumer}`, { field: 'consumer_uuid' })
  await claiming(house, (tx, now) => claimsWrite(tx, [claimOf(house, rq, dashed(consumer), rq.body)], now))
  return {}
}

export const replaceManyAllocations = (house: Placement) => async (rq: Rq<Record<string, AnyWish>>): Promise<Reply> => {
  await claiming(house, (tx, now) => claimsWrite(tx, Object.entries(rq.body).map(([consumer, wish]) => claimOf(house, rq, consumer, wish)), now))
  return {}
}

export const deleteAllocations = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const consumer = rq.params.consumer_uuid!
  if (!(await claiming(house, (tx, now) => claimRelease(tx, consumer, now)))) throw notFound(`No allocations for consumer '${consumer}'`)
  return {}
}

/** A transaction over claims: providers and consumers are taken before anything is read that counts (`claims.ts`); two that make the same consumer meet as duplicates. */
export async function claiming<T>(house: Placement, work: (tx: PlacementTx, now: number) => Promise<T>): Promise<T> {
  const now = house.world.clock.now()
  try {
    return await house.db.transaction((tx) => work(tx, now), { guarded: true })
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw concurrent('Inventory and/or allocations changed while attempting to allocate: ', thrown)
    throw thrown
  }
}

export function claimOf(house: Placement, rq: Rq, consumer_uuid: string, wish: AnyWish): Claim {
  return {
    consumer_uuid,
    allocations: resourcesOf(wish.allocations),
    project_id: wish.project_id ?? house.config.incomplete_consumer_project_id,
    user_id: wish.user_id ?? house.config.incomplete_consumer_user_id,
    consumer_generation: rq.version < v('1.28') ? undefined : wish.consumer_generation,
    consumer_type: wish.consumer_type,
  }
}

function resourcesOf(allocations: AnyWish['allocations']): Record<string, Resources> {
  const entries = Array.isArray(allocations)
    ? allocations.map((one): [string, Resources] => [dashed(one.resource_provider.uuid), one.resources])
    : Object.entries(allocations as Allocations).map(([uuid, { resources }]): [string, Resources] => [uuid, resources])
  return Object.fromEntries(entries)
}
