/** The aggregates of a provider. */
import { conflict } from '#base/fault.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Aggregates, AggregatesWish } from '../contract/aggregates.ts'
import { CONCURRENT_UPDATE } from '../contract/codes.ts'
import { dashed } from '../contract/names.ts'
import type { Placement } from '../house.ts'
import { aggregateList, aggregateReplace } from '../store/aggregates.ts'
import { generationAdvance } from '../store/generations.ts'
import { freshness } from './freshness.ts'
import { providerFound } from './resource-providers.ts'

export const listAggregates = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const provider = await providerFound(house.db, rq)
  return { json: wire(rq, await aggregateList(house.db, provider.uuid), provider.generation), headers: freshness(house, rq) }
}

export const replaceAggregates = (house: Placement) => async (rq: Rq<AggregatesWish>): Promise<Reply> => {
  const wish = Array.isArray(rq.body) ? { aggregates: rq.body } : rq.body
  const aggregates = [...new Set(wish.aggregates.map(dashed))]
  const generation = await house.db.transaction(async (tx) => {
    const provider = await providerFound(tx, rq)
    let { generation } = provider
    if ('resource_provider_generation' in wish) {
      if (generation !== wish.resource_provider_generation) throw conflict("Resource provider's generation already changed. Please update the generation and try again.", { code: CONCURRENT_UPDATE })
      generation = await generationAdvance(tx, provider.uuid, generation, house.world.clock.now(), (error) => `Update conflict: ${error}`)
    }
    await aggregateReplace(tx, provider, aggregates)
    return generation
  })
  return { json: wire(rq, aggregates, generation), headers: freshness(house, rq) }
}

function wire(rq: Rq, aggregates: string[], resource_provider_generation: number): Aggregates {
  return rq.version < v('1.19') ? { aggregates } : { aggregates, resource_provider_generation }
}
