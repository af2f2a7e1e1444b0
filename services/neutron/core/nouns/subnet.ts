/** Subnets, the pools they are cut from, and address scopes. */
import { bad, cidr, computed, flag, good, integer, ip, isBad, json, name, oneOf, orNull, takeCidr, takeIp, takeInteger, takeList, takeObject, takeText, text, uuid, takeUuid, takeBoolean, type Take } from '../attribute.ts'
import { described, fact, id, type Noun, project, standard, tags } from '../noun.ts'
import { formatCidr, parseCidr, parseIp } from '../address.ts'

export const MODES = ['dhcpv6-stateful', 'dhcpv6-stateless', 'slaac'] as const

const sent = { post: 'optional', put: true } as const

const pool: Take = (value) => {
  const taken = takeObject({ start: takeIp, end: takeIp }, ['start', 'end'])(value)
  return isBad(taken) ? bad(typeof value === 'object' && value !== null ? `Invalid data format for IP pool: '${JSON.stringify(value)}'` : taken.reason) : taken
}

/** Extra routes: an address as a destination is a prefix of its own. */
export const takeRoutes: Take = (value) => {
  if (value === null) return good([])
  const destination: Take = (given) => (typeof given === 'string' && parseIp(given) ? takeCidr(`${given}/${given.includes(':') ? 128 : 32}`) : takeCidr(given))
  return takeList(takeObject({ destination, nexthop: takeIp }, ['destination', 'nexthop']), { distinct: true, what: 'list of host routes' })(value)
}

const nameservers: Take = (value) => (value === null ? good([]) : takeList(takeIp, { distinct: true, what: 'valid nameserver list' })(value))

const serviceType: Take = (value) => {
  const taken = takeText(255)(value)
  if (isBad(taken)) return bad(`Subnet service type should be a string`)
  const given = taken.value as string
  return /^[A-Za-z][\w.-]*(:.*)?$/.test(given) ? taken : bad(`Subnet service type '${given}' is not valid: it does not begin like a device_owner`)
}

export const subnet: Noun = {
  one: 'subnet',
  many: 'subnets',
  path: '/v2.0/subnets',
  table: 'neutron_subnets',
  quota: 'subnet',
  title: 'Subnet',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    network_id: uuid({ post: 'required' }),
    ip_version: oneOf([4, 6], { post: 'required' }),
    subnetpool_id: { ...uuid({ post: 'optional', null: true }), take: orNull((value) => (value === 'prefix_delegation' ? good(value) : takeUuid(value))) },
    use_default_subnetpool: computed({ post: 'optional', hidden: true }, takeBoolean),
    cidr: cidr({ post: 'optional', null: true }),
    prefixlen: computed({ post: 'optional', hidden: true }, takeInteger(0, 128)),
    gateway_ip: ip({ ...sent, null: true }),
    enable_dhcp: flag({ ...sent, default: true }),
    allocation_pools: json(orNull(takeList(pool)), sent),
    dns_nameservers: json(nameservers, { ...sent, default: [] }),
    host_routes: json(takeRoutes, { ...sent, default: [] }),
    ipv6_ra_mode: oneOf(MODES, { post: 'optional' }),
    ipv6_address_mode: oneOf(MODES, { post: 'optional' }),
    segment_id: uuid({ ...sent, null: true, guarded: true }),
    service_types: json(takeList(serviceType, { distinct: true }), { ...sent, default: [] }),
    dns_publish_fixed_ip: flag({ ...sent, default: false }),
    ...described(),
    ...tags,
  },
}

/** Host bits are cut off; a bare address is no prefix. */
const prefix: Take = (value) => {
  const read = typeof value === 'string' && value.includes('/') ? parseCidr(value) : undefined
  return read ? good(formatCidr(read)) : bad(`'${String(value)}' is not a valid IP subnet`)
}

export const subnetpool: Noun = {
  one: 'subnetpool',
  many: 'subnetpools',
  path: '/v2.0/subnetpools',
  table: 'neutron_subnetpools',
  quota: 'subnetpool',
  rbac: 'subnetpool',
  title: 'Subnet pool',
  notFound: 'SubnetPoolNotFound',
  fields: {
    id: id(),
    name: text(255, { post: 'required', put: true }),
    project_id: project(),
    prefixes: json(takeList(prefix, { distinct: true }), { post: 'required', put: true }),
    min_prefixlen: integer({ min: 0, max: 128 }, sent),
    max_prefixlen: integer({ min: 0, max: 128 }, sent),
    default_prefixlen: integer({ min: 0, max: 128 }, sent),
    default_quota: integer({ min: 0, null: true }, sent),
    ip_version: { ...fact(), parse: (given) => (/^\d+$/.test(given) ? Number(given) : undefined) },
    shared: computed({ post: 'optional', default: false, enforce: true }, takeBoolean),
    is_default: flag({ ...sent, default: false, enforce: true }),
    address_scope_id: uuid({ ...sent, null: true }),
    ...described(),
    ...tags,
  },
}

export const addressScope: Noun = {
  one: 'address_scope',
  many: 'address_scopes',
  path: '/v2.0/address-scopes',
  table: 'neutron_address_scopes',
  rbac: 'address_scope',
  title: 'Address scope',
  notFound: 'AddressScopeNotFound',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    ip_version: oneOf([4, 6], { post: 'required' }),
    shared: computed({ ...sent, default: false, enforce: true }, takeBoolean),
  },
}

export const addressGroup: Noun = {
  one: 'address_group',
  many: 'address_groups',
  path: '/v2.0/address-groups',
  table: 'neutron_address_groups',
  rbac: 'address_group',
  coy: true,
  title: 'Address group',
  notFound: 'AddressGroupNotFound',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    addresses: json(takeList(prefix), { post: 'optional', default: [] }),
    shared: computed({ hidden: true }),
    description: text(255, { ...sent, default: '' }),
    ...standard,
  },
}
