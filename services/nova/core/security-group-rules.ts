/** A rule in the old form, judged and turned into Neutron's. */
import { invalid } from '#base/fault.ts'

interface Wish {
  ip_protocol?: unknown
  from_port?: unknown
  to_port?: unknown
  cidr?: unknown
  group_id?: unknown
}

/** null: all of them, which only a rule for a group may say. */
export function protocolOf({ ip_protocol, group_id }: Wish): string | null {
  if (ip_protocol === undefined || ip_protocol === null || ip_protocol === '') {
    if (group_id) return null
    throw invalid('Invalid IP protocol None.', { field: 'ip_protocol' })
  }
  const protocol = String(ip_protocol).toLowerCase()
  if (!['tcp', 'udp', 'icmp'].includes(protocol)) throw invalid(`Invalid IP protocol ${protocol.slice(0, 50)}.`, { field: 'ip_protocol' })
  return protocol
}

export function portRangeOf({ from_port, to_port, group_id }: Wish, protocol: string | null): { port_range_min?: number; port_range_max?: number } {
  const none = (port: unknown): boolean => port === undefined || port === null || port === ''
  if (none(from_port) && none(to_port)) {
    if (group_id || protocol === null) return {}
    throw invalid('From and to ports are required.', { field: 'from_port' })
  }
  const [from, to] = [whole('from_port', from_port), whole('to_port', to_port)]
  const refused = (why: string) => invalid(`Invalid port range ${from}:${to}. ${why}`, { field: 'from_port' })
  if (protocol === 'icmp') {
    // -1 is every type, or every code.
    if (from < -1 || from > 255 || to < -1 || to > 255) throw refused('For ICMP, the type:code must be valid')
    return { ...(from === -1 ? {} : { port_range_min: from }), ...(from === -1 || to === -1 ? {} : { port_range_max: to }) }
  }
  if (from === -1 && to === -1) return {}
  if (from > to) throw refused('Former value cannot be greater than the later')
  if (from < 1 || to > 65_535) throw refused(`Valid ${(protocol ?? 'port').toUpperCase()} ports should be between 1-65535`)
  return { port_range_min: from, port_range_max: to }
}

function whole(field: string, given: unknown): number {
  const text = String(given)
  if (!/^-?\d{1,10}$/.test(text)) throw invalid(`Invalid port ${text.slice(0, 50)}: not an integer.`, { field })
  return Number(text)
}

export function sourceOf({ cidr, group_id }: Wish): Record<string, string> {
  if (group_id) return { remote_group_id: String(group_id), ethertype: 'IPv4' }
  const text = cidr === undefined || cidr === null || cidr === '' ? '0.0.0.0/0' : String(cidr)
  const v4 = /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/.test(text)
  if (!v4 && !/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(\/\d{1,3})?$/.test(text)) throw invalid(`Invalid cidr ${text.slice(0, 100)}.`, { field: 'cidr' })
  return { remote_ip_prefix: text, ethertype: v4 ? 'IPv4' : 'IPv6' }
}
