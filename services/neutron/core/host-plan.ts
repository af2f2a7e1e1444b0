/** From rows to what a host should carry. Pure: everything was read before. */
import type { AddressLimitPlan, AddressSetPlan, DhcpPlan, DhcpReservation, HostPlan, Ipv6Mode, NetworkPlan, PortPlan, QosPlan, RouterInterfacePlan, RouterPlan, SecurityRulePlan, SubnetPlan } from '#neutron/drivers/plan.ts'

/** Rows, told apart by what they are; the shapes of the store, without the store. */
export interface PlanNetwork {
  id: string
  'provider:network_type': string
  'provider:segmentation_id': number | null
  'provider:physical_network': string | null
  mtu: number
  admin_state_up: number
  'router:external': number
  dns_domain: string
}

export interface PlanSubnet {
  id: string
  network_id: string
  cidr: string
  ip_version: 4 | 6
  gateway_ip: string | null
  enable_dhcp: number
  dns_nameservers: string
  host_routes: string
  ipv6_ra_mode: string | null
  ipv6_address_mode: string | null
}

export interface PlanPort {
  id: string
  network_id: string
  mac_address: string
  fixed_ips: string
  device_owner: string
  device_id: string
  admin_state_up: number
  port_security_enabled: number
  allowed_address_pairs: string
  security_groups: string
  extra_dhcp_opts: string
  dns_name: string
  qos_policy_id: string | null
  qos_network_policy_id: string | null
  'binding:host_id': string
}

/** What DHCP must know of a port. */
export const DHCP_FACTS = ['id', 'network_id', 'mac_address', 'fixed_ips', 'device_owner', 'extra_dhcp_opts', 'dns_name'] as const
export type DhcpPort = Pick<PlanPort, (typeof DHCP_FACTS)[number]>

export interface PlanRule {
  security_group_id: string
  direction: string
  ethertype: string
  protocol: string | null
  port_range_min: number | null
  port_range_max: number | null
  normalized_cidr: string | null
  remote_group_id: string | null
  remote_address_group_id: string | null
}

export interface PlanQosRule {
  qos_policy_id: string
  type: string
  direction: string | null
  max_kbps: number | null
  max_burst_kbps: number | null
  max_kpps: number | null
  max_burst_kpps: number | null
  dscp_mark: number | null
}

export interface PlanRouter {
  id: string
  admin_state_up: number
  external_gateway_info: string
  routes: string
  gw_port_id: string | null
}

export interface PlanFacts {
  networks: ReadonlyMap<string, PlanNetwork>
  subnets: ReadonlyMap<string, readonly PlanSubnet[]>
  /** Rules by group. */
  rules: ReadonlyMap<string, readonly PlanRule[]>
  stateless: ReadonlySet<string>
  /** Rules that limit, by policy. */
  limits: ReadonlyMap<string, readonly PlanQosRule[]>
  sets: readonly AddressSetPlan[]
  vteps: ReadonlyMap<string, readonly { ip: string }[]>
  fdb: ReadonlyMap<string, readonly { mac_address: string; ip: string }[]>
  dns_servers: readonly string[]
  /** Where a subport of a trunk hangs, by its id. */
  subports: ReadonlyMap<string, { parent_port_id: string; segmentation_id: number }>
}

const list = <Element>(text: string): Element[] => JSON.parse(text) as Element[]

export function subnetPlan(subnet: PlanSubnet, dnsServers: readonly string[]): SubnetPlan {
  const servers = list<string>(subnet.dns_nameservers)
  return {
    id: subnet.id,
    cidr: subnet.cidr,
    ip_version: subnet.ip_version,
    gateway_ip: subnet.gateway_ip,
    enable_dhcp: subnet.enable_dhcp === 1,
    dns_nameservers: servers.length > 0 ? servers : dnsServers,
    host_routes: list(subnet.host_routes),
    ipv6_ra_mode: subnet.ipv6_ra_mode as Ipv6Mode | null,
    ipv6_address_mode: subnet.ipv6_address_mode as Ipv6Mode | null,
  }
}

