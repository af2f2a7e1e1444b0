/** Judging subnets: gateway, pools, modes; and the defaults of what was not said. Words and conflicts as Neutron's. */
import { conflict, type Fault, invalid } from '#base/fault.ts'
import { type Cidr, contains, formatCidr, ipText, overlap, parseCidr, parseIp } from './address.ts'

export interface Pool {
  start: string
  end: string
}

export interface SubnetAsk {
  ip_version: 4 | 6
  enable_dhcp: boolean
  gateway_ip: string | null | undefined
  allocation_pools: readonly Pool[] | null | undefined
  ipv6_ra_mode: string | null
  ipv6_address_mode: string | null
  dns_nameservers: readonly string[]
  host_routes: readonly { destination: string; nexthop: string }[]
}

export const refuse = (text: string, field?: string): Fault => invalid(`Invalid input for operation: ${text}.`, { code: 'InvalidInput', ...(field === undefined ? {} : { field }) })

/** True when hosts give themselves their addresses (SLAAC, stateless DHCPv6). */
export function isAuto(subnet: { ipv6_address_mode: string | null }): boolean {
  return subnet.ipv6_address_mode === 'slaac' || subnet.ipv6_address_mode === 'dhcpv6-stateless'
}

export function checkSubnet(ask: SubnetAsk, cidr: Cidr, limits: { dns: number; routes: number }): void {
  if (cidr.version !== ask.ip_version) throw refuse(`cidr ${formatCidr(cidr)} does not match the ip_version ${ask.ip_version}`, 'cidr')
  if (cidr.prefixlen === 0) throw refuse('0 is not allowed as CIDR prefix length', 'cidr')
  if (ask.enable_dhcp) {
    if (cidr.prefixlen > (ask.ip_version === 4 ? 30 : 126)) throw refuse('Subnet has a prefix length that is incompatible with DHCP service enabled', 'cidr')
    const first = ipText(cidr.version, cidr.first)
    if (/^(22[4-9]|23\d)\.|^ff/i.test(first)) throw refuse('Multicast IP subnet is not supported if enable_dhcp is True', 'cidr')
    if (/^127\.|^::1$/.test(first)) throw refuse('Loopback IP subnet is not supported if enable_dhcp is True', 'cidr')
  }
  checkModes(ask, cidr)
  if (ask.gateway_ip !== null && ask.gateway_ip !== undefined) checkGateway(ask.gateway_ip, cidr)
  if (ask.dns_nameservers.length > limits.dns) throw invalid(`Unable to complete operation for subnet. The number of DNS nameservers exceeds the limit ${limits.dns}.`, { code: 'DNSNameServersExhausted' })
  for (const server of ask.dns_nameservers) if (parseIp(server)!.version !== ask.ip_version) throw refuse(`dns_nameserver '${server}' does not match the ip_version '${ask.ip_version}'`, 'dns_nameservers')
  if (ask.host_routes.length > limits.routes) throw invalid(`Unable to complete operation for subnet. The number of host routes exceeds the limit ${limits.routes}.`, { code: 'HostRoutesExhausted' })
  for (const { destination, nexthop } of ask.host_routes) {
    if (parseIp(nexthop)!.version !== ask.ip_version || parseCidr(destination)!.version !== ask.ip_version) throw refuse(`host_routes '${destination}' via '${nexthop}' does not match the ip_version '${ask.ip_version}'`, 'host_routes')
  }
}

function checkModes(ask: SubnetAsk, cidr: Cidr): void {
  const { ipv6_ra_mode: ra, ipv6_address_mode: address } = ask
  if (ra === null && address === null) return
  if (ask.ip_version === 4) throw refuse(`${ra !== null ? 'ipv6_ra_mode' : 'ipv6_address_mode'} is not valid when ip_version is 4`)
  if (!ask.enable_dhcp) throw refuse('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False')
  if (ra !== null && address !== null && ra !== address) {
    throw refuse(`ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${address}' is not valid. If both attributes are set, they must be the same value`)
  }
  if (isAuto({ ipv6_address_mode: address ?? ra }) && cidr.prefixlen !== 64) {
    throw refuse(`Invalid CIDR ${formatCidr(cidr)} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64`, 'cidr')
  }
}

