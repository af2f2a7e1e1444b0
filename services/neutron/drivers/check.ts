/** What every driver refuses: plans that make no sense, and values that could mean more than one thing to a tool (threat A20). Pure. */
import { invalid } from '#base/fault.ts'
import { parseAddress, parseMac, parsePrefix } from './address.ts'
import type { DhcpPlan, DhcpReservation, NetworkPlan, PortPlan, QosPlan, RouterPlan } from './plan.ts'
import { protocolNumber } from './protocol.ts'

/** Throws `invalid`. */
export function checkPort(port: PortPlan, network: NetworkPlan): void {
  if (port.network_id !== network.id) throw invalid(`Port ${port.id} is not on network ${network.id}`, { field: 'network_id' })
  parseMac(port.mac_address)
  for (const { ip_address } of port.fixed_ips) parseAddress(ip_address)
  for (const pair of port.allowed_address_pairs) {
    parsePrefix(pair.ip_address)
    if (pair.mac_address !== undefined) parseMac(pair.mac_address)
  }
  if (port.qos) checkQos(port.qos)
  for (const rule of port.security_rules) {
    protocolNumber(rule.protocol, rule.ethertype === 'IPv4' ? 4 : 6)
    for (const prefix of rule.remote_prefixes ?? []) parsePrefix(prefix)
  }
}

/** Throws `invalid`. */
export function checkDhcp(plan: DhcpPlan): void {
  parseMac(plan.port.mac_address)
  for (const reservation of plan.reservations) {
    parseMac(reservation.mac_address)
    for (const { ip_address } of reservation.fixed_ips) hostName(reservation, parseAddress(ip_address))
    for (const opt of reservation.extra_dhcp_opts) checkDhcpOption(opt)
  }
}

/** Throws `invalid`. */
export function checkRouter(router: RouterPlan): void {
  for (const { mac_address, fixed_ips } of [...router.interfaces, ...(router.gateway ? [router.gateway] : [])]) {
    parseMac(mac_address)
    for (const { ip_address } of fixed_ips) parseAddress(ip_address)
  }
  for (const { floating_ip_address, fixed_ip_address } of router.floating_ips) {
    parseAddress(floating_ip_address)
    parseAddress(fixed_ip_address)
  }
  for (const { destination, nexthop } of router.routes) {
    parsePrefix(destination)
    parseAddress(nexthop)
  }
  for (const { ip_address, ...limit } of router.limits ?? []) {
    parseAddress(ip_address)
    checkQos(limit)
  }
  for (const { helper, protocol, port } of router.conntrack_helpers ?? []) {
    if (!/^[a-z0-9][a-z0-9-]{0,14}$/.test(helper) || !['tcp', 'udp'].includes(protocol)) throw invalid(`'${helper}' over ${protocol} is no helper`, { field: 'helper' })
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalid(`${port} is not a port`, { field: 'port' })
  }
  for (const address of router.ndp_proxies ?? []) parseAddress(address)
}

function checkQos(qos: QosPlan): void {
  for (const [field, value] of Object.entries(qos) as [string, number][]) if (!Number.isInteger(value) || value < 0) throw invalid(`${field} must be a whole number`, { field })
  if ((qos.dscp_mark ?? 0) > 63) throw invalid(`${qos.dscp_mark} is not a differentiated services code point`, { field: 'dscp_mark' })
}

/** `dns_name`, or the name that Neutron gives: `host-10-0-0-5`. Throws `invalid`. */
export function hostName(port: DhcpReservation, address: string): string {
  if (port.hostname === undefined || port.hostname === '') return `host-${address.replaceAll(/[.:]/g, '-')}`.replace(/-+$/, '')
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(port.hostname)) throw invalid(`'${port.hostname}' is not a host name`, { field: 'dns_name' })
  return port.hostname
}

/** For the API too: throws `invalid` for an option that could say more than one thing to the DHCP server. */
export function checkDhcpOption(opt: { opt_name: string; opt_value: string }): void {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/i.test(opt.opt_name)) throw invalid(`'${opt.opt_name}' is not the name or number of a DHCP option`, { field: 'opt_name' })
  // Line breaks begin a new option, and a byte over 255 does not fit.
  if (/[^\x20-\x7e]/.test(opt.opt_value) || opt.opt_value.length > 255) throw invalid('The value of a DHCP option may hold up to 255 printable ASCII characters', { field: 'opt_value' })
}
