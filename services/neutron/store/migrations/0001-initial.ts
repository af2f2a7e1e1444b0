/** The tables of this house as first made. Columns that stand on the wire have the wire's names. */
import { big, flag, id, int, json, type Migration, nullable, string, text, withDefault, type Column } from '#base/sql/table.ts'

const flagged = (value: 0 | 1): Column => withDefault(flag(), value)
const list = (): Column => json()
const standard = { description: nullable(text()), created_at: big(), updated_at: big(), revision_number: int() }
const tagged = { tags: json() }
const owned = { id: id(), project_id: string() }

export const initial: Migration = {
  name: '0001-initial',
  up: async (m) => {
    await m.createTable('neutron_networks', {
      ...owned, name: string(), admin_state_up: flag(), mtu: int(), status: string(16), 'router:external': flag(), is_default: flag(),
      availability_zone_hints: list(), availability_zones: list(), port_security_enabled: flag(), qos_policy_id: nullable(id()), dns_domain: string(),
      'provider:network_type': string(32), 'provider:physical_network': nullable(string(64)), 'provider:segmentation_id': nullable(int()),
      shared_with: json(), ...standard, ...tagged,
    }, { primary: ['id'], index: [['project_id'], ['name']] })

    await m.createTable('neutron_segments', {
      id: id(), network_id: id(), name: nullable(string()), network_type: string(32), physical_network: nullable(string(64)), segmentation_id: nullable(int()),
      // What no two networks may share: `vxlan::1001`, `vlan:physnet1:7`, `flat:physnet1`; of a local network its own id.
      place: string(160), position: int(), ...standard, ...tagged,
    }, { primary: ['id'], unique: [['place']], index: [['network_id']] })

    await m.createTable('neutron_segment_ranges', {
      ...owned, project_id: nullable(string()), name: string(), default: flag(), shared: flag(), network_type: string(32), physical_network: nullable(string(64)), minimum: big(), maximum: big(), ...standard, ...tagged,
    }, { primary: ['id'] })

    await m.createTable('neutron_subnets', {
      ...owned, name: string(), network_id: id(), ip_version: int(), subnetpool_id: nullable(id()), cidr: string(64), gateway_ip: nullable(string(64)), enable_dhcp: flag(),
      allocation_pools: list(), dns_nameservers: list(), host_routes: list(), ipv6_ra_mode: nullable(string(32)), ipv6_address_mode: nullable(string(32)),
      segment_id: nullable(id()), service_types: list(), dns_publish_fixed_ip: flag(), ...standard, ...tagged,
    }, { primary: ['id'], index: [['network_id'], ['project_id'], ['subnetpool_id']] })

    await m.createTable('neutron_subnetpools', {
      ...owned, name: string(), prefixes: list(), min_prefixlen: int(), max_prefixlen: int(), default_prefixlen: int(), default_quota: nullable(int()), ip_version: int(),
      is_default: flag(), address_scope_id: nullable(id()), shared_with: json(), ...standard, ...tagged,
    }, { primary: ['id'], index: [['project_id'], ['address_scope_id']] })

    await m.createTable('neutron_address_scopes', { ...owned, name: string(), ip_version: int(), shared_with: json() }, { primary: ['id'], index: [['project_id']] })
    await m.createTable('neutron_address_groups', { ...owned, name: string(), addresses: list(), shared_with: json(), ...standard }, { primary: ['id'], index: [['project_id']] })

    await m.createTable('neutron_ports', {
      ...owned, name: string(), network_id: id(), mac_address: string(32), admin_state_up: flag(), status: string(16), device_id: string(), device_owner: string(),
      // Copies of neutron_ip_allocations and neutron_port_security_groups, changed with them, so that a list of ports is one query.
      fixed_ips: list(), security_groups: list(),
      allowed_address_pairs: list(), extra_dhcp_opts: list(), port_security_enabled: flag(),
      'binding:host_id': string(), 'binding:vnic_type': string(64), 'binding:profile': json(), 'binding:vif_type': string(64), 'binding:vif_details': json(),
      qos_policy_id: nullable(id()), qos_network_policy_id: nullable(id()), dns_name: string(), dns_domain: string(), device_profile: nullable(string()),
      numa_affinity_policy: nullable(string(32)), propagate_uplink_status: flag(), ...standard, ...tagged,
    }, { primary: ['id'], unique: [['network_id', 'mac_address']], index: [['project_id'], ['device_id'], ['binding:host_id']] })

    await m.createTable('neutron_ip_allocations', { network_id: id(), ip_address: string(64), subnet_id: id(), port_id: id() }, { primary: ['network_id', 'ip_address'], index: [['port_id'], ['subnet_id']] })
    await m.createTable('neutron_port_security_groups', { port_id: id(), security_group_id: id() }, { primary: ['port_id', 'security_group_id'], index: [['security_group_id']] })
    await m.createTable('neutron_port_bindings', { port_id: id(), host: string(), status: string(16), vif_type: string(64), vif_details: json(), vnic_type: string(64), profile: json() }, { primary: ['port_id', 'host'] })

    await m.createTable('neutron_routers', {
      ...owned, name: string(), admin_state_up: flag(), status: string(16), external_gateway_info: json(), routes: list(), distributed: flag(), ha: flag(), flavor_id: nullable(id()),
      availability_zone_hints: list(), availability_zones: list(), enable_ndp_proxy: flag(), gw_port_id: nullable(id()), ...standard, ...tagged,
    }, { primary: ['id'], index: [['project_id']] })
    await m.createTable('neutron_router_ports', { port_id: id(), router_id: id(), port_type: string(64) }, { primary: ['port_id'], index: [['router_id']] })

    await m.createTable('neutron_floatingips', {
      ...owned, floating_network_id: id(), floating_ip_address: string(64), floating_port_id: id(), fixed_ip_address: nullable(string(64)), port_id: nullable(id()), router_id: nullable(id()),
      status: string(16), qos_policy_id: nullable(id()), dns_name: string(), dns_domain: string(), ...standard, ...tagged,
    }, { primary: ['id'], unique: [['floating_port_id']], index: [['project_id'], ['port_id'], ['router_id'], ['floating_network_id']] })

    await m.createTable('neutron_port_forwardings', {
      ...owned, floatingip_id: id(), protocol: string(16), external_port: nullable(int()), internal_port: nullable(int()), internal_ip_address: string(64), internal_port_id: id(), description: nullable(text()),
    }, { primary: ['id'], unique: [['floatingip_id', 'protocol', 'external_port']], index: [['internal_port_id']] })
    await m.createTable('neutron_conntrack_helpers', { ...owned, router_id: id(), protocol: string(16), port: int(), helper: string(64) }, { primary: ['id'], unique: [['router_id', 'protocol', 'port', 'helper']] })
    await m.createTable('neutron_ndp_proxies', { ...owned, name: string(), router_id: id(), port_id: id(), ip_address: string(64), ...standard }, { primary: ['id'], unique: [['router_id', 'ip_address']], index: [['port_id']] })
    await m.createTable('neutron_local_ips', { ...owned, name: string(), local_port_id: id(), network_id: id(), local_ip_address: string(64), ip_mode: string(16), ...standard }, { primary: ['id'], index: [['local_port_id']] })
    await m.createTable('neutron_local_ip_associations', { local_ip_id: id(), fixed_port_id: id(), fixed_ip: string(64), local_ip_address: string(64), host: string(), project_id: string() }, { primary: ['local_ip_id', 'fixed_port_id'], index: [['fixed_port_id']] })

    await m.createTable('neutron_security_groups', { ...owned, name: string(), stateful: flag(), is_default: flag(), shared_with: json(), ...standard, ...tagged }, { primary: ['id'], index: [['project_id', 'name']] })
    // One row per project that has a default group, so that two requests at once cannot make two.
    await m.createTable('neutron_default_groups', { project_id: string(), security_group_id: id() }, { primary: ['project_id'] })
    const rule = {
      direction: string(16), ethertype: string(16), protocol: nullable(string(40)), port_range_min: nullable(int()), port_range_max: nullable(int()), remote_ip_prefix: nullable(string(64)),
      remote_group_id: nullable(id()), remote_address_group_id: nullable(id()),
    }
    await m.createTable('neutron_security_group_rules', { ...owned, security_group_id: id(), ...rule, normalized_cidr: nullable(string(64)), belongs_to_default_sg: flag(), ...standard }, { primary: ['id'], index: [['security_group_id'], ['project_id'], ['remote_group_id'], ['remote_address_group_id']] })
    await m.createTable('neutron_default_sg_rules', { id: id(), ...rule, description: nullable(text()), used_in_default_sg: flag(), used_in_non_default_sg: flag() }, { primary: ['id'] })
    // What a group begins with: everything may leave; the default group's members reach each other.
    const template = { protocol: null, port_range_min: null, port_range_max: null, remote_ip_prefix: null, remote_address_group_id: null, description: '' }
    await m.query
      .insertInto('neutron_default_sg_rules')
      .values([
        { ...template, id: '5d0e5a10-0000-4000-8000-000000000001', direction: 'egress', ethertype: 'IPv4', remote_group_id: null, used_in_default_sg: 1, used_in_non_default_sg: 1 },
        { ...template, id: '5d0e5a10-0000-4000-8000-000000000002', direction: 'egress', ethertype: 'IPv6', remote_group_id: null, used_in_default_sg: 1, used_in_non_default_sg: 1 },
        { ...template, id: '5d0e5a10-0000-4000-8000-000000000003', direction: 'ingress', ethertype: 'IPv4', remote_group_id: 'PARENT', used_in_default_sg: 1, used_in_non_default_sg: 0 },
        { ...template, id: '5d0e5a10-0000-4000-8000-000000000004', direction: 'ingress', ethertype: 'IPv6', remote_group_id: 'PARENT', used_in_default_sg: 1, used_in_non_default_sg: 0 },
      ])
      .execute()
    await m.createTable('neutron_sg_statefulness', { ...owned, stateful: flag() }, { primary: ['id'], unique: [['project_id']] })

    await m.createTable('neutron_qos_policies', { ...owned, name: string(), is_default: flag(), shared_with: json(), ...standard, ...tagged }, { primary: ['id'], index: [['project_id']] })
    await m.createTable('neutron_qos_rules', {
      id: id(), qos_policy_id: id(), type: string(32), direction: nullable(string(16)), max_kbps: nullable(int()), max_burst_kbps: nullable(int()), dscp_mark: nullable(int()),
      min_kbps: nullable(int()), min_kpps: nullable(int()), max_kpps: nullable(int()), max_burst_kpps: nullable(int()),
    }, { primary: ['id'], index: [['qos_policy_id']] })

    await m.createTable('neutron_rbac_policies', { ...owned, object_type: string(32), object_id: id(), target_tenant: string(), action: string(32) }, { primary: ['id'], unique: [['object_type', 'object_id', 'target_tenant', 'action']], index: [['object_type', 'target_tenant']] })
    await m.createTable('neutron_quotas', { project_id: string(), resource: string(64), limit: int() }, { primary: ['project_id', 'resource'] })

    await m.createTable('neutron_agents', {
      id: id(), agent_type: string(64), binary: string(64), topic: string(64), host: string(), admin_state_up: flag(), description: nullable(text()), availability_zone: nullable(string()),
      configurations: json(), created_at: big(), started_at: big(), heartbeat_timestamp: big(),
    }, { primary: ['id'], unique: [['agent_type', 'host']] })
    await m.createTable('neutron_dhcp_networks', { network_id: id(), agent_id: id() }, { primary: ['network_id', 'agent_id'], index: [['agent_id']] })
    await m.createTable('neutron_l3_routers', { router_id: id(), agent_id: id() }, { primary: ['router_id', 'agent_id'], index: [['agent_id']] })

    await m.createTable('neutron_flavors', { id: id(), name: string(), description: nullable(text()), service_type: string(), enabled: flag(), service_profiles: list() }, { primary: ['id'] })
    await m.createTable('neutron_service_profiles', { id: id(), description: nullable(text()), driver: string(1024), enabled: flag(), metainfo: text() }, { primary: ['id'] })
    await m.createTable('neutron_metering_labels', { ...owned, name: string(), description: nullable(text()), shared: flag() }, { primary: ['id'], index: [['project_id']] })
    await m.createTable('neutron_metering_rules', { ...owned, metering_label_id: id(), direction: string(16), excluded: flag(), remote_ip_prefix: nullable(string(64)), source_ip_prefix: nullable(string(64)), destination_ip_prefix: nullable(string(64)) }, { primary: ['id'], index: [['metering_label_id']] })
    await m.createTable('neutron_logs', { ...owned, name: string(), resource_type: string(64), resource_id: nullable(id()), target_id: nullable(id()), event: string(16), enabled: flagged(1), ...standard }, { primary: ['id'], index: [['project_id']] })
    await m.createTable('neutron_trunks', { ...owned, name: string(), port_id: id(), admin_state_up: flag(), status: string(16), sub_ports: list(), ...standard, ...tagged }, { primary: ['id'], unique: [['port_id']], index: [['project_id']] })
    await m.createTable('neutron_subports', { port_id: id(), trunk_id: id(), segmentation_type: string(16), segmentation_id: int() }, { primary: ['port_id'], unique: [['trunk_id', 'segmentation_type', 'segmentation_id']] })
    await m.createTable('neutron_auto_topologies', { project_id: string(), network_id: id(), router_id: id() }, { primary: ['project_id'], index: [['network_id']] })
  },
}
