/** Makers of plans for tests: every part has a default, and ids are made from a word, so that a failure can be read. */
import { createHash } from 'node:crypto'
import type { DhcpPlan, NetworkPlan, PortPlan, RouterInterfacePlan, RouterPlan, SecurityRulePlan, SubnetPlan } from './plan.ts'

/** The same UUID for the same word. */
export function id(word: string): string {
  const hex = createHash('sha256').update(word).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export function mac(word: string): string {
  const hex = createHash('sha256').update(word).digest('hex')
  return `fa:16:3e:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`
}

export function subnet(cidr: string, more: Partial<SubnetPlan> = {}): SubnetPlan {
  const six = cidr.includes(':')
  return {
    id: id(`subnet ${cidr}`),
    cidr,
    ip_version: six ? 6 : 4,
    gateway_ip: six ? cidr.replace(/\/.*/, '1') : cidr.replace(/\.0\/.*/, '.1'),
    enable_dhcp: true,
    dns_nameservers: [],
    host_routes: [],
    ipv6_ra_mode: null,
    ipv6_address_mode: null,
    ...more,
  }
}

export function network(name: string, subnets: readonly SubnetPlan[], more: Partial<NetworkPlan> = {}): NetworkPlan {
  return {
    id: id(`network ${name}`),
    network_type: 'vxlan',
    segmentation_id: Number.parseInt(id(name).slice(0, 4), 16) + 1,
    physical_network: null,
    mtu: 1450,
    subnets,
    external: false,
    vteps: [],
    fdb: [],
    ...more,
  }
}

const everything = (direction: 'ingress' | 'egress', ethertype: 'IPv4' | 'IPv6'): SecurityRulePlan => ({ direction, ethertype, protocol: null, port_range_min: null, port_range_max: null })
export const allowEgress: readonly SecurityRulePlan[] = [everything('egress', 'IPv4'), everything('egress', 'IPv6')]
export const allowAll: readonly SecurityRulePlan[] = [...allowEgress, everything('ingress', 'IPv4'), everything('ingress', 'IPv6')]

/** A port with one address in each subnet of its network that has a fitting family. */
export function port(name: string, on: NetworkPlan, addresses: readonly string[], more: Partial<PortPlan> = {}): PortPlan {
  return {
    id: id(`port ${name}`),
    network_id: on.id,
    mac_address: mac(name),
    fixed_ips: addresses.map((ip_address) => ({ ip_address, subnet_id: on.subnets.find(({ ip_version }) => (ip_version === 6) === ip_address.includes(':'))!.id })),
    device_owner: 'compute:nova',
    device_id: id(`server ${name}`),
    admin_state_up: true,
    port_security_enabled: true,
    allowed_address_pairs: [],
    security_rules: allowAll,
    ...more,
  }
}

export function leg(name: string, on: NetworkPlan, addresses: readonly string[]): RouterInterfacePlan {
  const { id: port_id, mac_address, fixed_ips } = port(name, on, addresses)
  return { port_id, network: on, mac_address, fixed_ips }
}

export function router(name: string, more: Partial<RouterPlan> = {}): RouterPlan {
  return { id: id(`router ${name}`), admin_state_up: true, interfaces: [], gateway: null, floating_ips: [], port_forwardings: [], routes: [], ...more }
}

export function dhcp(on: NetworkPlan, addresses: readonly string[], ports: readonly PortPlan[], more: Partial<DhcpPlan> = {}): DhcpPlan {
  const { id: own, mac_address, fixed_ips } = port(`dhcp ${on.id}`, on, addresses)
  return {
    network: on,
    port: { id: own, mac_address, fixed_ips },
    reservations: ports.map((one) => ({ port_id: one.id, mac_address: one.mac_address, fixed_ips: one.fixed_ips, extra_dhcp_opts: [] })),
    ...more,
  }
}
