/**
 * What a host should look like, as plain data: the wish that the agent hands to a network driver. Words of the wire keep their
 * spelling. Everything is resolved before it comes here: no driver ever asks the database.
 */

export interface SubnetPlan {
  id: string
  cidr: string
  ip_version: 4 | 6
  gateway_ip: string | null
  enable_dhcp: boolean
  dns_nameservers: readonly string[]
  host_routes: readonly { destination: string; nexthop: string }[]
  ipv6_ra_mode: Ipv6Mode | null
  ipv6_address_mode: Ipv6Mode | null
}

export type Ipv6Mode = 'slaac' | 'dhcpv6-stateful' | 'dhcpv6-stateless'

export interface NetworkPlan {
  id: string
  network_type: 'local' | 'flat' | 'vlan' | 'vxlan'
  /** VNI or VLAN id. */
  segmentation_id: number | null
  physical_network: string | null
  mtu: number
  subnets: readonly SubnetPlan[]
  /** `router:external`: the host itself gets the subnets' gateway addresses, so that it reaches floating IPs. */
  external: boolean
  /** The other hosts that carry this network: frames to all and to unknown MACs go there. */
  vteps: readonly { ip: string }[]
  /** MACs that are known to live behind one of the `vteps`. */
  fdb: readonly { mac_address: string; ip: string }[]
  /** Which of the agent's questions this answers: an earlier one's answer changes no far end that a later one's has set. Absent: the latest. */
  reading?: number
}

export interface FixedIp {
  subnet_id: string
  ip_address: string
}

/** A rule with nothing left to look up. All given parts must match; a rule without `remote_prefixes` and `remote_set` means anybody. */
export interface SecurityRulePlan {
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  /** Name or number as on the wire, null for any. */
  protocol: string | null
  /** Ports; for ICMP the type and the code. */
  port_range_min: number | null
  port_range_max: number | null
  remote_prefixes?: readonly string[]
  /** Id of an `AddressSetPlan`: members come and go without touching the port. */
  remote_set?: string
}

/** The addresses behind a remote security group or address group. */
export interface AddressSetPlan {
  id: string
  prefixes: readonly string[]
}

/** How the endpoint is plugged: a tap that QEMU opens, one end of a veth in another namespace (containers, tests), or a VLAN inside the device of a trunk's parent port. */
export type VifPlan = { kind: 'tap'; multi_queue?: boolean } | { kind: 'veth'; netns: string; device: string } | { kind: 'vlan'; parent_port_id: string; segmentation_id: number }

export interface PortPlan {
  id: string
  network_id: string
  mac_address: string
  fixed_ips: readonly FixedIp[]
  device_owner: string
  device_id: string
  admin_state_up: boolean
  port_security_enabled: boolean
  allowed_address_pairs: readonly { mac_address?: string; ip_address: string }[]
  security_rules: readonly SecurityRulePlan[]
  /** False: the rules of stateless groups, where replies need a rule of their own. Default true. */
  stateful?: boolean
  /** Default a tap. */
  vif?: VifPlan
  qos?: QosPlan
}

/** Kilobits per second and thousands of packets per second, bursts in kilobits and thousands; directions as Neutron's: egress leaves the guest. */
export interface QosPlan {
  egress_kbps?: number
  egress_burst_kb?: number
  ingress_kbps?: number
  ingress_burst_kb?: number
  egress_kpps?: number
  egress_burst_kpps?: number
  ingress_kpps?: number
  ingress_burst_kpps?: number
  /** What leaves the guest carries this differentiated services code point. */
  dscp_mark?: number
}

/** Limits of a floating IP or of a router's own address outside: egress leaves the router. */
export interface AddressLimitPlan extends QosPlan {
  ip_address: string
}

/** The kernel follows this protocol through address translation. */
export interface ConntrackHelperPlan {
  protocol: 'tcp' | 'udp'
  port: number
  helper: string
}

/** One port that DHCP answers to. */
export interface DhcpReservation {
  port_id: string
  mac_address: string
  fixed_ips: readonly FixedIp[]
  /** `dns_name`; default `host-10-0-0-5`. */
  hostname?: string
  extra_dhcp_opts: readonly { opt_name: string; opt_value: string; ip_version: 4 | 6 }[]
}

/** DHCP (and the metadata address) of one network on this host. */
export interface DhcpPlan {
  network: NetworkPlan
  /** The port with `device_owner` network:dhcp. */
  port: { id: string; mac_address: string; fixed_ips: readonly FixedIp[] }
  reservations: readonly DhcpReservation[]
  dns_domain?: string
}

export interface RouterInterfacePlan {
  port_id: string
  network: NetworkPlan
  mac_address: string
  fixed_ips: readonly FixedIp[]
}

export interface RouterPlan {
  id: string
  admin_state_up: boolean
  interfaces: readonly RouterInterfacePlan[]
  gateway: (RouterInterfacePlan & { enable_snat: boolean }) | null
  floating_ips: readonly { floating_ip_address: string; fixed_ip_address: string }[]
  port_forwardings: readonly PortForwardingPlan[]
  routes: readonly { destination: string; nexthop: string }[]
  limits?: readonly AddressLimitPlan[]
  conntrack_helpers?: readonly ConntrackHelperPlan[]
  /** IPv6 addresses behind the router for which it answers outside. */
  ndp_proxies?: readonly string[]
}

export interface PortForwardingPlan {
  protocol: 'tcp' | 'udp' | 'sctp' | 'icmp'
  floating_ip_address: string
  external_port: number
  internal_ip_address: string
  internal_port: number
}

/** All that one host should carry. What is not in it is taken away. */
export interface HostPlan {
  networks: readonly NetworkPlan[]
  ports: readonly PortPlan[]
  address_sets: readonly AddressSetPlan[]
  dhcp: readonly DhcpPlan[]
  routers: readonly RouterPlan[]
}

export const emptyHostPlan: HostPlan = { networks: [], ports: [], address_sets: [], dhcp: [], routers: [] }

/** Ports inside the device of another come after it. */
export function parentsFirst(ports: readonly PortPlan[]): PortPlan[] {
  return [...ports.filter((port) => port.vif?.kind !== 'vlan'), ...ports.filter((port) => port.vif?.kind === 'vlan')]
}
