/** IP protocols as security group rules name them. Pure. */
import { invalid } from '#base/fault.ts'

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

/** Undefined for any protocol. Throws `invalid` for a name that nobody knows. */
export function protocolNumber(protocol: string | null, family: 4 | 6): number | undefined {
  if (protocol === null || protocol === 'any') return undefined
  const number = /^\d{1,3}$/.test(protocol) ? Number(protocol) : PROTOCOLS[protocol]
  if (number === undefined || number > 255) throw invalid(`Security group rule protocol '${protocol}' is not known`, { field: 'protocol' })
  // `icmp` with IPv6 means ICMPv6 on the wire.
  return number === 1 && family === 6 ? 58 : number
}
