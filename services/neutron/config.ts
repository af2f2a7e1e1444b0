/** What an operator may say of Neutron, under `neutron:` in `ondol.yaml`. */
import { type ConfigSchema, withDefaults } from '#base/config.ts'
import { QUOTAS } from './core/quota.ts'

export interface NeutronConfig {
  /** Type of a tenant network when none is asked for, the first that has a free segment. */
  tenant_network_types: readonly ('local' | 'vlan' | 'vxlan')[]
  /** VXLAN network identifiers for tenants, inclusive. */
  vni_range: { min: number; max: number }
  /** VLAN ids for tenants by physical network. */
  vlan_ranges: Readonly<Record<string, { min: number; max: number }>>
  /** Physical networks that may carry flat networks; `*` for any. */
  flat_networks: readonly string[]
  /** MTU of the wires between hosts; what a network type adds is taken off. */
  global_physnet_mtu: number
  /** First octets of generated MAC addresses. */
  base_mac: string
  dns_domain: string
  /** Name servers of subnets that name none, given out by DHCP. */
  dns_servers: readonly string[]
  default_quotas: Readonly<Record<string, number>>
  availability_zone: string
  /** Seconds after which an agent without heartbeat counts as dead. */
  agent_down_time: number
  /** How many addresses one port may have. */
  max_fixed_ips_per_port: number
  max_routes: number
  max_subnet_host_routes: number
  max_dns_nameservers: number
  max_allowed_address_pair: number
  /** Key that Nova's metadata service checks; made by the cloud when it is started first. */
  metadata_proxy_shared_secret: string
  /** Begins the names of what the agent makes on a host: one to eight lower-case letters and digits. */
  network_prefix: string
  /** How flat networks reach the world, by `physical_network`: `{kind: host, masquerade: true}` or `{kind: bridge, bridge: br0}`. */
  physical_networks: Readonly<Record<string, { kind: 'host'; masquerade?: boolean } | { kind: 'bridge'; bridge: string }>>
  /** This host's end of VXLAN tunnels; empty: tenant networks stay on this host. */
  tunnel_ip: string
  /** The user or group that may open taps; empty: root. */
  tap_user: string
  /** Whether extensions are offered whose rows no driver acts on. */
  inert_extensions: 'auto' | 'show' | 'hide'
}

/** What may stand there; every key has a default. */
export const neutronConfig: ConfigSchema = {
  type: 'object',
  properties: {
    tenant_network_types: { type: 'array', items: { enum: ['local', 'vlan', 'vxlan'] }, default: ['vxlan'], description: 'Types of tenant networks, in the order in which they are tried.' },
    vni_range: {
      type: 'object',
      properties: { min: { type: 'integer', default: 1, description: 'Smallest VXLAN network identifier for tenant networks.' }, max: { type: 'integer', default: 65535, description: 'Largest VXLAN network identifier for tenant networks.' } },
    },
    vlan_ranges: { type: 'object', default: {}, description: 'VLAN ids for tenant networks by physical network: {physnet1: {min: 100, max: 200}}.' },
    flat_networks: { type: 'array', items: { type: 'string' }, default: ['*'], description: 'Physical networks that may carry flat networks; * for any.' },
    global_physnet_mtu: { type: 'integer', minimum: 68, default: 1500, description: 'MTU of the wires between hosts; what a network type adds is taken off.' },
    base_mac: { type: 'string', pattern: '^([0-9a-f]{2}:){5}[0-9a-f]{2}$', default: 'fa:16:3e:00:00:00', description: 'First octets of generated MAC addresses.' },
    dns_domain: { type: 'string', default: 'openstacklocal', description: 'Domain of the host names that DHCP gives out.' },
    dns_servers: { type: 'array', items: { type: 'string' }, default: [], description: 'Name servers of subnets that name none.' },
    default_quotas: { type: 'object', default: QUOTAS, description: 'Quotas of a project of which nothing else is said, laid over the built-in ones; -1 is none.' },
    availability_zone: { type: 'string', default: 'nova', description: 'Availability zone of the network agents.' },
    agent_down_time: { type: 'integer', minimum: 1, default: 75, description: 'Seconds without heartbeat after which an agent counts as dead.' },
    max_fixed_ips_per_port: { type: 'integer', minimum: 1, default: 5, description: 'Addresses that one port may have.' },
    max_routes: { type: 'integer', minimum: 0, default: 30, description: 'Extra routes of one router.' },
    max_subnet_host_routes: { type: 'integer', minimum: 0, default: 20, description: 'Host routes of one subnet.' },
    max_dns_nameservers: { type: 'integer', minimum: 0, default: 5, description: 'Name servers of one subnet.' },
    max_allowed_address_pair: { type: 'integer', minimum: 0, default: 10, description: 'Allowed address pairs of one port.' },
    metadata_proxy_shared_secret: { type: 'string', default: '', description: 'Key under which metadata requests are signed for Nova; empty: the agent proves itself by its token.' },
    network_prefix: { type: 'string', pattern: '^[a-z][a-z0-9]{0,7}$', default: 'ondol', description: 'Begins the names of namespaces and devices on a host.' },
    physical_networks: { type: 'object', default: { public: { kind: 'host', masquerade: true } }, description: 'How flat networks reach the world, by physical_network: {kind: host, masquerade: true} or {kind: bridge, bridge: br0}.' },
    tunnel_ip: { type: 'string', default: '', description: "This host's end of VXLAN tunnels; empty: tenant networks stay on this host." },
    inert_extensions: { enum: ['auto', 'show', 'hide'], default: 'auto', description: 'Whether extensions are offered whose rows no network driver acts on (metering, logging, local_ip). auto: with fake drivers only, where nothing moves packets anyway.' },
    tap_user: { type: 'string', default: '', description: 'The user or group that may open taps; empty: root.' },
  },
}

/** The built-in configuration, for tests. */
export const defaultConfig = withDefaults(neutronConfig, {}) as NeutronConfig
