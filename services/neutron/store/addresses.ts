/** Addresses in use. One network has an address once: the primary key says so. */
import type { Random } from '#base/random.ts'
import { freeOf, LISTABLE, type Ranges, sample } from '#neutron/core/ipam.ts'
import type { Q, T } from './tables.ts'

export interface Allocation {
  network_id: string
  subnet_id: string
  ip_address: string
  port_id: string
}

export async function takenOf(db: Q, networkId: string, addresses: readonly string[]): Promise<Set<string>> {
  if (addresses.length === 0) return new Set()
  const query = db.query.selectFrom('neutron_ip_allocations').select('ip_address').where('network_id', '=', networkId)
  const rows = await (addresses.length === 1 ? query.where('ip_address', '=', addresses[0]!) : query.where('ip_address', 'in', addresses)).execute()
  return new Set(rows.map((row) => row.ip_address))
}

/** What a transaction has chosen: aside it may not be seen. */
const chosen = new WeakMap<T, Set<string>>()
/** In smaller pools those who choose at one moment too often choose the same. */
const WIDE = 128n

/** A free address of a subnet's pools, or undefined. `mine`: addresses already chosen for this port. */
export async function freeAddress(tx: T, networkId: string, subnetId: string, ranges: Ranges, random: Random, mine: ReadonlySet<string>): Promise<string | undefined> {
  if (ranges.size > WIDE) {
    const found = await freeAside(tx, networkId, ranges, random, mine)
    if (found !== undefined) return found
  }
  for (const count of [4, 16, 64]) {
    const tries = sample(ranges, random, count)
    const taken = await takenOf(tx, networkId, tries)
    const free = tries.find((one) => !taken.has(one) && !mine.has(one))
    if (free !== undefined) return free
    if (ranges.size <= BigInt(count)) return undefined
  }
  if (ranges.size > LISTABLE) return undefined
  const rows = await tx.query.selectFrom('neutron_ip_allocations').select('ip_address').where('subnet_id', '=', subnetId).execute()
  return freeOf(ranges, new Set([...rows.map((row) => row.ip_address), ...mine]), random)
}

/** Most are free, so a few at random will do. The primary key has the last word: who loses chooses again, with the whole transaction (`retrying.ts`). */
async function freeAside(tx: T, networkId: string, ranges: Ranges, random: Random, mine: ReadonlySet<string>): Promise<string | undefined> {
  const before = chosen.get(tx) ?? new Set()
  chosen.set(tx, before)
  // One at a time: of a list PostgreSQL may think that reading all addresses of the network is as cheap.
  for (const address of sample(ranges, random, 4)) {
    if (mine.has(address) || before.has(`${networkId} ${address}`) || (await takenOf(tx.aside, networkId, [address])).size > 0) continue
    before.add(`${networkId} ${address}`)
    return address
  }
  return undefined
}

export async function insertAllocations(tx: T, rows: readonly Allocation[]): Promise<void> {
  if (rows.length > 0) await tx.query.insertInto('neutron_ip_allocations').values(rows).execute()
}

export async function removeAllocations(tx: T, portId: string, addresses?: readonly string[]): Promise<void> {
  let query = tx.query.deleteFrom('neutron_ip_allocations').where('port_id', '=', portId)
  if (addresses) {
    if (addresses.length === 0) return
    query = query.where('ip_address', 'in', addresses)
  }
  await query.execute()
}

export async function allocationsOfSubnet(db: Q, subnetId: string): Promise<(Allocation & { device_owner: string })[]> {
  return db.query
    .selectFrom('neutron_ip_allocations')
    .innerJoin('neutron_ports', 'neutron_ports.id', 'neutron_ip_allocations.port_id')
    .select(['neutron_ip_allocations.network_id', 'neutron_ip_allocations.subnet_id', 'ip_address', 'port_id', 'device_owner'])
    .where('neutron_ip_allocations.subnet_id', '=', subnetId)
    .execute()
}

/** How many addresses of each subnet are taken. */
export async function countsOfSubnets(db: Q, subnetIds: readonly string[]): Promise<Map<string, number>> {
  if (subnetIds.length === 0) return new Map()
  const rows = await db.query.selectFrom('neutron_ip_allocations').select((eb) => ['subnet_id', eb.fn.countAll().as('n')]).where('subnet_id', 'in', subnetIds).groupBy('subnet_id').execute()
  return new Map(rows.map((row) => [row.subnet_id, Number(row.n)]))
}

/** Who has an address on one of these networks. */
export async function holdersOf(db: Q, networkIds: readonly string[], address: string): Promise<{ device_id: string; device_owner: string; project_id: string }[]> {
  if (networkIds.length === 0) return []
  return db.query
    .selectFrom('neutron_ip_allocations')
    .innerJoin('neutron_ports', 'neutron_ports.id', 'port_id')
    .select(['device_id', 'device_owner', 'project_id'])
    .where('neutron_ip_allocations.network_id', 'in', networkIds)
    .where('ip_address', '=', address)
    .execute()
}

/** Address scope of the pool that a subnet was cut from. */
export async function scopeOfSubnet(db: Q, subnetId: string): Promise<string | null> {
  const row = await db.query.selectFrom('neutron_subnets').innerJoin('neutron_subnetpools', 'neutron_subnetpools.id', 'subnetpool_id').select('address_scope_id').where('neutron_subnets.id', '=', subnetId).executeTakeFirst()
  return row?.address_scope_id ?? null
}
