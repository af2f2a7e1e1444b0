/** Subnet pools: checking them, and cutting prefixes out of them. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { type Cidr, compact, formatCidr, overlap, parseCidr, within } from '#neutron/core/address.ts'
import { cut, freeBlocks, quotaUnits } from '#neutron/core/pool-cutting.ts'
import type { Neutron } from '#neutron/house.ts'
import type { SubnetpoolRow, T } from '#neutron/store/tables.ts'
import { but, store } from '#neutron/store/store.ts'

export interface PoolAsk {
  pool: string
  version: 4 | 6
  project: string
  admin: boolean
  cidr: string | undefined
  prefixlen: number | undefined
}

export async function fromPool(_house: Neutron, tx: T, ask: PoolAsk): Promise<Cidr> {
  const pool = await store.subnetpools.one(tx, { id: ask.pool })
  if (!pool || !(ask.admin || pool.project_id === ask.project || sharedTo(pool.shared_with, ask.project))) throw notFound(`Subnet pool ${ask.pool} could not be found.`, { code: 'SubnetPoolNotFound' })
  if (pool.ip_version !== ask.version) throw invalid(`Bad subnets request: Cannot allocate IPv${ask.version} subnet from IPv${pool.ip_version} subnet pool.`, { code: 'BadRequest' })
  const length = ask.cidr === undefined ? (ask.prefixlen ?? pool.default_prefixlen) : parseCidr(ask.cidr)!.prefixlen
  if (length < pool.min_prefixlen) throw invalid(`Unable to allocate subnet with prefix length ${length}, minimum allowed prefix is ${pool.min_prefixlen}.`, { code: 'MinPrefixSubnetAllocationError' })
  if (length > pool.max_prefixlen) throw invalid(`Unable to allocate subnet with prefix length ${length}, maximum allowed prefix is ${pool.max_prefixlen}.`, { code: 'MaxPrefixSubnetAllocationError' })
  const used = await store.subnets.all(tx, { subnetpool_id: pool.id }, ['cidr', 'project_id'])
  const taken = used.map((one) => parseCidr(one.cidr)!)
  const prefixes = (JSON.parse(pool.prefixes) as string[]).map((one) => parseCidr(one)!)
  const free = freeBlocks(prefixes, taken)
  let cidr: Cidr | undefined
  if (ask.cidr === undefined) {
    cidr = cut(free, length)
    if (!cidr) throw conflict(`Failed to allocate subnet: Insufficient prefix space to allocate subnet size /${length}.`, { code: 'SubnetAllocationError' })
  } else {
    const wanted = parseCidr(ask.cidr)!
    if (!free.some((block) => within(wanted, block))) throw conflict('Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.', { code: 'SubnetAllocationError' })
    cidr = wanted
  }
  if (pool.default_quota !== null) {
    const have = used.filter((one) => one.project_id === ask.project).reduce((sum, one) => sum + quotaUnits(parseCidr(one.cidr)!), 0)
    if (have + quotaUnits(cidr) > pool.default_quota) throw conflict('Per-tenant subnet pool prefix quota exceeded.', { code: 'SubnetPoolQuotaExceeded' })
  }
  return cidr
}

const sharedTo = (text: string, project: string): boolean => text !== '[]' && ['*', project].some((target) => (JSON.parse(text) as string[]).includes(target))

export interface PoolFacts {
  prefixes: string[]
  ip_version: 4 | 6
  min_prefixlen: number
  max_prefixlen: number
  default_prefixlen: number
}

/** Prefixes made few, lengths judged, defaults filled. */
export function poolFacts(prefixes: readonly string[], given: { min?: number | undefined; max?: number | undefined; default?: number | undefined }, before?: SubnetpoolRow): PoolFacts {
  const cidrs = prefixes.map((one) => parseCidr(one)!)
  if (cidrs.length === 0) throw invalid('Empty subnet pool prefix list.', { code: 'EmptySubnetPoolPrefixList' })
  const version = cidrs[0]!.version
  if (cidrs.some((one) => one.version !== version)) throw invalid('Cannot mix IPv4 and IPv6 prefixes in a subnet pool.', { code: 'PrefixVersionMismatch' })
  const bits = version === 4 ? 32 : 128
  const min = given.min ?? before?.min_prefixlen ?? (version === 4 ? 8 : 64)
  const max = given.max ?? before?.max_prefixlen ?? bits
  const fallback = given.default ?? before?.default_prefixlen ?? min
  const illegal = (name: string, value: number): never => {
    throw invalid(`Prefix '${value}' not supported in IPv${version} pool.`.replace('Prefix', name === '' ? 'Prefix' : 'Prefix'), { code: 'UnsupportedMinSubnetPoolPrefix' })
  }
  if (version === 4 && min < 1) illegal('min', min)
  if (version === 6 && given.min !== undefined && given.min < 1) illegal('min', min)
  if (min > bits || max > bits) illegal('max', Math.max(min, max))
  const bounds = (type: string, value: number, base: string, limit: number): never => {
    throw invalid(`Illegal prefix bounds: ${type}=${value}, ${base}=${limit}.`, { code: 'IllegalSubnetPoolPrefixBounds' })
  }
  if (min > max) bounds('min_prefixlen', min, 'max_prefixlen', max)
  if (fallback < min) bounds('default_prefixlen', fallback, 'min_prefixlen', min)
  if (fallback > max) bounds('default_prefixlen', fallback, 'max_prefixlen', max)
  return { prefixes: compact(cidrs).map(formatCidr), ip_version: version, min_prefixlen: min, max_prefixlen: max, default_prefixlen: fallback }
}

/** What an address scope asks of a pool: the same version, and no overlap with the scope's other pools. */
export async function checkScope(tx: T, scopeId: string, pool: { id: string; project_id: string; ip_version: 4 | 6; prefixes: readonly string[]; shared: boolean }, admin: boolean): Promise<void> {
  const scope = await store.addressScopes.one(tx, { id: scopeId })
  const shared = scope !== undefined && sharedTo(scope.shared_with, pool.project_id)
  if (!scope || !(admin || shared || scope.project_id === pool.project_id)) throw notFound(`Address scope ${scopeId} could not be found.`, { code: 'AddressScopeNotFound' })
  if (scope.project_id !== pool.project_id && !shared) throw invalid(`Illegal subnetpool association: subnetpool ${pool.id} cannot be associated with address scope ${scopeId}.`, { code: 'IllegalSubnetPoolAssociationToAddressScope' })
  if (scope.ip_version !== pool.ip_version) throw invalid(`Illegal subnetpool association: subnetpool ${pool.id} cannot associate with address scope ${scopeId} because subnetpool ip_version is not ${scope.ip_version}.`, { code: 'IllegalSubnetPoolIpVersionAssociationToAddressScope' })
  const others = await store.subnetpools.all(tx, { address_scope_id: scopeId, id: but(pool.id) }, ['id', 'prefixes'])
  const mine = pool.prefixes.map((one) => parseCidr(one)!)
  if (others.some((other) => (JSON.parse(other.prefixes) as string[]).some((one) => mine.some((own) => overlap(own, parseCidr(one)!))))) {
    throw conflict(`Cannot associate subnetpool ${pool.id} with address scope ${scopeId}: its prefixes overlap with another pool of the scope.`, { code: 'AddressScopePrefixConflict' })
  }
}
