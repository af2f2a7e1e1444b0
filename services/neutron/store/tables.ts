/** Rows as the database holds them: flags are 0 and 1, lists and objects JSON text, instants milliseconds. */
import type { Sql, Database, Tx } from '#base/sql/database.ts'
import type { HouseMigrations } from '#base/sql/table.ts'
import type { RuleAsk } from '#neutron/core/security-rules.ts'
import { initial } from './migrations/0001-initial.ts'

export type Row = Record<string, unknown>

export interface StandardRow {
  description: string | null
  created_at: number
  updated_at: number
  revision_number: number
}

export interface NetworkRow extends StandardRow {
  id: string
  project_id: string
  name: string
  admin_state_up: number
  mtu: number
  status: string
  'router:external': number
  is_default: number
  availability_zone_hints: string
  availability_zones: string
  port_security_enabled: number
  qos_policy_id: string | null
  dns_domain: string
  'provider:network_type': string
  'provider:physical_network': string | null
  'provider:segmentation_id': number | null
  /** Projects it is shared with, `*` for all, as JSON; a copy of the RBAC rows `access_as_shared`. */
  shared_with: string
  tags: string
}

export interface SegmentRow extends StandardRow {
  id: string
  network_id: string
  name: string | null
  network_type: string
  physical_network: string | null
  segmentation_id: number | null
  place: string
  position: number
  tags: string
}

export interface SubnetRow extends StandardRow {
  id: string
  project_id: string
  name: string
  network_id: string
  ip_version: 4 | 6
  subnetpool_id: string | null
  cidr: string
  gateway_ip: string | null
  enable_dhcp: number
  allocation_pools: string
  dns_nameservers: string
  host_routes: string
  ipv6_ra_mode: string | null
  ipv6_address_mode: string | null
  segment_id: string | null
  service_types: string
  dns_publish_fixed_ip: number
  tags: string
}

export interface SubnetpoolRow extends StandardRow {
  id: string
  project_id: string
  name: string
  prefixes: string
  min_prefixlen: number
  max_prefixlen: number
  default_prefixlen: number
  default_quota: number | null
  ip_version: 4 | 6
  is_default: number
  address_scope_id: string | null
  shared_with: string
  tags: string
}

export interface PortRow extends StandardRow {
  id: string
  project_id: string
  name: string
  network_id: string
  mac_address: string
  admin_state_up: number
  status: string
  device_id: string
  device_owner: string
  fixed_ips: string
  security_groups: string
  allowed_address_pairs: string
  extra_dhcp_opts: string
  port_security_enabled: number
  'binding:host_id': string
  'binding:vnic_type': string
  'binding:profile': string
  'binding:vif_type': string
  'binding:vif_details': string
  qos_policy_id: string | null
  qos_network_policy_id: string | null
  dns_name: string
  dns_domain: string
  device_profile: string | null
  numa_affinity_policy: string | null
  propagate_uplink_status: number
  tags: string
}

export interface BindingRow {
  port_id: string
  host: string
  status: string
  vif_type: string
  vif_details: string
  vnic_type: string
  profile: string
}

export interface RouterRow extends StandardRow {
  id: string
  project_id: string
  name: string
  admin_state_up: number
  status: string
  external_gateway_info: string
  routes: string
  distributed: number
  ha: number
  flavor_id: string | null
  availability_zone_hints: string
  availability_zones: string
  enable_ndp_proxy: number
  gw_port_id: string | null
  tags: string
}

export interface FloatingIpRow extends StandardRow {
  id: string
  project_id: string
  floating_network_id: string
  floating_ip_address: string
  floating_port_id: string
  fixed_ip_address: string | null
  port_id: string | null
  router_id: string | null
  status: string
  qos_policy_id: string | null
  dns_name: string
  dns_domain: string
  tags: string
}

export interface SecurityGroupRow extends StandardRow {
  id: string
  project_id: string
  name: string
  stateful: number
  is_default: number
  shared_with: string
  tags: string
}

export interface SecurityGroupRuleRow extends StandardRow, RuleAsk {
  id: string
  project_id: string
  security_group_id: string
  normalized_cidr: string | null
  belongs_to_default_sg: number
}

export interface DefaultRuleRow extends RuleAsk {
  id: string
  description: string | null
  used_in_default_sg: number
  used_in_non_default_sg: number
}