export function networkPlan(id: string, facts: PlanFacts): NetworkPlan | undefined {
  const network = facts.networks.get(id)
  if (!network) return undefined
  return {
    id,
    network_type: (network['provider:network_type'] || 'local') as NetworkPlan['network_type'],
    segmentation_id: network['provider:segmentation_id'],
    physical_network: network['provider:physical_network'],
    mtu: network.mtu,
    subnets: (facts.subnets.get(id) ?? []).map((subnet) => subnetPlan(subnet, facts.dns_servers)),
    external: network['router:external'] === 1,
    vteps: facts.vteps.get(id) ?? [],
    fdb: facts.fdb.get(id) ?? [],
  }
}

export function portPlan(port: PlanPort, facts: PlanFacts): PortPlan {
  const groups = list<string>(port.security_groups)
  const trunk = facts.subports.get(port.id)
  const qos = qosPlan(facts.limits.get(port.qos_policy_id ?? port.qos_network_policy_id ?? ''))
  return {
    id: port.id,
    network_id: port.network_id,
    mac_address: port.mac_address,
    fixed_ips: list(port.fixed_ips),
    device_owner: port.device_owner,
    device_id: port.device_id,
    admin_state_up: port.admin_state_up === 1 && facts.networks.get(port.network_id)?.admin_state_up !== 0,
    port_security_enabled: port.port_security_enabled === 1,
    allowed_address_pairs: list(port.allowed_address_pairs),
    security_rules: groups.flatMap((group) => (facts.rules.get(group) ?? []).map(rulePlan)),
    ...(groups.some((group) => facts.stateless.has(group)) ? { stateful: false } : {}),
    ...(trunk ? { vif: { kind: 'vlan' as const, ...trunk } } : {}),
    ...(qos ? { qos } : {}),
  }
}

function rulePlan(rule: PlanRule): SecurityRulePlan {
  const set = rule.remote_group_id ?? rule.remote_address_group_id
  return {
    direction: rule.direction as SecurityRulePlan['direction'],
    ethertype: rule.ethertype as SecurityRulePlan['ethertype'],
    protocol: rule.protocol,
    port_range_min: rule.port_range_min,
    port_range_max: rule.port_range_max,
    ...(rule.normalized_cidr === null ? {} : { remote_prefixes: [rule.normalized_cidr] }),
    ...(set === null ? {} : { remote_set: set }),
  }
}

function qosPlan(rules: readonly PlanQosRule[] | undefined): QosPlan | undefined {
  const plan: QosPlan = {}
  for (const rule of rules ?? []) {
    const direction = rule.direction === 'ingress' ? 'ingress' : 'egress'
    if (rule.type === 'dscp_marking' && rule.dscp_mark !== null) plan.dscp_mark = rule.dscp_mark
    if (rule.type === 'bandwidth_limit' && rule.max_kbps !== null) {
      plan[`${direction}_kbps`] = rule.max_kbps
      if (rule.max_burst_kbps) plan[`${direction}_burst_kb`] = rule.max_burst_kbps
    }
    if (rule.type === 'packet_rate_limit' && rule.max_kpps !== null) {
      plan[`${direction}_kpps`] = rule.max_kpps
      if (rule.max_burst_kpps) plan[`${direction}_burst_kpps`] = rule.max_burst_kpps
    }
  }
  return Object.keys(plan).length > 0 ? plan : undefined
}

/** DHCP of a network: answers to every port that is no device of the network's own. */
export function dhcpPlan(port: DhcpPort, others: readonly DhcpPort[], facts: PlanFacts, domain: string): DhcpPlan | undefined {
  const network = networkPlan(port.network_id, facts)
  if (!network) return undefined
  const reservations = others
    .filter((one) => one.network_id === port.network_id && !one.device_owner.startsWith('network:') && one.fixed_ips !== '[]')
    .map(
      (one): DhcpReservation => ({
        port_id: one.id,
        mac_address: one.mac_address,
        fixed_ips: list(one.fixed_ips),
        extra_dhcp_opts: list(one.extra_dhcp_opts),
        ...(one.dns_name === '' ? {} : { hostname: one.dns_name }),
      }),
    )
  return { network, port: { id: port.id, mac_address: port.mac_address, fixed_ips: list(port.fixed_ips) }, reservations, dns_domain: (facts.networks.get(port.network_id)!.dns_domain || domain).replace(/\.$/, '') }
}

