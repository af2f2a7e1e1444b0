/** Sums of allocations. */
import { sql } from 'kysely'
import type { PlacementSql } from './tables.ts'

export interface UsageFilter {
  project_id: string
  user_id?: string
  /** A type by name; null for consumers that never said one. */
  consumer_type?: string | null
}

export interface UsageRow {
  consumer_type: string | null
  resource_class: string
  used: number
}

export async function usageSums(db: PlacementSql, filter: UsageFilter): Promise<UsageRow[]> {
  const rows = await matching(db, filter)
    .innerJoin('placement_allocations as a', 'a.consumer_uuid', 'c.uuid')
    .select(['c.consumer_type', 'a.resource_class', sql<number>`sum(a.used)`.as('used')])
    .groupBy(['c.consumer_type', 'a.resource_class'])
    .execute()
  return rows.map((row) => ({ ...row, used: Number(row.used) }))
}

/** How many consumers there are, by type. */
export async function consumerCounts(db: PlacementSql, filter: UsageFilter): Promise<Map<string | null, number>> {
  const rows = await matching(db, filter)
    .select(['c.consumer_type', sql<number>`count(*)`.as('count')])
    .groupBy('c.consumer_type')
    .execute()
  return new Map(rows.map((row) => [row.consumer_type, Number(row.count)]))
}

function matching(db: PlacementSql, { project_id, user_id, consumer_type }: UsageFilter) {
  let query = db.query.selectFrom('placement_consumers as c').where('c.project_id', '=', project_id)
  if (user_id !== undefined) query = query.where('c.user_id', '=', user_id)
  if (consumer_type === null) query = query.where('c.consumer_type', 'is', null)
  else if (consumer_type !== undefined) query = query.where('c.consumer_type', '=', consumer_type)
  return query
}