export function checkGateway(gateway: string, cidr: Cidr): void {
  const ip = parseIp(gateway)!
  if (ip.version !== cidr.version) throw refuse(`gateway_ip '${gateway}' does not match the ip_version '${cidr.version}'`, 'gateway_ip')
  if (cidr.version === 4 && cidr.prefixlen < 31 && (ip.value === cidr.first || ip.value === cidr.last)) throw refuse('Gateway is not valid on subnet', 'gateway_ip')
  if (cidr.version === 6 && cidr.prefixlen < 127 && ip.value === cidr.first) throw refuse('Gateway is not valid on subnet', 'gateway_ip')
}

export function defaultGateway(cidr: Cidr): string {
  return ipText(cidr.version, cidr.prefixlen >= (cidr.version === 4 ? 31 : 127) ? cidr.first : cidr.first + 1n)
}

/** Everything that a host may have, the gateway taken out. */
export function defaultPools(cidr: Cidr, gateway: string | null): Pool[] {
  const tiny = cidr.prefixlen >= (cidr.version === 4 ? 31 : 127)
  const first = tiny ? cidr.first : cidr.first + 1n
  const last = tiny || cidr.version === 6 ? cidr.last : cidr.last - 1n
  const pool = (from: bigint, to: bigint): Pool[] => (from <= to ? [{ start: ipText(cidr.version, from), end: ipText(cidr.version, to) }] : [])
  const ip = gateway === null ? undefined : parseIp(gateway)
  if (!ip || !contains(cidr, ip)) return pool(first, last)
  return [...pool(first, ip.value - 1n), ...pool(ip.value + 1n, last)]
}

const poolText = (pool: Pool): string => `${pool.start}-${pool.end}`

export function checkPools(pools: readonly Pool[], cidr: Cidr): void {
  const ranges = pools.map((pool) => ({ pool, start: parseIp(pool.start)!, end: parseIp(pool.end)! }))
  for (const { pool, start, end } of ranges) {
    if (start.version !== end.version || end.value < start.value) throw invalid(`The allocation pool ${poolText(pool)} is not valid.`, { code: 'InvalidAllocationPool' })
    const usable = cidr.version === 4 && cidr.prefixlen < 31 ? { first: cidr.first + 1n, last: cidr.last - 1n } : { first: cidr.first, last: cidr.last }
    if (start.version !== cidr.version || start.value < usable.first || end.value > usable.last) {
      throw invalid(`The allocation pool ${poolText(pool)} spans beyond the subnet cidr ${formatCidr(cidr)}.`, { code: 'OutOfBoundsAllocationPool' })
    }
  }
  ranges.sort((a, b) => (a.start.value < b.start.value ? -1 : 1))
  for (const [i, one] of ranges.entries()) {
    const next = ranges[i + 1]
    if (next && next.start.value <= one.end.value) throw conflict(`Found overlapping allocation pools: ${poolText(one.pool)} ${poolText(next.pool)} for subnet ${formatCidr(cidr)}.`, { code: 'OverlappingAllocationPools' })
  }
}

export function checkGatewayOutside(gateway: string | null, pools: readonly Pool[]): void {
  if (gateway === null) return
  const ip = parseIp(gateway)!
  const hit = pools.find((pool) => parseIp(pool.start)!.version === ip.version && parseIp(pool.start)!.value <= ip.value && parseIp(pool.end)!.value >= ip.value)
  if (hit) throw conflict(`Gateway ip ${gateway} conflicts with allocation pool ${poolText(hit)}.`, { code: 'GatewayConflictWithAllocationPools' })
}

export function checkOverlap(cidr: Cidr, others: readonly string[], networkId: string): void {
  const hit = others.some((other) => overlap(cidr, parseCidr(other)!))
  if (hit) throw refuse(`Requested subnet with cidr: ${formatCidr(cidr)} for network: ${networkId} overlaps with another subnet`, 'cidr')
}
