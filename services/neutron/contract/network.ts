/** Networks, subnets and ports as they stand on the wire, and the calls other houses may make about them. */
import { operation } from '#stack/contract.ts'
import type { Ipv6Mode } from '#neutron/drivers/plan.ts'

export type NetworkType = 'local' | 'flat' | 'vlan' | 'vxlan'
export type NetworkStatus = 'ACTIVE' | 'BUILD' | 'DOWN' | 'ERROR'
export type PortStatus = 'ACTIVE' | 'BUILD' | 'DOWN' | 'ERROR' | 'N/A'

/** What every resource with standard attributes carries. Instants are ISO 8601 with a `Z`. */
export interface Standard {
  description: string
  created_at: string
  updated_at: string
  revision_number: number
}

export interface Network extends Standard {
  id: string
  name: string
  tenant_id: string
  project_id: string
  admin_state_up: boolean
  mtu: number
  status: NetworkStatus
  subnets: string[]
  shared: boolean
  'router:external': boolean
  is_default?: boolean
  availability_zone_hints: string[]
  availability_zones: string[]
  ipv4_address_scope: string | null
  ipv6_address_scope: string | null
  port_security_enabled: boolean
  qos_policy_id: string | null
  dns_domain: string
  l2_adjacency: boolean
  tags: string[]
  /** Shown to administrators only. */
  'provider:network_type'?: NetworkType
  'provider:physical_network'?: string | null
  'provider:segmentation_id'?: number | null
}

export interface HostRoute {
  destination: string
  nexthop: string
}

export interface Subnet extends Standard {
  id: string
  name: string
  tenant_id: string
  project_id: string
  network_id: string
  ip_version: 4 | 6
  cidr: string
  gateway_ip: string | null
  enable_dhcp: boolean
  allocation_pools: { start: string; end: string }[]
  dns_nameservers: string[]
  host_routes: HostRoute[]
  ipv6_ra_mode: Ipv6Mode | null
  ipv6_address_mode: Ipv6Mode | null
  subnetpool_id: string | null
  segment_id: string | null
  service_types: string[]
  tags: string[]
}

export interface FixedIp {
  subnet_id: string
  ip_address: string
}

/** The ask for an address: a subnet, an address, or both. */
export interface FixedIpAsk {
  subnet_id?: string
  ip_address?: string
}

/** `binding:vif_details` of a bound port. `tap`: what a hypervisor opens, and the network namespace it lies in. */
export interface VifDetails {
  connectivity?: 'l2'
  port_filter?: boolean
  /** Name of the tap device, e.g. `tap1b2c3d4e-5f`. */
  tap_name?: string
  /** Name of the network namespace of the device; absent for the host's own. */
  netns?: string
}

/** `tap` once bound to a host whose agent is alive. */
export type VifType = 'unbound' | 'binding_failed' | 'tap'

export interface Port extends Standard {
  id: string
  name: string
  network_id: string
  tenant_id: string
  project_id: string
  mac_address: string
  admin_state_up: boolean
  status: PortStatus
  device_id: string
  device_owner: string
  fixed_ips: FixedIp[]
  allowed_address_pairs: { ip_address: string; mac_address: string }[]
  extra_dhcp_opts: { opt_name: string; opt_value: string; ip_version: 4 | 6 }[]
  security_groups: string[]
  port_security_enabled: boolean
  qos_policy_id: string | null
  qos_network_policy_id: string | null
  dns_name: string
  dns_domain: string
  dns_assignment: { ip_address: string; hostname: string; fqdn: string }[]
  resource_request: { request_groups: { id: string; required: string[]; resources: Record<string, number> }[]; same_subtree: string[] } | null
  device_profile: string | null
  tags: string[]
  'binding:vnic_type': string
  /** Shown to administrators and services only. */
  'binding:host_id'?: string
  'binding:vif_type'?: VifType
  'binding:vif_details'?: VifDetails
  'binding:profile'?: Record<string, unknown>
}

export interface PortCreate {
  network_id: string
  name?: string
  description?: string
  tenant_id?: string
  project_id?: string
  mac_address?: string
  admin_state_up?: boolean
  device_id?: string
  device_owner?: string
  fixed_ips?: readonly FixedIpAsk[]
  security_groups?: readonly string[]
  port_security_enabled?: boolean
  allowed_address_pairs?: readonly { ip_address: string; mac_address?: string }[]
  dns_name?: string
  qos_policy_id?: string | null
  'binding:host_id'?: string
  'binding:vnic_type'?: string
  'binding:profile'?: Record<string, unknown>
}

export type PortUpdate = Partial<Omit<PortCreate, 'network_id' | 'tenant_id' | 'project_id'>>

/** Filters, `fields`, `sort_key`, `limit`, `marker`; a list of values means any of them. */
export type ListQuery = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

interface One {
  params: { id: string }
}

interface Many {
  query?: ListQuery
}

export const listNetworks = operation<Many, { networks: Network[] }>('GET', '/v2.0/networks')
export const showNetwork = operation<One, { network: Network }>('GET', '/v2.0/networks/{id}')
export const createNetwork = operation<{ body: { network: Record<string, unknown> } }, { network: Network }>('POST', '/v2.0/networks')
export const updateNetwork = operation<One & { body: { network: Record<string, unknown> } }, { network: Network }>('PUT', '/v2.0/networks/{id}')
export const deleteNetwork = operation<One>('DELETE', '/v2.0/networks/{id}')

export const listSubnets = operation<Many, { subnets: Subnet[] }>('GET', '/v2.0/subnets')
export const showSubnet = operation<One, { subnet: Subnet }>('GET', '/v2.0/subnets/{id}')
export const createSubnet = operation<{ body: { subnet: Record<string, unknown> } }, { subnet: Subnet }>('POST', '/v2.0/subnets')
export const updateSubnet = operation<One & { body: { subnet: Record<string, unknown> } }, { subnet: Subnet }>('PUT', '/v2.0/subnets/{id}')
export const deleteSubnet = operation<One>('DELETE', '/v2.0/subnets/{id}')

export const listPorts = operation<Many, { ports: Port[] }>('GET', '/v2.0/ports')
export const showPort = operation<One, { port: Port }>('GET', '/v2.0/ports/{id}')
export const createPort = operation<{ body: { port: PortCreate } }, { port: Port }>('POST', '/v2.0/ports')
export const createPorts = operation<{ body: { ports: readonly PortCreate[] } }, { ports: Port[] }>('POST', '/v2.0/ports')
export const updatePort = operation<One & { body: { port: PortUpdate } }, { port: Port }>('PUT', '/v2.0/ports/{id}')
export const deletePort = operation<One>('DELETE', '/v2.0/ports/{id}')

/** One row of `port_bindings`: of the active host, or of a live migration's destination. */
export interface PortBinding {
  host: string
  status: 'ACTIVE' | 'INACTIVE'
  vif_type: VifType
  vif_details: VifDetails
  vnic_type: string
  profile: Record<string, unknown>
  project_id: string
}

export const listPortBindings = operation<One, { bindings: PortBinding[] }>('GET', '/v2.0/ports/{id}/bindings')
export const createPortBinding = operation<One & { body: { binding: { host: string; vnic_type?: string; profile?: Record<string, unknown> } } }, { binding: PortBinding }>('POST', '/v2.0/ports/{id}/bindings')
export const activatePortBinding = operation<{ params: { id: string; host: string } }, { port_binding: PortBinding }>('PUT', '/v2.0/ports/{id}/bindings/{host}/activate')
export const deletePortBinding = operation<{ params: { id: string; host: string } }>('DELETE', '/v2.0/ports/{id}/bindings/{host}')
