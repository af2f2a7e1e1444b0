/** Giving ports their addresses. */
import { conflict, Fault, invalid } from '#base/fault.ts'
import { contains, eui64, parseCidr, parseIp } from '#neutron/core/address.ts'
import { rangesOf } from '#neutron/core/ipam.ts'
import { isAuto, type Pool } from '#neutron/core/subnet-plan.ts'
import type { Neutron } from '#neutron/house.ts'
import { freeAddress, takenOf } from '#neutron/store/addresses.ts'
import type { Q, SubnetRow, T } from '#neutron/store/tables.ts'
import { store } from '#neutron/store/store.ts'

export interface FixedIp {
  subnet_id: string
  ip_address: string
}

export interface AddressAsk {
  network_id: string
  device_owner: string
  mac_address: string
  /** Undefined: whatever the network gives. */
  fixed_ips: readonly { subnet_id?: string; ip_address?: string }[] | undefined
}

const ROUTER_OWNERS = new Set(['network:router_interface', 'network:router_interface_distributed', 'network:ha_router_replicated_interface', 'network:router_gateway', 'network:router_centralized_snat'])
export const isRouterOwner = (owner: string): boolean => ROUTER_OWNERS.has(owner)

export async function subnetsOf(db: Q, networkId: string): Promise<SubnetRow[]> {
  return store.subnets.all(db, { network_id: networkId })
}

/** Subnets that a port of this owner may use: those for its kind, and those for all. */
function serving(subnets: readonly SubnetRow[], owner: string): SubnetRow[] {
  return subnets.filter((subnet) => subnet.service_types === '[]' || (JSON.parse(subnet.service_types) as string[]).includes(owner))
}

/** Chooses the addresses; inserts nothing. Already `kept` ones are not chosen again. */
export async function chooseAddresses(house: Neutron, tx: T, ask: AddressAsk, all: readonly SubnetRow[], kept: readonly FixedIp[] = []): Promise<FixedIp[]> {
  const subnets = serving(all, ask.device_owner)
  if (ask.fixed_ips === undefined) return whatTheNetworkGives(house, tx, ask, all, subnets)
  const max = house.config.max_fixed_ips_per_port
  if (ask.fixed_ips.length + kept.length > max && !isRouterOwner(ask.device_owner)) throw invalid('Invalid input for operation: Exceeded maximum amount of fixed ips per port.', { code: 'InvalidInput', field: 'fixed_ips' })
  const named = ask.fixed_ips.flatMap((one) => one.ip_address ?? [])
  const taken = await takenOf(tx, ask.network_id, named)
  const mine = new Set([...named, ...kept.map((one) => one.ip_address)])
  const out: FixedIp[] = []
  for (const one of ask.fixed_ips) {
    const subnet = subnetFor(one, all, subnets, ask)
    if (one.ip_address !== undefined) {
      if (isAuto(subnet) && !isRouterOwner(ask.device_owner)) {
        if (one.ip_address !== eui64(parseCidr(subnet.cidr)!, ask.mac_address)) {
          throw invalid(`IPv6 address ${one.ip_address} cannot be directly assigned to a port on subnet ${subnet.id} as the subnet is configured for automatic addresses`, { code: 'AllocationOnAutoAddressSubnet' })
        }
      }
      if (taken.has(one.ip_address)) throw conflict(`IP address ${one.ip_address} already allocated in subnet ${subnet.id}`, { code: 'IpAddressAlreadyAllocated' })
      out.push({ subnet_id: subnet.id, ip_address: one.ip_address })
      continue
    }
    const given = isAuto(subnet) && !isRouterOwner(ask.device_owner) ? eui64(parseCidr(subnet.cidr)!, ask.mac_address) : await freeIn(house, tx, subnet, mine)
    if (given === undefined) throw noneLeft([subnet], ask.network_id)
    mine.add(given)
    out.push({ subnet_id: subnet.id, ip_address: given })
  }
  return out
}

async function whatTheNetworkGives(house: Neutron, tx: T, ask: AddressAsk, all: readonly SubnetRow[], subnets: readonly SubnetRow[]): Promise<FixedIp[]> {
  if (all.length > 0 && subnets.length === 0) {
    throw conflict(`No valid service subnet for the given device owner, network ${ask.network_id}, service type ${ask.device_owner}.`, { code: 'IpAddressGenerationFailureNoMatchingSubnet' })
  }
  const out: FixedIp[] = []
  for (const version of [4, 6]) {
    const pools = subnets.filter((subnet) => subnet.ip_version === version && !isAuto(subnet))
    if (pools.length === 0) continue
    let found: FixedIp | undefined
    for (const subnet of pools) {
      const address = await freeIn(house, tx, subnet, new Set())
      if (address !== undefined) {
        found = { subnet_id: subnet.id, ip_address: address }
        break
      }
    }
    if (!found) throw noneLeft(pools, ask.network_id)
    out.push(found)
  }
  if (!isRouterOwner(ask.device_owner)) {
    for (const subnet of subnets) if (isAuto(subnet)) out.push({ subnet_id: subnet.id, ip_address: eui64(parseCidr(subnet.cidr)!, ask.mac_address) })
  }
  return out
}

async function freeIn(house: Neutron, tx: T, subnet: SubnetRow, mine: ReadonlySet<string>): Promise<string | undefined> {
  const ranges = rangesOf(JSON.parse(subnet.allocation_pools) as Pool[])
  if (ranges.size === 0n) return undefined
  return freeAddress(tx, subnet.network_id, subnet.id, ranges, house.world.random, mine)
}

function noneLeft(subnets: readonly SubnetRow[], networkId: string): Fault {
  return conflict(subnets.length === 1 ? `No more IP addresses available for subnet ${subnets[0]!.id}.` : `No more IP addresses available on network ${networkId}.`, { code: 'IpAddressGenerationFailure' })
}

function subnetFor(one: { subnet_id?: string; ip_address?: string }, all: readonly SubnetRow[], subnets: readonly SubnetRow[], ask: AddressAsk): SubnetRow {
  const ip = one.ip_address === undefined ? undefined : parseIp(one.ip_address)!
  if (one.subnet_id !== undefined) {
    const subnet = all.find((each) => each.id === one.subnet_id)
    if (!subnet) throw invalid(`Invalid input for operation: Failed to create port on network ${ask.network_id}, because fixed_ips included invalid subnet ${one.subnet_id}.`, { code: 'InvalidInput', field: 'fixed_ips' })
    if (ip && !validIn(subnet, ip)) throw invalid(`IP address ${one.ip_address!} is not a valid IP for the specified subnet.`, { code: 'InvalidIpForSubnet' })
    return subnet
  }
  if (!ip) throw invalid('Invalid input for operation: IP allocation requires subnet_id or ip_address.', { code: 'InvalidInput', field: 'fixed_ips' })
  const found = (subnets.length > 0 ? subnets : all).find((each) => validIn(each, ip)) ?? all.find((each) => validIn(each, ip))
  if (!found) throw invalid(`IP address ${one.ip_address!} is not a valid IP for any of the subnets on the specified network.`, { code: 'InvalidIpForNetwork' })
  return found
}

function validIn(subnet: SubnetRow, ip: NonNullable<ReturnType<typeof parseIp>>): boolean {
  const cidr = parseCidr(subnet.cidr)!
  if (!contains(cidr, ip)) return false
  return cidr.version === 6 ? cidr.prefixlen >= 127 || ip.value !== cidr.first : cidr.prefixlen >= 31 || (ip.value !== cidr.first && ip.value !== cidr.last)
}
