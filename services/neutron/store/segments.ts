/** Segments: the unique column `place` makes sure that no two networks meet. */
import type { Random } from '#base/random.ts'
import { Fault } from '#base/fault.ts'
import { candidates, firstGap, placeOf, placeTaken, type SegmentAsk } from '#neutron/core/segments.ts'
import type { Q, SegmentRow, T } from './tables.ts'

export async function segmentsOf(db: Q, networkIds: readonly string[]): Promise<SegmentRow[]> {
  if (networkIds.length === 0) return []
  return db.query.selectFrom('neutron_segments').selectAll().where('network_id', 'in', networkIds).orderBy('position').execute()
}

export async function placeFree(db: Q, place: string): Promise<boolean> {
  return (await db.query.selectFrom('neutron_segments').select('id').where('place', '=', place).executeTakeFirst()) === undefined
}

/** A free number of the range: a few at random first, then the lowest. */
export async function freeNumber(tx: T, type: string, physical: string | null, range: { min: number; max: number }, random: Random): Promise<number | undefined> {
  const tries = candidates(random, range, 8)
  const places = tries.map((number) => placeOf({ network_type: type, physical_network: physical, segmentation_id: number }, ''))
  const taken = new Set((await tx.query.selectFrom('neutron_segments').select('place').where('place', 'in', places).execute()).map((row) => row.place))
  const at = places.findIndex((place) => !taken.has(place))
  if (at >= 0) return tries[at]
  const rows = await tx.query
    .selectFrom('neutron_segments')
    .select('segmentation_id')
    .where('network_type', '=', type)
    .where('physical_network', physical === null ? 'is' : '=', physical as never)
    .where('segmentation_id', '>=', range.min)
    .where('segmentation_id', '<=', range.max)
    .orderBy('segmentation_id')
    .execute()
  return firstGap(range, rows.map((row) => row.segmentation_id!))
}

export async function insertSegment(tx: T, row: Omit<SegmentRow, 'place'>): Promise<SegmentRow> {
  const place = placeOf(row, row.network_id)
  if (!(await placeFree(tx, place))) throw placeTaken(row)
  const full = { ...row, place }
  await tx.query.insertInto('neutron_segments').values(full).execute()
  return full
}

export function noneFree(): Fault {
  return new Fault('unavailable', 'Unable to create the network. No tenant network is available for allocation.', { code: 'NoNetworkAvailable' })
}

export type Wanted = SegmentAsk
