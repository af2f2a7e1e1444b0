/**
 * A provider's generation: every change of what it offers or has given away adds one, and takes the provider's row as a lock on the
 * way. Writers do this first, so that two claims on one provider happen one after the other on every engine.
 */
import { conflict } from '#base/fault.ts'
import { CONCURRENT_UPDATE } from '../contract/codes.ts'
import type { PlacementTx } from './tables.ts'

export const STALE_PROVIDER = 'Another thread concurrently updated the resource provider data. Please retry your update'

/** Adds one to a generation that must still be `seen`; else a `conflict` with `placement.concurrent_update`. Returns the new one. */
export async function generationAdvance(tx: PlacementTx, uuid: string, seen: number, now: number, frame = (error: string): string => error): Promise<number> {
  const done = await tx.query
    .updateTable('placement_providers')
    .set({ generation: seen + 1, updated_at: now })
    .where('uuid', '=', uuid)
    .where('generation', '=', seen)
    .executeTakeFirst()
  if (done.numUpdatedRows === 0n) throw conflict(frame(STALE_PROVIDER), { code: CONCURRENT_UPDATE })
  return seen + 1
}

/** Adds `by` to the generations of several providers, and only holds the rows of `others`, all in order of uuid. Returns how many of the first there are. */
export async function generationsAdvance(tx: PlacementTx, uuids: Iterable<string>, by: 0 | 1, now: number, others: Iterable<string> = []): Promise<number> {
  const changed = new Set(uuids)
  let found = 0
  // One statement each: of a list, PostgreSQL takes the rows in an order of its own, and two who take the same rows would wait for each other.
  for (const uuid of [...changed.union(new Set(others))].sort()) {
    const step = changed.has(uuid) ? by : 0
    const done = await tx.query
      .updateTable('placement_providers')
      .set((eb) => ({ generation: eb('generation', '+', step), ...(step === 0 ? {} : { updated_at: now }) }))
      .where('uuid', '=', uuid)
      .executeTakeFirst()
    if (changed.has(uuid)) found += Number(done.numUpdatedRows)
  }
  return found
}
