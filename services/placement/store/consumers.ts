/** Consumers: who has allocations. A consumer without any is no more. */
import { conflict } from '#base/fault.ts'
import { CONCURRENT_UPDATE } from '../contract/codes.ts'
import type { ConsumerRow, PlacementSql, PlacementTx } from './tables.ts'

export async function consumersGet(db: PlacementSql, uuids: readonly string[]): Promise<Map<string, ConsumerRow>> {
  if (uuids.length === 0) return new Map()
  const rows = await db.query.selectFrom('placement_consumers').selectAll().where('uuid', 'in', uuids).execute()
  return new Map(rows.map((row) => [row.uuid, row]))
}

export async function consumerGet(db: PlacementSql, uuid: string): Promise<ConsumerRow | undefined> {
  return db.query.selectFrom('placement_consumers').selectAll().where('uuid', '=', uuid).executeTakeFirst()
}

export async function consumersInsert(tx: PlacementTx, rows: readonly ConsumerRow[]): Promise<void> {
  if (rows.length > 0) await tx.query.insertInto('placement_consumers').values(rows).execute()
}

/** Writes it anew if its generation is still the one that was seen; else a `conflict` with `placement.concurrent_update`. */
export async function consumerAdvance(tx: PlacementTx, seen: ConsumerRow, patch: Pick<ConsumerRow, 'project_id' | 'user_id' | 'consumer_type'>, now: number): Promise<void> {
  const done = await tx.query
    .updateTable('placement_consumers')
    .set({ ...patch, generation: seen.generation + 1, updated_at: now })
    .where('uuid', '=', seen.uuid)
    .where('generation', '=', seen.generation)
    .executeTakeFirst()
  if (done.numUpdatedRows === 0n) {
    throw conflict('Inventory and/or allocations changed while attempting to allocate: Another thread concurrently updated the data. Please retry your update', { code: CONCURRENT_UPDATE })
  }
}

/** How many there were. */
export async function consumersDelete(tx: PlacementTx, uuids: readonly string[]): Promise<number> {
  if (uuids.length === 0) return 0
  return Number((await tx.query.deleteFrom('placement_consumers').where('uuid', 'in', uuids).executeTakeFirst()).numDeletedRows)
}
