/** QoS policies and their rules. */
import { computed, flag, integer, name, oneOf, takeBoolean, uuid } from '../attribute.ts'
import { described, id, type Noun, project, tags } from '../noun.ts'

const sent = { post: 'optional', put: true } as const
const RATE = { min: 0, max: 2147483647 }
const needed = { post: 'required', put: true } as const
const DIRECTIONS = ['egress', 'ingress'] as const

export const qosPolicy: Noun = {
  one: 'policy',
  many: 'policies',
  path: '/v2.0/qos/policies',
  table: 'neutron_qos_policies',
  rbac: 'qos_policy',
  title: 'QoS policy',
  notFound: 'QosPolicyNotFound',
  fields: {
    id: id(),
    name: name({ post: 'required' }),
    project_id: project(),
    shared: computed({ ...sent, default: false, filter: true }, takeBoolean),
    is_default: flag({ ...sent, default: false }),
    rules: computed(),
    ...described(),
    ...tags,
  },
}

export const DSCP = [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56] as const

const rule = (type: string, fields: Noun['fields']): Noun => ({
  one: `${type}_rule`,
  many: `${type}_rules`,
  path: `/v2.0/qos/policies/{policy_id}/${type}_rules`,
  table: 'neutron_qos_rules',
  policy: `policy_${type}_rule`,
  title: 'QoS rule',
  notFound: 'QosRuleNotFound',
  fields: { id: id(), qos_policy_id: uuid({ hidden: true }), type: { ...uuid({ hidden: true }) }, ...fields },
})

/** By the type that stands in `rules` and in `rule-types`. */
export const qosRules: Readonly<Record<string, Noun>> = {
  bandwidth_limit: rule('bandwidth_limit', { max_kbps: integer(RATE, needed), max_burst_kbps: integer(RATE, { ...sent, default: 0 }), direction: oneOf(DIRECTIONS, { ...sent, default: 'egress' }) }),
  dscp_marking: rule('dscp_marking', { dscp_mark: oneOf(DSCP, needed) }),
  minimum_bandwidth: rule('minimum_bandwidth', { min_kbps: integer(RATE, needed), direction: oneOf(DIRECTIONS, { ...sent, default: 'egress' }) }),
  minimum_packet_rate: rule('minimum_packet_rate', { min_kpps: integer(RATE, needed), direction: oneOf(['any', ...DIRECTIONS], { ...sent, default: 'egress' }) }),
  packet_rate_limit: rule('packet_rate_limit', { max_kpps: integer(RATE, needed), max_burst_kpps: integer(RATE, { ...sent, default: 0 }), direction: oneOf(DIRECTIONS, { ...sent, default: 'egress' }) }),
}

export const ruleFieldsOf = (type: string): string[] => Object.entries(qosRules[type]!.fields).filter(([, field]) => !field.hidden).map(([key]) => key)
