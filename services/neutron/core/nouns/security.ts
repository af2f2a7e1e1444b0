/** Security groups, their rules, and the rules that every new group begins with. */
import { bad, cidr, computed, flag, good, integer, name, oneOf, takeBoolean, takeText, text, uuid, type Take } from '../attribute.ts'
import { described, fact, id, type Noun, project, standard, tags } from '../noun.ts'
import { parseCidr, parseIp, formatCidr } from '../address.ts'

const sent = { post: 'optional', put: true } as const

const protocol: Take = (value) => {
  if (value === null || value === '') return good(null)
  const given = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.toLowerCase() : undefined
  if (given === undefined) return bad(`'${String(value)}' is not a valid protocol`)
  if (/^\d+$/.test(given)) return Number(given) <= 255 ? good(given) : bad(`Security group rule protocol ${given} not supported.`)
  return good(given)
}

const ethertype: Take = (value) => {
  const found = ['IPv4', 'IPv6'].find((one) => typeof value === 'string' && one.toLowerCase() === value.toLowerCase())
  return found ? good(found) : good(value)
}

const portNumber: Take = (value) => {
  if (value === null || value === '') return good(null)
  const read = typeof value === 'number' ? value : typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : Number.NaN
  return Number.isSafeInteger(read) ? good(read) : bad(`'${String(value)}' is not an integer`)
}

/** A prefix as given: host bits stay, `normalized_cidr` has them cut off. */
const remotePrefix: Take = (value) => {
  if (value === null || value === '') return good(null)
  if (typeof value !== 'string') return bad(`'${String(value)}' is not a valid IP subnet`)
  if (parseIp(value)) return good(formatCidr(parseCidr(value)!))
  return parseCidr(value) && value.includes('/') ? good(value) : bad(`'${value}' is not a valid CIDR`)
}

export const ruleFields = {
  direction: oneOf(['ingress', 'egress'], { post: 'required' }),
  ethertype: { ...text(40, { post: 'optional', default: 'IPv4' }), take: ethertype },
  protocol: { ...text(40, { post: 'optional', null: true }), take: protocol },
  port_range_min: { ...integer({ null: true }, { post: 'optional' }), take: portNumber },
  port_range_max: { ...integer({ null: true }, { post: 'optional' }), take: portNumber },
  remote_ip_prefix: { ...cidr({ post: 'optional', null: true }), take: remotePrefix },
  // A name that is no id is simply not found.
  remote_group_id: text(255, { post: 'optional', null: true }),
  remote_address_group_id: text(255, { post: 'optional', null: true }),
} as const

export const securityGroup: Noun = {
  one: 'security_group',
  many: 'security_groups',
  path: '/v2.0/security-groups',
  table: 'neutron_security_groups',
  quota: 'security_group',
  rbac: 'security_group',
  title: 'Security group',
  notFound: 'SecurityGroupNotFound',
  fields: {
    id: id(),
    name: { ...name({ post: 'required' }), take: (value) => takeText(255)(typeof value === 'number' ? String(value) : value) },
    stateful: flag({ ...sent, default: true }),
    project_id: project(),
    security_group_rules: computed(),
    shared: computed(),
    ...described(),
    ...tags,
  },
}

export const securityGroupRule: Noun = {
  one: 'security_group_rule',
  many: 'security_group_rules',
  path: '/v2.0/security-group-rules',
  table: 'neutron_security_group_rules',
  quota: 'security_group_rule',
  title: 'Security group rule',
  notFound: 'SecurityGroupRuleNotFound',
  fields: {
    id: id(),
    project_id: project(),
    security_group_id: uuid({ post: 'required' }),
    ...ruleFields,
    normalized_cidr: fact(),
    belongs_to_default_sg: flag(),
    description: text(255, { post: 'optional', default: '' }),
    ...standard,
  },
}

export const defaultSecurityGroupRule: Noun = {
  one: 'default_security_group_rule',
  many: 'default_security_group_rules',
  path: '/v2.0/default-security-group-rules',
  table: 'neutron_default_sg_rules',
  title: 'Default security group rule',
  notFound: 'DefaultSecurityGroupRuleNotFound',
  fields: {
    id: id(),
    description: text(255, { post: 'optional', default: '' }),
    ...ruleFields,
    used_in_default_sg: flag({ post: 'optional', default: false }),
    used_in_non_default_sg: flag({ post: 'optional', default: true }),
  },
}

export const defaultStatefulness: Noun = {
  one: 'security_groups_default_statefulness',
  many: 'security_groups_default_statefulness',
  path: '/v2.0/security-groups-default-statefulness',
  table: 'neutron_sg_statefulness',
  title: 'Security groups default statefulness',
  notFound: 'SecurityGroupsDefaultStatefulnessNotFound',
  fields: {
    id: id(),
    project_id: project(),
    stateful: { ...flag({ ...sent, default: true }), take: takeBoolean },
  },
}
