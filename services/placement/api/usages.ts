/** How much is claimed of a provider, or by a project. */
import type { Reply, Rq } from '#stack/route.ts'
import { schemaAssert } from '#stack/schema.ts'
import { atVersion, v } from '#stack/version.ts'
import type { ProviderUsages } from '../contract/usages.ts'
import { usageQuery } from '../contract/usages.ts'
import type { Placement } from '../house.ts'
import { inventoryList } from '../store/inventories.ts'
import { consumerCounts, type UsageFilter, type UsageRow, usageSums } from '../store/usages.ts'
import { queryWording } from './wording.ts'
import { freshness } from './freshness.ts'
import { providerFound } from './resource-providers.ts'

export const listProviderUsages = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const provider = await providerFound(house.db, rq)
  const rows = await inventoryList(house.db, provider.uuid)
  const json: ProviderUsages = { resource_provider_generation: provider.generation, usages: Object.fromEntries(rows.map((row) => [row.resource_class, row.used])) }
  return { json, headers: freshness(house, rq) }
}

/** The right to see them depends on the project asked for, so it is judged here and not in the corridor. */
export const listProjectUsages = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const one = (name: string): string | undefined => rq.query.getAll(name).at(-1)
  const project_id = one('project_id')
  rq.authorize('placement:usages', { project_id })
  schemaAssert(atVersion(usageQuery, rq.version)!, Object.fromEntries([...new Set(rq.query.keys())].map((key) => [key, rq.query.getAll(key)])), queryWording)

  const user_id = one('user_id')
  const type = one('consumer_type')
  const filter: UsageFilter = { project_id: project_id!, ...(user_id === undefined ? {} : { user_id }), ...(type === undefined || type === 'all' ? {} : { consumer_type: type === 'unknown' ? null : type }) }
  const sums = await usageSums(house.db, filter)
  const usages = rq.version < v('1.38') ? byClass(sums) : byType(sums, await consumerCounts(house.db, filter), type === 'all')
  return { json: { usages }, headers: freshness(house, rq) }
}

function byClass(sums: readonly UsageRow[]): Record<string, number> {
  const out: Record<string, number> = {}
  for (const { resource_class, used } of sums) out[resource_class] = (out[resource_class] ?? 0) + used
  return out
}

function byType(sums: readonly UsageRow[], counts: ReadonlyMap<string | null, number>, together: boolean): Record<string, Record<string, number>> {
  if (sums.length === 0) return {}
  const total = [...counts.values()].reduce((a, b) => a + b, 0)
  if (together) return { all: { ...byClass(sums), consumer_count: total } }
  return Object.fromEntries([...Map.groupBy(sums, (row) => row.consumer_type)].map(([type, rows]) => [type ?? 'unknown', { ...byClass(rows), consumer_count: counts.get(type) ?? 0 }]))
}
