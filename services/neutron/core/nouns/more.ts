/** Nouns of administration: RBAC, agents, segments, ranges, flavors, metering, logs, trunks. */
import { anything, bad, cidr, computed, flag, good, instant, integer, isBad, json, name, oneOf, orNull, takeInteger, takeList, takeObject, takeText, takeUuid, text, uuid, type Take } from '../attribute.ts'
import { described, fact, id, type Noun, project, standard, tags } from '../noun.ts'

const sent = { post: 'optional', put: true } as const

export const RBAC_ACTIONS: Readonly<Record<string, readonly string[]>> = {
  network: ['access_as_external', 'access_as_shared'],
  qos_policy: ['access_as_shared'],
  security_group: ['access_as_shared'],
  address_scope: ['access_as_shared'],
  subnetpool: ['access_as_shared'],
  address_group: ['access_as_shared'],
}

export const rbacPolicy: Noun = {
  one: 'rbac_policy',
  many: 'rbac_policies',
  path: '/v2.0/rbac-policies',
  table: 'neutron_rbac_policies',
  quota: 'rbac_policy',
  title: 'RBAC policy',
  notFound: 'RbacPolicyNotFound',
  fields: {
    id: id(),
    object_type: text(255, { post: 'required' }),
    object_id: uuid({ post: 'required' }),
    target_tenant: text(255, { post: 'optional', put: true, enforce: true }),
    action: text(255, { post: 'required' }),
    project_id: project(),
  },
}

export const agent: Noun = {
  one: 'agent',
  many: 'agents',
  path: '/v2.0/agents',
  table: 'neutron_agents',
  title: 'Agent',
  notFound: 'AgentNotFound',
  fields: {
    id: id(),
    agent_type: fact(),
    binary: fact(),
    topic: fact(),
    host: fact(),
    admin_state_up: flag({ put: true }),
    description: text(255, { put: true, null: true }),
    availability_zone: fact(),
    configurations: json(anything),
    // `2026-11-21 00:21:05`, agents alone: gophercloud reads no other spelling of them.
    created_at: instant('spaced'),
    started_at: instant('spaced'),
    heartbeat_timestamp: instant('spaced'),
    alive: computed(),
    resources_synced: computed(),
  },
}

export const segment: Noun = {
  one: 'segment',
  many: 'segments',
  path: '/v2.0/segments',
  table: 'neutron_segments',
  title: 'Segment',
  notFound: 'SegmentNotFound',
  fields: {
    id: id(),
    name: text(255, { ...sent, null: true }),
    network_id: uuid({ post: 'required' }),
    network_type: text(32, { post: 'required' }),
    physical_network: text(64, { post: 'optional', null: true }),
    segmentation_id: integer({ min: 1, null: true }, { post: 'optional' }),
    project_id: computed({ post: 'optional', hidden: true }),
    tenant_id: computed({ post: 'optional', hidden: true }),
    ...described(),
    ...tags,
  },
}

export const segmentRange: Noun = {
  one: 'network_segment_range',
  many: 'network_segment_ranges',
  path: '/v2.0/network_segment_ranges',
  table: 'neutron_segment_ranges',
  title: 'Network Segment Range',
  notFound: 'NetworkSegmentRangeNotFound',
  fields: {
    id: id(),
    name: name(),
    default: flag(),
    shared: flag({ post: 'optional', default: true }),
    project_id: project(),
    network_type: oneOf(['vlan', 'vxlan', 'gre', 'geneve'], { post: 'required' }),
    physical_network: text(64, { post: 'optional', null: true }),
    minimum: integer({ min: 1, max: 4294967295 }, { post: 'required', put: true }),
    maximum: integer({ min: 1, max: 4294967295 }, { post: 'required', put: true }),
    used: computed(),
    available: computed(),
    ...described(),
    ...tags,
  },
}

export const flavor: Noun = {
  one: 'flavor',
  many: 'flavors',
  path: '/v2.0/flavors',
  table: 'neutron_flavors',
  title: 'Flavor',
  notFound: 'FlavorNotFound',
  fields: {
    id: id(),
    name: name(),
    description: text(1024, { ...sent, default: '', null: true }),
    service_type: text(255, { post: 'required' }),
    enabled: flag({ ...sent, default: true }),
    service_profiles: json(takeList(takeUuid), { ...sent, default: [] }),
  },
}

