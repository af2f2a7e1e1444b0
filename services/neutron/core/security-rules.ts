/** Judging a security group rule: protocols, ports, ICMP types, families. Words and conflicts as Neutron's. */
import { type Fault, invalid } from '#base/fault.ts'
import { formatCidr, parseCidr } from './address.ts'
import { repr } from '#stack/schema.ts'

/** Names of protocols with their numbers. */
export const PROTOCOLS: Readonly<Record<string, number>> = {
  ah: 51, dccp: 33, egp: 8, esp: 50, gre: 47, icmp: 1, icmpv6: 58, igmp: 2, ip: 0, ipip: 4, 'ipv6-encap': 41, 'ipv6-frag': 44, 'ipv6-icmp': 58, 'ipv6-nonxt': 59,
  'ipv6-opts': 60, 'ipv6-route': 43, ospf: 89, pgm: 113, rsvp: 46, sctp: 132, tcp: 6, udp: 17, udplite: 136, vrrp: 112,
}

export interface RuleAsk {
  direction: string
  ethertype: string
  protocol: string | null
  port_range_min: number | null
  port_range_max: number | null
  remote_ip_prefix: string | null
  remote_group_id: string | null
  remote_address_group_id: string | null
}

const WITH_PORTS = new Set([6, 17, 33, 132, 136])
const ONLY_V6 = new Set([41, 43, 44, 58, 59, 60])
const ANY = new Set(['any', '0'])

export function protocolNumber(protocol: string): number | undefined {
  return /^\d+$/.test(protocol) ? Number(protocol) : PROTOCOLS[protocol]
}

/** The rule as it is stored. Throws what is wrong with it. */
export function checkRule(given: RuleAsk): RuleAsk & { normalized_cidr: string | null } {
  const rule = { ...given }
  if (rule.ethertype !== 'IPv4' && rule.ethertype !== 'IPv6') throw fault('SecurityGroupRuleInvalidEtherType', `Security group rule for ethertype '${rule.ethertype}' not supported. Allowed values are ['IPv4', 'IPv6'].`)
  if (rule.protocol !== null && ANY.has(rule.protocol)) rule.protocol = rule.protocol === 'any' ? null : rule.protocol
  const number = rule.protocol === null ? undefined : protocolNumber(rule.protocol)
  if (rule.protocol !== null && number === undefined) {
    throw fault('SecurityGroupRuleInvalidProtocol', `Security group rule protocol ${rule.protocol} not supported. Only protocol values [None, ${Object.keys(PROTOCOLS).map((one) => repr(one)).join(', ')}] and integer representations [0 to 255] are supported.`)
  }
  if (ONLY_V6.has(number ?? -1) && rule.ethertype === 'IPv4') {
    throw fault('SecurityGroupEthertypeConflictWithProtocol', `Invalid ethertype ${rule.ethertype} for protocol ${rule.protocol}.`)
  }
  const remotes = [rule.remote_ip_prefix, rule.remote_group_id, rule.remote_address_group_id].filter((one) => one !== null && one !== undefined)
  if (remotes.length > 1) throw fault('SecurityGroupMultipleRemoteEntitites', 'Only one of remote_ip_prefix, remote_group_id or remote_address_group_id may be provided.')
  ports(rule, number)
  let normalized_cidr: string | null = null
  if (rule.remote_ip_prefix !== null) {
    const prefix = parseCidr(rule.remote_ip_prefix)!
    if ((prefix.version === 4) !== (rule.ethertype === 'IPv4')) throw fault('SecurityGroupRuleParameterConflict', `Conflicting value ethertype ${rule.ethertype} for CIDR ${rule.remote_ip_prefix}`)
    normalized_cidr = formatCidr(prefix)
  }
  return { ...rule, normalized_cidr }
}

function ports(rule: RuleAsk, number: number | undefined): void {
  const { port_range_min: min, port_range_max: max } = rule
  if (min === null && max === null) return
  if (rule.protocol === null) throw fault('SecurityGroupProtocolRequiredWithPorts', 'Must also specify protocol if port range is given.')
  if (WITH_PORTS.has(number!)) {
    if (min !== null && max !== null && min <= max && min >= 0) {
      if (min === 0 || max === 0) throw fault('SecurityGroupInvalidProtocolForPort', `Invalid port 0 for protocol ${rule.protocol}: must be in the range [1, 65535].`.replace('Invalid port 0', 'Invalid port number 0'))
      if (max > 65535) throw fault('SecurityGroupInvalidPortValue', `Invalid value for port ${max}`)
      return
    }
    for (const one of [min, max]) if (one !== null && (one < 0 || one > 65535)) throw fault('SecurityGroupInvalidPortValue', `Invalid value for port ${one}`)
    throw fault('SecurityGroupInvalidPortRange', 'For TCP/UDP protocols, port_range_min must be <= port_range_max')
  }
  if (number === 1 || number === 58) {
    for (const [field, value, label] of [['port_range_min', min, 'ICMP type'], ['port_range_max', max, 'ICMP code']] as const) {
      if (value !== null && (value < 0 || value > 255)) throw fault('SecurityGroupInvalidIcmpValue', `Invalid value for ${label} (${field}) ${value}. It must be 0 to 255.`)
    }
    if (min === null && max !== null) throw fault('SecurityGroupMissingIcmpType', `ICMP code (port-range-max) ${max} is provided but ICMP type (port-range-min) is missing.`)
    return
  }
  throw fault('SecurityGroupInvalidProtocolForPort', `Ports cannot be specified for protocol ${rule.protocol}. Ports are only supported for ['tcp', 'udp', 'udplite', 'sctp', 'dccp'].`)
}

function fault(code: string, message: string): Fault {
  return invalid(message, { code })
}

/** What makes two rules the same rule. */
export function ruleKey(rule: RuleAsk): string {
  const protocol = rule.protocol === null ? null : (protocolNumber(rule.protocol) ?? rule.protocol)
  const prefix = rule.remote_ip_prefix === null ? null : formatCidr(parseCidr(rule.remote_ip_prefix)!)
  return JSON.stringify([rule.direction, rule.ethertype, protocol, rule.port_range_min, rule.port_range_max, prefix, rule.remote_group_id, rule.remote_address_group_id])
}
