/** The reshaper: inventories and allocations in one transaction. */
import { conflict, invalid } from '#base/fault.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { CONCURRENT_UPDATE, PROVIDER_NOT_FOUND } from '../contract/codes.ts'
import type { Reshape } from '../contract/reshaper.ts'
import { inventoryOf } from '../core/inventory.ts'
import type { Placement } from '../house.ts'
import { claimsWrite } from '../store/claims.ts'
import { generationsAdvance } from '../store/generations.ts'
import { inventoriesAdd, inventoriesKeep, type Records } from '../store/inventory-sets.ts'
import { providersGet } from '../store/providers.ts'
import { classesMissing } from '../store/resource-classes.ts'
import type { PlacementSql, ProviderRow } from '../store/tables.ts'
import { type AnyWish, claiming, claimOf } from './allocations.ts'

/**
 * What is to go can only go when nothing is claimed of it, and what is to come must be there to be claimed: hence three steps. Each
 * adds to the generation of the providers that it changes, as clients of Placement have seen it do.
 */
export const reshape = (house: Placement) => async (rq: Rq<Reshape>): Promise<Reply> => {
  await claiming(house, async (tx, now) => {
    const uuids = Object.keys(rq.body.inventories)
    await generationsAdvance(tx, uuids, 0, now)
    const plans = await plansOf(tx, rq)
    await generationsAdvance(tx, plans.filter((plan) => Object.keys(plan.records).length > 0).map((plan) => plan.provider.uuid), 1, now)
    for (const { provider, records } of plans) await inventoriesAdd(tx, provider, records, now)
    await claimsWrite(tx, Object.entries(rq.body.allocations).map(([consumer, wish]) => claimOf(house, rq, consumer, wish as AnyWish)), now)
    for (const { provider, records } of plans) await inventoriesKeep(tx, provider, records)
    await generationsAdvance(tx, uuids, 1, now)
  })
  return {}
}

async function plansOf(db: PlacementSql, rq: Rq<Reshape>): Promise<{ provider: ProviderRow; records: Records }[]> {
  const wishes = Object.entries(rq.body.inventories)
  const known = await providersGet(db, wishes.map(([uuid]) => uuid))
  const missing = await classesMissing(db, wishes.flatMap(([, wish]) => Object.keys(wish.inventories)))
  if (missing.length > 0) throw invalid(`malformed reshaper data: No such resource class ${missing[0]}.`, { field: 'inventories' })
  return wishes.map(([uuid, wish]) => {
    const provider = known.get(uuid)
    if (!provider) throw invalid(`Resource provider ${uuid} in inventories not found: No resource provider with uuid ${uuid} found`, { code: PROVIDER_NOT_FOUND, field: 'inventories' })
    const given = wish.resource_provider_generation
    if (given !== provider.generation) throw conflict(`resource provider generation conflict for provider ${uuid}: actual: ${provider.generation}, given: ${given}`, { code: CONCURRENT_UPDATE })
    const records = Object.entries(wish.inventories).map(([name, record]) => [name, inventoryOf(name, uuid, record, rq.version, (error) => `malformed reshaper data: ${error}`)] as const)
    return { provider, records: Object.fromEntries(records) }
  })
}
