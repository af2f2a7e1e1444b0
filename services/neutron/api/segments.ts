/** `/v2.0/segments` and `/v2.0/network_segment_ranges` */
import { conflict, invalid } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { segment as noun, segmentRange as rangeNoun } from '#neutron/core/nouns/more.ts'
import { providerSegment } from '#neutron/flows/networks.ts'
import { born } from '#neutron/flows/standard.ts'
import type { Neutron } from '#neutron/house.ts'
import { insertRow } from '#neutron/store/rows.ts'
import { insertSegment, segmentsOf, usersOfRange } from '#neutron/store/segments.ts'
import type { Row, T } from '#neutron/store/tables.ts'
import { actorOf } from './actor.ts'
import { derivedDelete, derivedUpdate } from './derive.ts'
import { type Desk, readRoutes, rowReply } from './desk.ts'
import { networkSeen } from './subnets.ts'
import { createWish, demandCreate } from './writing.ts'
import { but, store } from '#neutron/store/store.ts'

type Range = Parameters<typeof usersOfRange>[1]

const nobodys: Pick<Desk, 'visible' | 'targets'> = { visible: () => undefined, targets: async () => () => ({}) }
export const segmentDesk: Desk = { noun, ...nobodys }

export const rangeDesk: Desk = {
  noun: rangeNoun,
  ...nobodys,
  async compute(_house, db, rows, _actor, wanted) {
    const used = new Map<unknown, Record<string, string>>()
    if (wanted('used') || wanted('available')) {
      for (const row of rows) {
        const users = await usersOfRange(db, row as unknown as Range)
        used.set(row.id, Object.fromEntries(users.map((one) => [String(one.segmentation_id), one.project_id])))
      }
    }
    return (row) => {
      const taken = used.get(row.id) ?? {}
      const available: number[] = []
      // A range may hold sixteen million: what a person can read is enough.
      for (let id = row.minimum as number; id <= (row.maximum as number) && available.length < 65_536; id++) if (!(String(id) in taken)) available.push(id)
      return { used: taken, available, project_id: row.project_id }
    }
  },
}

export function segmentRoutes(house: Neutron): Route[] {
  const range = `${rangeNoun.path}/{id}`
  return [
    ...readRoutes(segmentDesk, house),
    route({ method: 'POST', path: noun.path, name: 'segments.create', status: 201, handle: (rq) => create(house, rq) }),
    route({ method: 'PUT', path: `${noun.path}/{id}`, name: 'segments.update', status: 200, handle: (rq) => derivedUpdate(segmentDesk, house, rq) }),
    route({ method: 'DELETE', path: `${noun.path}/{id}`, name: 'segments.delete', status: 204, handle: (rq) => derivedDelete(segmentDesk, house, rq, (tx, _rq, row) => free(tx, row)) }),
    ...readRoutes(rangeDesk, house),
    route({ method: 'POST', path: rangeNoun.path, name: 'network_segment_ranges.create', status: 201, handle: (rq) => createRange(house, rq) }),
    route({ method: 'PUT', path: range, name: 'network_segment_ranges.update', status: 200, handle: (rq) => derivedUpdate(rangeDesk, house, rq, (tx, _rq, row) => rangeFits(tx, row)) }),
    route({
      method: 'DELETE',
      path: range,
      name: 'network_segment_ranges.delete',
      status: 204,
      handle: (rq) =>
        derivedDelete(rangeDesk, house, rq, async (tx, _rq, row) => {
          if (row.default === 1) throw conflict(`Network Segment Range ${String(row.id)} is a default segment range which could not be updated or deleted.`, { code: 'NetworkSegmentRangeDefaultReadOnly' })
          if (!row.shared && (await usedIn(tx, row)).length > 0) throw conflict(`Network Segment Range ${String(row.id)} is referenced by one or more tenant networks.`, { code: 'NetworkSegmentRangeReferencedByProject' })
        }),
    }),
  ]
}

/** Segmentation ids of the range that its own project uses. */
async function usedIn(tx: T, row: Row): Promise<number[]> {
  return (await usersOfRange(tx, row as unknown as Range)).filter((one) => !row.project_id || one.project_id === row.project_id).map((one) => one.segmentation_id)
}

