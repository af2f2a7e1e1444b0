/** One security group rule as an nft match. Pure. */
import { invalid } from '#base/fault.ts'
import { disjoint } from '../address.ts'
import type { SecurityRulePlan } from '../plan.ts'
import { setName } from './names.ts'

/** IP protocol numbers of the names that the wire knows. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  icmp: 1,
  icmpv6: 58,
  'ipv6-icmp': 58,
  igmp: 2,
  ipip: 4,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
  ospf: 89,
  pgm: 113,
  rsvp: 46,
  sctp: 132,
  tcp: 6,
  udp: 17,
  udplite: 136,
  vrrp: 112,
}
const WITH_PORTS = new Set([6, 17, 33, 132, 136])

/** No match at all when the rule names remotes and there are none of its family: such a rule lets nobody in. Throws `invalid`. */
export function ruleMatches(rule: SecurityRulePlan): string[] {
  const family = rule.ethertype === 'IPv4' ? 4 : 6
  const parts = [`meta nfproto ipv${family}`]
  const side = `${family === 4 ? 'ip' : 'ip6'} ${rule.direction === 'ingress' ? 'saddr' : 'daddr'}`
  if (rule.remote_prefixes !== undefined) {
    const remotes = disjoint(rule.remote_prefixes, family)
    if (remotes.length === 0) return []
    if (!remotes[0]!.endsWith('/0')) parts.push(`${side} { ${remotes.join(', ')} }`)
  }
  if (rule.remote_set !== undefined) parts.push(`${side} @${setName(family, rule.remote_set)}`)
  const protocol = protocolNumber(rule.protocol, family)
  if (protocol !== undefined) parts.push(`meta l4proto ${protocol}`, ...ports(rule, protocol))
  return [parts.join(' ')]
}

function protocolNumber(protocol: string | null, family: 4 | 6): number | undefined {
  if (protocol === null || protocol === 'any') return undefined
  const number = /^\d{1,3}$/.test(protocol) ? Number(protocol) : PROTOCOLS[protocol]
  if (number === undefined || number > 255) throw invalid(`Security group rule protocol '${protocol}' is not known`, { field: 'protocol' })
  // `icmp` with IPv6 means ICMPv6 on the wire.
  return number === 1 && family === 6 ? 58 : number
}

function ports(rule: SecurityRulePlan, protocol: number): string[] {
  const { port_range_min: low, port_range_max: high } = rule
  if (low === null && high === null) return []
  if (protocol === 1 || protocol === 58) {
    const field = protocol === 1 ? 'icmp' : 'icmpv6'
    const type = low ?? undefined
    return [...(type === undefined ? [] : [`${field} type ${within(type, 255)}`]), ...(high === null ? [] : [`${field} code ${within(high, 255)}`])]
  }
  if (!WITH_PORTS.has(protocol)) return []
  const from = within(low ?? 0, 65535)
  const to = within(high ?? 65535, 65535)
  return [from === to ? `th dport ${from}` : `th dport ${from}-${to}`]
}

function within(value: number, limit: number): number {
  if (!Number.isInteger(value) || value < 0 || value > limit) throw invalid(`${value} is not between 0 and ${limit}`, { field: 'port_range_min' })
  return value
}
