/** Networks. */
import { anything, computed, flag, integer, isBad, json, name, orNull, takeInteger, takeList, takeObject, takeText, text, uuid, good, type Take } from '../attribute.ts'
import { described, fact, id, type Noun, project, tags } from '../noun.ts'

const segment: Take = (value) => {
  const taken = takeObject({ 'provider:network_type': takeText(32), 'provider:physical_network': orNull(takeText(64)), 'provider:segmentation_id': orNull(takeInteger(0)) })(value)
  return isBad(taken) ? taken : good(taken.value)
}

export const takeHints = takeList(takeText(255), { distinct: true })

const sent = { post: 'optional', put: true } as const

export const network: Noun = {
  one: 'network',
  many: 'networks',
  path: '/v2.0/networks',
  table: 'neutron_networks',
  quota: 'network',
  rbac: 'network',
  title: 'Network',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    admin_state_up: flag({ ...sent, default: true }),
    mtu: integer({ min: 0, max: 2 ** 31 - 1 }, { ...sent, default: 0, enforce: true }),
    status: fact(),
    subnets: computed(),
    shared: computed({ ...sent, default: false, enforce: true }, flag().take),
    'router:external': flag({ ...sent, default: false, enforce: true }),
    is_default: flag({ ...sent, default: false, enforce: true }),
    availability_zone_hints: json(takeHints, { post: 'optional', default: [] }),
    availability_zones: json(anything),
    ipv4_address_scope: computed(),
    ipv6_address_scope: computed(),
    port_security_enabled: flag({ ...sent, default: true, enforce: true }),
    qos_policy_id: uuid({ ...sent, null: true, enforce: true }),
    dns_domain: text(255, { ...sent, default: '' }),
    vlan_transparent: computed({ hidden: true }),
    'provider:network_type': text(32, { ...sent, enforce: true, guarded: true }),
    'provider:physical_network': text(64, { ...sent, null: true, enforce: true, guarded: true }),
    'provider:segmentation_id': integer({ min: 0, null: true }, { ...sent, enforce: true, guarded: true }),
    segments: computed({ ...sent, enforce: true, guarded: true }, takeList(segment)),
    ...described(),
    ...tags,
  },
}