async function rangeFits(tx: T, row: Row): Promise<void> {
  const type = row.network_type as string
  const most = type === 'vlan' ? 4094 : 2 ** 24 - 1
  if ((row.minimum as number) > (row.maximum as number) || (row.maximum as number) > most) throw invalid(`Invalid input for operation: minimum and maximum must be in order, and between 1 and ${most}.`, { code: 'InvalidInput', field: 'minimum' })
  if (row.default === 1) throw conflict(`Network Segment Range ${String(row.id)} is a default segment range which could not be updated or deleted.`, { code: 'NetworkSegmentRangeDefaultReadOnly' })
  const before = await store.segmentRanges.one(tx, { id: row.id as string })
  if (before && !before.shared) {
    // The new borders themselves count as outside when they moved inwards, as in Neutron.
    const [min, max] = [row.minimum as number, row.maximum as number]
    const outside = (await usedIn(tx, before as never)).filter((id) => (min > before.minimum ? id <= min : id < min) || (max < before.maximum ? id >= max : id > max))
    if (outside.length > 0) throw conflict(`Network Segment Range ${String(row.id)} is referenced by one or more tenant networks.`, { code: 'NetworkSegmentRangeReferencedByProject' })
  }
  const others = (await store.segmentRanges.all(tx, { network_type: type, id: but(row.id as string), shared: 0 })).filter((one) => (one.physical_network ?? '') === ((row.physical_network as string | null) ?? ''))
  if (!row.shared && others.some((one) => one.minimum <= (row.maximum as number) && (row.minimum as number) <= one.maximum)) throw conflict(`Cannot create or update the Network Segment Range: it overlaps with another one.`, { code: 'NetworkSegmentRangeOverlaps' })
}

async function createRange(house: Neutron, rq: Rq): Promise<Reply> {
  const item = createWish(rangeNoun, rq, { bulk: false }).items[0]!
  demandCreate(rangeNoun, rq, item)
  const { values } = item
  const shared = values.shared !== false
  const row: Row = {
    id: house.world.random.uuid(),
    name: values.name ?? '',
    description: values.description ?? '',
    default: 0,
    shared: shared ? 1 : 0,
    project_id: shared ? null : values.project_id,
    network_type: values.network_type,
    physical_network: (values.physical_network as string | undefined) || null,
    minimum: values.minimum,
    maximum: values.maximum,
    tags: '[]',
    ...born(house),
  }
  if (values.network_type === 'vlan' && row.physical_network === null) throw invalid('Invalid input for operation: physical_network is required for a VLAN range.', { code: 'InvalidInput', field: 'physical_network' })
  if (values.network_type !== 'vlan' && row.physical_network !== null) throw invalid(`Invalid input for operation: physical_network is not allowed for a ${String(values.network_type)} range.`, { code: 'InvalidInput', field: 'physical_network' })
  await house.db.transaction(async (tx) => {
    await rangeFits(tx, row)
    await insertRow(tx as never, rangeNoun.table, row)
  })
  return rowReply(rangeDesk, house, rq, row)
}

async function create(house: Neutron, rq: Rq): Promise<Reply> {
  const item = createWish(noun, rq, { bulk: false }).items[0]!
  demandCreate(noun, rq, item)
  const { values } = item
  const row = await house.db.transaction(async (tx) => {
    const network = await networkSeen(tx, actorOf(rq), values.network_id as string)
    const there = await segmentsOf(tx, [network.id])
    const ask = await providerSegment(house, tx, { network_type: values.network_type as string, physical_network: (values.physical_network as string | null | undefined) ?? null, segmentation_id: (values.segmentation_id as number | null | undefined) ?? null }, network.project_id)
    const made = await insertSegment(tx, { id: house.world.random.uuid(), network_id: network.id, name: (values.name as string | null | undefined) ?? null, description: (values.description as string | undefined) ?? '', ...ask, position: Math.max(-1, ...there.map((one) => one.position)) + 1, tags: '[]', ...born(house) })
    // From two segments on, the network says its segments and no longer one provider network.
    await store.networks.change(tx, { id: network.id }, { 'provider:network_type': '', 'provider:physical_network': null, 'provider:segmentation_id': null })
    return made
  })
  return rowReply(segmentDesk, house, rq, row as never)
}

async function free(tx: T, row: Row): Promise<void> {
  const used = await store.subnets.one(tx, { segment_id: row.id as string }, ['id'])
  if (used) throw conflict(`Segment '${String(row.id)}' cannot be deleted: it is in use by subnet ${used.id}.`, { code: 'SegmentInUse' })
  const rest = (await segmentsOf(tx, [row.network_id as string])).filter((one) => one.id !== row.id)
  if (rest.length === 0) throw conflict(`Segment '${String(row.id)}' cannot be deleted: it is the only one of its network.`, { code: 'SegmentInUse' })
  if (rest.length === 1) {
    const last = rest[0]!
    await store.networks.change(tx, { id: last.network_id }, { 'provider:network_type': last.network_type, 'provider:physical_network': last.physical_network, 'provider:segmentation_id': last.segmentation_id })
  }
}