export interface RouterParts {
  router: PlanRouter
  ports: readonly PlanPort[]
  floating: readonly { floating_ip_address: string; fixed_ip_address: string | null; qos_policy_id: string | null }[]
  forwards: readonly { floating_ip_address: string; protocol: string; external_port: number | null; internal_ip_address: string; internal_port: number | null }[]
  helpers: readonly { protocol: string; port: number; helper: string }[]
  proxies: readonly { ip_address: string }[]
}

/** The policies that limit a router's addresses outside. */
export function routerPolicies({ router, floating }: RouterParts): string[] {
  return [...floating.flatMap((one) => one.qos_policy_id ?? []), ...(gatewayInfo(router)?.qos_policy_id ? [gatewayInfo(router)!.qos_policy_id!] : [])]
}

const gatewayInfo = (router: PlanRouter): { enable_snat?: boolean; qos_policy_id?: string | null } | null => JSON.parse(router.external_gateway_info) as { enable_snat?: boolean } | null

export function routerPlan({ router, ports, floating, forwards, helpers, proxies }: RouterParts, facts: PlanFacts): RouterPlan {
  const side = (port: PlanPort): RouterInterfacePlan[] => {
    const network = networkPlan(port.network_id, facts)
    return network ? [{ port_id: port.id, network, mac_address: port.mac_address, fixed_ips: list(port.fixed_ips) }] : []
  }
  const outside = ports.find((port) => port.id === router.gw_port_id)
  const info = gatewayInfo(router)
  const gateway = outside ? side(outside)[0] : undefined
  const limitOf = (ip_address: string, policy: string | null | undefined): AddressLimitPlan[] => {
    const qos = policy ? qosPlan(facts.limits.get(policy)) : undefined
    return qos ? [{ ip_address, ...qos }] : []
  }
  const limits = [...floating.flatMap((one) => limitOf(one.floating_ip_address, one.qos_policy_id)), ...(gateway?.fixed_ips ?? []).flatMap((one) => limitOf(one.ip_address, info?.qos_policy_id))]
  return {
    id: router.id,
    admin_state_up: router.admin_state_up === 1,
    interfaces: ports.filter((port) => port.id !== router.gw_port_id).flatMap(side),
    gateway: gateway ? { ...gateway, enable_snat: info?.enable_snat !== false } : null,
    floating_ips: floating.flatMap((one) => (one.fixed_ip_address === null ? [] : [{ floating_ip_address: one.floating_ip_address, fixed_ip_address: one.fixed_ip_address }])),
    port_forwardings: forwards.flatMap((one) =>
      one.external_port === null || one.internal_port === null || !['tcp', 'udp', 'sctp', 'icmp'].includes(one.protocol)
        ? []
        : [{ protocol: one.protocol as 'tcp', floating_ip_address: one.floating_ip_address, external_port: one.external_port, internal_ip_address: one.internal_ip_address, internal_port: one.internal_port }],
    ),
    routes: list(router.routes),
    ...(limits.length > 0 ? { limits } : {}),
    ...(helpers.length > 0 ? { conntrack_helpers: helpers.map(({ protocol, port, helper }) => ({ protocol: protocol as 'tcp', port, helper })) } : {}),
    ...(proxies.length > 0 ? { ndp_proxies: proxies.map((one) => one.ip_address) } : {}),
  }
}

/** A whole host out of its pieces: every network that something here hangs on, once. */
export function hostPlan(pieces: { ports: readonly PortPlan[]; dhcp: readonly DhcpPlan[]; routers: readonly RouterPlan[] }, facts: PlanFacts): HostPlan {
  const networks = new Map<string, NetworkPlan>()
  const use = (network: NetworkPlan | undefined): void => {
    if (network) networks.set(network.id, network)
  }
  for (const port of pieces.ports) if (!networks.has(port.network_id)) use(networkPlan(port.network_id, facts))
  for (const one of pieces.dhcp) use(one.network)
  for (const router of pieces.routers) for (const side of [...router.interfaces, ...(router.gateway ? [router.gateway] : [])]) use(side.network)
  return { networks: [...networks.values()], address_sets: facts.sets, ...pieces }
}
