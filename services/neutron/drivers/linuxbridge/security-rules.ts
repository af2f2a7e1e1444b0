/** One security group rule as an nft match. Pure. */
import { invalid } from '#base/fault.ts'
import { disjoint } from '../address.ts'
import type { SecurityRulePlan } from '../plan.ts'
import { protocolNumber } from '../protocol.ts'
import { setName } from './names.ts'

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
