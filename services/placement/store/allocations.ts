/** Allocations as rows. How they come to be is in `claims.ts`. */
import type { AllocationRow, PlacementSql, PlacementTx } from './tables.ts'

/** With the generation of each provider, as the consumer's view shows it. */
export async function allocationsOfConsumer(db: PlacementSql, consumer: string): Promise<(AllocationRow & { generation: number })[]> {
  return db.query
    .selectFrom('placement_allocations as a')
    .innerJoin('placement_providers as p', 'p.uuid', 'a.resource_provider_uuid')
    .selectAll('a')
    .select('p.generation')
    .where('a.consumer_uuid', '=', consumer)
    .execute()
}

export async function allocationsOfConsumers(db: PlacementSql, consumers: readonly string[]): Promise<AllocationRow[]> {
  if (consumers.length === 0) return []
  return db.query.selectFrom('placement_allocations').selectAll().where('consumer_uuid', 'in', consumers).execute()
}

/** With the generation of each consumer. */
export async function allocationsOfProvider(db: PlacementSql, provider: string): Promise<(AllocationRow & { consumer_generation: number })[]> {
  return db.query
    .selectFrom('placement_allocations as a')
    .innerJoin('placement_consumers as c', 'c.uuid', 'a.consumer_uuid')
    .selectAll('a')
    .select('c.generation as consumer_generation')
    .where('a.resource_provider_uuid', '=', provider)
    .orderBy('a.created_at')
    .orderBy('a.consumer_uuid')
    .execute()
}

export async function allocationsInsert(tx: PlacementTx, rows: readonly AllocationRow[]): Promise<void> {
  if (rows.length > 0) await tx.query.insertInto('placement_allocations').values(rows).execute()
}

export async function allocationsDelete(tx: PlacementTx, consumers: readonly string[]): Promise<void> {
  if (consumers.length > 0) await tx.query.deleteFrom('placement_allocations').where('consumer_uuid', 'in', consumers).execute()
}