export interface RbacRow {
  id: string
  project_id: string
  object_type: string
  object_id: string
  target_tenant: string
  action: string
}

export interface AgentRow {
  id: string
  agent_type: string
  binary: string
  topic: string
  host: string
  admin_state_up: number
  description: string | null
  availability_zone: string | null
  configurations: string
  created_at: number
  started_at: number
  heartbeat_timestamp: number
}

export interface QosRuleRow {
  id: string
  qos_policy_id: string
  type: string
  direction: string | null
  max_kbps: number | null
  max_burst_kbps: number | null
  dscp_mark: number | null
  min_kbps: number | null
  min_kpps: number | null
  max_kpps: number | null
  max_burst_kpps: number | null
}

export interface PortForwardingRow {
  id: string
  project_id: string
  floatingip_id: string
  protocol: string
  external_port: number | null
  internal_port: number | null
  internal_ip_address: string
  internal_port_id: string
  description: string | null
}

export interface TrunkRow extends StandardRow {
  id: string
  project_id: string
  name: string
  port_id: string
  admin_state_up: number
  status: string
  sub_ports: string
  tags: string
}

export interface SubportRow {
  port_id: string
  trunk_id: string
  segmentation_type: string
  segmentation_id: number
}

export interface Tables {
  neutron_networks: NetworkRow
  neutron_segments: SegmentRow
  neutron_subnets: SubnetRow
  neutron_subnetpools: SubnetpoolRow
  neutron_ports: PortRow
  neutron_ip_allocations: { network_id: string; ip_address: string; subnet_id: string; port_id: string }
  neutron_port_security_groups: { port_id: string; security_group_id: string }
  neutron_port_bindings: BindingRow
  neutron_routers: RouterRow
  neutron_router_ports: { port_id: string; router_id: string; port_type: string }
  neutron_floatingips: FloatingIpRow
  neutron_port_forwardings: PortForwardingRow
  neutron_security_groups: SecurityGroupRow
  neutron_default_groups: { project_id: string; security_group_id: string }
  neutron_security_group_rules: SecurityGroupRuleRow
  neutron_default_sg_rules: DefaultRuleRow
  neutron_sg_statefulness: { id: string; project_id: string; stateful: number }
  neutron_address_groups: StandardRow & { id: string; project_id: string; name: string; addresses: string; shared_with: string }
  neutron_address_scopes: { id: string; project_id: string; name: string; ip_version: 4 | 6; shared_with: string }
  neutron_qos_rules: QosRuleRow
  neutron_qos_policies: StandardRow & { id: string; project_id: string; name: string; is_default: number; shared_with: string; tags: string }
  neutron_rbac_policies: RbacRow
  neutron_quotas: { project_id: string; resource: string; limit: number }
  neutron_agents: AgentRow
  neutron_dhcp_networks: { network_id: string; agent_id: string }
  neutron_l3_routers: { router_id: string; agent_id: string }
  neutron_trunks: TrunkRow
  neutron_subports: SubportRow
  neutron_local_ips: StandardRow & { id: string; project_id: string; name: string; local_port_id: string; network_id: string; local_ip_address: string; ip_mode: string }
  neutron_local_ip_associations: { local_ip_id: string; fixed_port_id: string; fixed_ip: string; local_ip_address: string; host: string; project_id: string }
  neutron_ndp_proxies: StandardRow & { id: string; project_id: string; name: string; router_id: string; port_id: string; ip_address: string }
  neutron_conntrack_helpers: { id: string; project_id: string; router_id: string; protocol: string; port: number; helper: string }
  neutron_auto_topologies: { project_id: string; network_id: string; router_id: string }
  neutron_metering_rules: { id: string; project_id: string; metering_label_id: string; direction: string; excluded: number; remote_ip_prefix: string | null; source_ip_prefix: string | null; destination_ip_prefix: string | null }
  neutron_logs: StandardRow & { id: string; project_id: string; name: string; resource_type: string; resource_id: string | null; target_id: string | null; event: string; enabled: number }
  neutron_segment_ranges: StandardRow & { id: string; project_id: string | null; name: string; default: number; shared: number; network_type: string; physical_network: string | null; minimum: number; maximum: number; tags: string }
}

export type Db = Database<Tables>
export type Q = Sql<Tables>
export type T = Tx<Tables>

export const migrations: HouseMigrations = { house: 'neutron', migrations: [initial] }
