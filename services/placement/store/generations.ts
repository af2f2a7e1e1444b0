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

/** Adds `by` to the generations of several providers, in order of uuid; 0 only holds their rows. Returns how many there are. */
export async function generationsAdvance(tx: PlacementTx, uuids: Iterable<string>, by: 0 | 1, now: number): Promise<number> {
  const sorted = [...new Set(uuids)].sort()
  if (sorted.length === 0) return 0
  const done = await tx.query
    .updateTable('placement_providers')
    .set((eb) => ({ generation: eb('generation', '+', by), ...(by === 0 ? {} : { updated_at: now }) }))
    .where('uuid', 'in', sorted)
    .executeTakeFirst()
  return Number(done.numUpdatedRows)
}
