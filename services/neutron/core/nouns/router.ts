/** Routers, floating IPs and what hangs on them. */
import { anything, bad, computed, flag, good, integer, ip, isBad, json, name, oneOf, orNull, takeBoolean, takeIp, takeList, takeObject, takeUuid, text, uuid, type Take } from '../attribute.ts'
import { described, fact, id, type Noun, project, standard, tags } from '../noun.ts'
import { takeHints } from './network.ts'
import { takeRoutes } from './subnet.ts'

const sent = { post: 'optional', put: true } as const

export const takeGateway: Take = (value) => {
  if (value === null || (typeof value === 'object' && Object.keys(value as object).length === 0)) return good(null)
  const taken = takeObject({ network_id: takeUuid, enable_snat: takeBoolean, external_fixed_ips: takeList(takeObject({ subnet_id: takeUuid, ip_address: takeIp })), qos_policy_id: orNull(takeUuid) })(value)
  if (isBad(taken)) return taken
  return (taken.value as { network_id?: string }).network_id === undefined ? bad(`Validation of dictionary's keys failed. Expected keys: {'network_id'} Provided keys: ${JSON.stringify(Object.keys(value as object))}`) : taken
}

export const router: Noun = {
  one: 'router',
  many: 'routers',
  path: '/v2.0/routers',
  table: 'neutron_routers',
  quota: 'router',
  title: 'Router',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    admin_state_up: flag({ ...sent, default: true }),
    status: fact({ filter: false }),
    external_gateway_info: json(takeGateway, { ...sent, default: null, enforce: true }),
    routes: json(takeRoutes, { put: true }),
    flavor_id: uuid({ post: 'optional', null: true, enforce: true }),
    availability_zone_hints: json(takeHints, { post: 'optional', default: [] }),
    availability_zones: json(anything),
    enable_ndp_proxy: flag({ ...sent }),
    conntrack_helpers: computed(),
    ...described(),
    ...tags,
  },
}

export const floatingip: Noun = {
  one: 'floatingip',
  many: 'floatingips',
  path: '/v2.0/floatingips',
  table: 'neutron_floatingips',
  quota: 'floatingip',
  title: 'Floating IP',
  notFound: 'FloatingIPNotFound',
  fields: {
    id: id(),
    project_id: project(),
    floating_network_id: uuid({ post: 'required' }),
    floating_ip_address: ip({ post: 'optional', null: true, enforce: true }),
    subnet_id: computed({ post: 'optional', hidden: true }, orNull(takeUuid)),
    fixed_ip_address: ip({ ...sent, null: true }),
    port_id: uuid({ ...sent, null: true }),
    router_id: uuid({ null: true }),
    status: fact(),
    qos_policy_id: uuid({ ...sent, null: true, enforce: true }),
    dns_name: text(255, { post: 'optional', default: '' }),
    dns_domain: text(255, { post: 'optional', default: '' }),
    port_details: computed(),
    port_forwardings: computed(),
    ...described(),
    ...tags,
  },
}

const portNumber = (rules: object): ReturnType<typeof integer> => integer({ min: 1, max: 65535, null: true }, rules)

export const portForwarding: Noun = {
  one: 'port_forwarding',
  many: 'port_forwardings',
  path: '/v2.0/floatingips/{floatingip_id}/port_forwardings',
  table: 'neutron_port_forwardings',
  policy: 'floatingip_port_forwarding',
  title: 'Port forwarding',
  notFound: 'PortForwardingNotFound',
  fields: {
    id: id(),
    floatingip_id: uuid({ hidden: true }),
    protocol: oneOf(['tcp', 'udp', 'dccp', 'icmp', 'ipv6-icmp', 'sctp'], { post: 'required', put: true }),
    external_port: portNumber({ ...sent }),
    internal_port: portNumber({ ...sent }),
    internal_ip_address: ip({ post: 'required', put: true }),
    internal_port_id: uuid({ post: 'required', put: true }),
    project_id: project({ hidden: true }),
    description: text(255, { ...sent, default: '' }),
  },
}

export const conntrackHelper: Noun = {
  one: 'conntrack_helper',
  many: 'conntrack_helpers',
  path: '/v2.0/routers/{router_id}/conntrack_helpers',
  table: 'neutron_conntrack_helpers',
  policy: 'router_conntrack_helper',
  title: 'Conntrack helper',
  notFound: 'ConntrackHelperNotFound',
  fields: {
    id: id(),
    router_id: uuid({ hidden: true }),
    protocol: oneOf(['tcp', 'udp', 'dccp', 'icmp', 'ipv6-icmp', 'sctp'], { post: 'required', put: true }),
    port: integer({ min: 1, max: 65535 }, { post: 'required', put: true }),
    helper: text(64, { post: 'required', put: true }),
    project_id: project({ hidden: true }),
  },
}

export const ndpProxy: Noun = {
  one: 'ndp_proxy',
  many: 'ndp_proxies',
  path: '/v2.0/ndp_proxies',
  table: 'neutron_ndp_proxies',
  title: 'Ndp proxy',
  notFound: 'NDPProxyNotFound',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    router_id: uuid({ post: 'required' }),
    port_id: uuid({ post: 'required' }),
    ip_address: ip({ post: 'optional', null: true }),
    description: text(1024, { ...sent, default: '' }),
    ...standard,
  },
}

export const localIp: Noun = {
  one: 'local_ip',
  many: 'local_ips',
  path: '/v2.0/local_ips',
  table: 'neutron_local_ips',
  title: 'Local IP',
  notFound: 'LocalIPNotFound',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    local_port_id: uuid({ post: 'optional' }),
    network_id: uuid({ post: 'optional' }),
    local_ip_address: ip({ post: 'optional', null: true }),
    ip_mode: oneOf(['translate', 'passthrough'], { post: 'optional', default: 'translate' }),
    ...described(1024),
  },
}

export const localIpAssociation: Noun = {
  one: 'port_association',
  many: 'port_associations',
  path: '/v2.0/local_ips/{local_ip_id}/port_associations',
  table: 'neutron_local_ip_associations',
  policy: 'local_ip_port_association',
  title: 'Local IP association',
  notFound: 'LocalIPAssociationNotFound',
  fields: {
    local_ip_id: uuid(),
    local_ip_address: fact(),
    fixed_port_id: uuid({ post: 'required' }),
    fixed_ip: ip({ post: 'optional', null: true }),
    host: fact(),
    project_id: project({ hidden: true }),
  },
}

export const takeInterface = takeObject({ subnet_id: takeUuid, port_id: takeUuid })
