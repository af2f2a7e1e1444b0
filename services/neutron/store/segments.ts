/** Segments: the unique column `place` makes sure that no two networks meet. */
import type { Random } from '#base/random.ts'
import { Fault } from '#base/fault.ts'
import { candidates, firstGap, placeOf, placeTaken } from '#neutron/core/segments.ts'
import type { NeutronConfig } from '#neutron/config.ts'
import type { Db, Q, SegmentRow, T, Tables } from './tables.ts'

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

/** Ranges that a project's networks take their numbers from. */
export async function rangesFor(db: Q, type: string, owner: string): Promise<Tables['neutron_segment_ranges'][]> {
  const rows = await db.query.selectFrom('neutron_segment_ranges').selectAll().where('network_type', '=', type).where((eb) => eb.or([eb('shared', '=', 1), eb('project_id', '=', owner)])).execute()
  const own = rows.filter((row) => row.shared === 0)
  return own.length > 0 ? own : rows
}

/** Writes what the configuration says as the ranges for all, once and after it changed. */
export async function keepDefaultRanges(db: Db, config: Pick<NeutronConfig, 'vni_range' | 'vlan_ranges'>, newId: () => string, now: number): Promise<void> {
  const wanted = [
    { network_type: 'vxlan', physical_network: null as string | null, minimum: config.vni_range.min, maximum: config.vni_range.max },
    ...Object.entries(config.vlan_ranges).map(([physical_network, range]) => ({ network_type: 'vlan', physical_network, minimum: range.min, maximum: range.max })),
  ]
  const same = (a: (typeof wanted)[number], b: (typeof wanted)[number]): boolean => a.network_type === b.network_type && a.physical_network === b.physical_network && a.minimum === b.minimum && a.maximum === b.maximum
  await db.transaction(async (tx) => {
    const there = await tx.query.selectFrom('neutron_segment_ranges').selectAll().where('default', '=', 1).execute()
    for (const row of there) if (!wanted.some((one) => same(one, row))) await tx.query.deleteFrom('neutron_segment_ranges').where('id', '=', row.id).execute()
    for (const one of wanted) {
      if (there.some((row) => same(one, row))) continue
      await tx.query.insertInto('neutron_segment_ranges').values({ ...one, id: newId(), name: '', description: '', project_id: null, default: 1, shared: 1, tags: '[]', created_at: now, updated_at: now, revision_number: 1 }).execute()
    }
  })
}

export function noneFree(): Fault {
  return new Fault('unavailable', 'Unable to create the network. No tenant network is available for allocation.', { code: 'NoNetworkAvailable' })
}

/** Numbers of a range that are in use, and by whose networks. */
export async function usersOfRange(db: Q, range: { network_type: string; physical_network: string | null; minimum: number; maximum: number }): Promise<{ segmentation_id: number; project_id: string }[]> {
  let query = db.query
    .selectFrom('neutron_segments')
    .innerJoin('neutron_networks', 'neutron_networks.id', 'network_id')
    .select(['segmentation_id', 'project_id'])
    .where('network_type', '=', range.network_type)
    .where('segmentation_id', '>=', range.minimum)
    .where('segmentation_id', '<=', range.maximum)
  if (range.physical_network) query = query.where('physical_network', '=', range.physical_network)
  return (await query.execute()) as { segmentation_id: number; project_id: string }[]
}