export const serviceProfile: Noun = {
  one: 'service_profile',
  many: 'service_profiles',
  path: '/v2.0/service_profiles',
  table: 'neutron_service_profiles',
  title: 'Service Profile',
  notFound: 'ServiceProfileNotFound',
  fields: {
    id: id(),
    description: text(1024, { ...sent, default: '', null: true }),
    driver: text(1024, { ...sent, default: '' }),
    enabled: flag({ ...sent, default: true }),
    metainfo: { ...text(4096, { ...sent, default: '' }), take: (value) => (typeof value === 'string' ? good(value) : good(JSON.stringify(value))) },
  },
}

export const meteringLabel: Noun = {
  one: 'metering_label',
  many: 'metering_labels',
  path: '/v2.0/metering/metering-labels',
  table: 'neutron_metering_labels',
  title: 'Metering label',
  notFound: 'MeteringLabelNotFound',
  fields: {
    id: id(),
    name: name({ put: false }),
    description: text(1024, { post: 'optional', default: '' }),
    project_id: project(),
    shared: flag({ post: 'optional', default: false }),
  },
}

const prefix = cidr({ post: 'optional', null: true })

export const meteringRule: Noun = {
  one: 'metering_label_rule',
  many: 'metering_label_rules',
  path: '/v2.0/metering/metering-label-rules',
  table: 'neutron_metering_rules',
  title: 'Metering label rule',
  notFound: 'MeteringLabelRuleNotFound',
  fields: {
    id: id(),
    metering_label_id: uuid({ post: 'required' }),
    direction: oneOf(['ingress', 'egress'], { post: 'required' }),
    excluded: flag({ post: 'optional', default: false }),
    remote_ip_prefix: prefix,
    source_ip_prefix: prefix,
    destination_ip_prefix: prefix,
    project_id: project({ hidden: true }),
  },
}

export const log: Noun = {
  one: 'log',
  many: 'logs',
  path: '/v2.0/log/logs',
  table: 'neutron_logs',
  title: 'Log resource',
  notFound: 'LogResourceNotFound',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    resource_type: text(255, { post: 'required' }),
    resource_id: uuid({ post: 'optional', null: true }),
    target_id: uuid({ post: 'optional', null: true }),
    event: oneOf(['ACCEPT', 'DROP', 'ALL'], { post: 'optional', default: 'ALL' }),
    enabled: flag({ ...sent, default: true }),
    ...described(),
  },
}

export const takeSubports: Take = (value) => {
  if (!Array.isArray(value)) return bad(`'${String(value)}' is not a list of sub-ports`)
  const taken = takeList(takeObject({ port_id: takeUuid, segmentation_type: takeText(), segmentation_id: orNull(takeInteger(1, 4094)) }, ['port_id']))(value)
  if (isBad(taken)) return taken
  const list = taken.value as { port_id: string; segmentation_type?: string; segmentation_id?: number | null }[]
  const twice = list.find((one, i) => list.findIndex((other) => other.port_id === one.port_id) !== i)
  if (twice) return bad(`port ID '${twice.port_id}' was specified multiple times`)
  const places = list.flatMap((one) => (one.segmentation_type && one.segmentation_id ? [`${one.segmentation_type} ${one.segmentation_id}`] : []))
  const doubled = places.find((one, i) => places.indexOf(one) !== i)
  return doubled === undefined ? taken : bad(`segmentation details '${doubled}' were specified multiple times`)
}

export const trunk: Noun = {
  one: 'trunk',
  many: 'trunks',
  path: '/v2.0/trunks',
  table: 'neutron_trunks',
  quota: 'trunk',
  title: 'Trunk',
  notFound: 'TrunkNotFound',
  fields: {
    id: id(),
    name: name(),
    project_id: project(),
    port_id: uuid({ post: 'required' }),
    admin_state_up: flag({ ...sent, default: true }),
    status: fact(),
    sub_ports: json(takeSubports, { post: 'optional', default: [], enforce: true }),
    ...described(),
    ...tags,
  },
}
