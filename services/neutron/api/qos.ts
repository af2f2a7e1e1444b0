/** `/v2.0/qos/…`: policies, their rules, and the same rules by their own id (`alias_…`). */
import { conflict, forbidden, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { toColumns } from '#neutron/core/body.ts'
import { DSCP, qosPolicy as noun, qosRules, ruleFieldsOf } from '#neutron/core/nouns/qos.ts'
import type { Noun } from '#neutron/core/noun.ts'
import { setShared, shareWithAll } from '#neutron/flows/sharing.ts'
import { born, changed, touch } from '#neutron/flows/standard.ts'
import type { Neutron } from '#neutron/house.ts'
import { boundBelow, qosRulesOf, routersBelow } from '#neutron/store/qos.ts'
import { removeRbacOf } from '#neutron/store/rbac.ts'
import { changeRow, insertRow, removeRow, rowOf } from '#neutron/store/rows.ts'
import type { QosRuleRow, Row, T } from '#neutron/store/tables.ts'
import { equals } from '#neutron/store/where.ts'
import { actorOf, missing } from './actor.ts'
import { type Below, childCreate, childDelete, childDesk, childUpdate, demandRead, parentRow } from './child.ts'
import { type Desk, listReply, readRoutes, rowReply, showReply } from './desk.ts'
import { isShared } from './lens.ts'
import { sharedDesk } from './pools.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'
import { but, store } from '#neutron/store/store.ts'

const shownRule = (rule: QosRuleRow): Row => ({ ...Object.fromEntries(ruleFieldsOf(rule.type).map((key) => [key, (rule as unknown as Row)[key]])), type: rule.type, qos_policy_id: rule.qos_policy_id })

export const qosDesk: Desk = sharedDesk(noun, async (_house, db, rows, actor, wanted) => {
  const rules = wanted('rules') ? Map.groupBy(await qosRulesOf(db, rows.map((row) => row.id as string)), (rule) => rule.qos_policy_id) : undefined
  return (row) => ({ shared: isShared(row, actor.project), rules: (rules?.get(row.id as string) ?? []).map(shownRule) })
})

const below: Below = { parent: qosDesk, parentKey: 'qos_policy_id', parameter: 'policy_id' }

export function qosRoutes(house: Neutron): Route[] {
  return [
    ...readRoutes(qosDesk, house),
    route({ method: 'POST', path: noun.path, name: 'qos_policies.create', status: 201, handle: (rq) => create(house, rq) }),
    route({ method: 'PUT', path: `${noun.path}/{id}`, name: 'qos_policies.update', status: 200, handle: (rq) => update(house, rq) }),
    route({
      method: 'DELETE',
      path: `${noun.path}/{id}`,
      name: 'qos_policies.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = await rowToChange(tx, { desk: qosDesk, house, rq, id: rq.params.id!, rules: ['delete_policy'] })
          await unused(tx, row.id as string)
          await store.qosRules.drop(tx, { qos_policy_id: row.id as string })
          await removeRbacOf(tx, 'qos_policy', row.id as string)
          await removeRow(tx as never, noun.table, row.id as string)
        })
        return {}
      },
    }),
    ...Object.entries(qosRules).flatMap(([type, rule]) => ruleRoutes(house, type, rule)),
    ...(['bandwidth_limit', 'dscp_marking', 'minimum_bandwidth', 'minimum_packet_rate'] as const).flatMap((type) => aliasRoutes(house, type, qosRules[type]!)),
    route({ method: 'GET', path: '/v2.0/qos/rule-types', name: 'qos_rule_types.list', status: 200, policy: 'get_rule_type', handle: (rq) => ({ json: { rule_types: (rq.query.get('all_rules')?.toLowerCase() === 'true' ? Object.keys(qosRules) : SUPPORTED).map((type) => ({ type })) } }) }),
    route({
      method: 'GET',
      path: '/v2.0/qos/rule-types/{rule_type}',
      name: 'qos_rule_types.show',
      status: 200,
      handle: (rq) => {
        const type = rq.params.rule_type!
        // The drivers behind a type are the operator's business.
        if (!actorOf(rq).admin) throw forbidden('rule:get_rule_type is disallowed by policy', { code: 'PolicyNotAuthorized' })
        if (!SUPPORTED.includes(type)) throw notFound(`Rule type ${type} could not be found.`, { code: 'QosRuleTypeNotFound' })
        return { json: { rule_type: { type, drivers: [{ name: 'linuxbridge', supported_parameters: PARAMETERS[type] ?? [] }] } } }
      },
    }),
  ]
}

/** What the drivers limit, and what placement is asked for. */
const SUPPORTED = ['bandwidth_limit', 'dscp_marking', 'minimum_bandwidth', 'minimum_packet_rate', 'packet_rate_limit']

const range = (parameter_name: string): object => ({ parameter_name, parameter_type: 'range', parameter_values: { start: 0, end: 2147483647 } })
const choice = (...values: string[]): object => ({ parameter_name: 'direction', parameter_type: 'choices', parameter_values: values })
const PARAMETERS: Readonly<Record<string, object[]>> = {
  bandwidth_limit: [range('max_kbps'), range('max_burst_kbps'), choice('ingress', 'egress')],
  dscp_marking: [{ parameter_name: 'dscp_mark', parameter_type: 'choices', parameter_values: DSCP }],
  packet_rate_limit: [range('max_kpps'), range('max_burst_kpps'), choice('ingress', 'egress')],
  minimum_bandwidth: [range('min_kbps'), choice('ingress', 'egress')],
  minimum_packet_rate: [range('min_kpps'), choice('any', 'ingress', 'egress')],
}

async function onlyDefault(tx: T, project: string, id: string): Promise<void> {
  const other = await store.qosPolicies.one(tx, { project_id: project, is_default: 1, id: but(id) }, ['id'])
  if (other) throw conflict(`A default QoS policy exists for project ${project}: ${other.id}.`, { code: 'QoSPolicyDefaultAlreadyExists' })
}

async function create(house: Neutron, rq: Rq): Promise<Reply> {
  const item = createWish(noun, rq, { bulk: false }).items[0]!
  demandCreate(noun, rq, item)
  const row = await house.db.transaction(async (tx) => {
    const shared = item.values.shared === true
    const made = { ...toColumns(noun, item.values), id: house.world.random.uuid(), shared_with: shared ? '["*"]' : '[]', tags: '[]', ...born(house) } as unknown as Row & { id: string; project_id: string; is_default: number }
    if (made.is_default) await onlyDefault(tx, made.project_id, made.id)
    await insertRow(tx as never, noun.table, made)
    if (shared) await shareWithAll(house, tx, 'qos_policy', made)
    return made
  })
  return rowReply(qosDesk, house, rq, row)
}

async function update(house: Neutron, rq: Rq): Promise<Reply> {
  const given = updateWish(noun, rq)
  const row = await house.db.transaction(async (tx) => {
    const before = (await rowToChange(tx, { desk: qosDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })) as Row & { id: string; project_id: string; shared_with: string }
    const next: Row = { ...before, ...toColumns(noun, given.values), ...changed(house, before) }
    if (given.values.is_default === true) await onlyDefault(tx, before.project_id, before.id)
    if (given.values.shared === false) await notInUse(tx, before)
    await changeRow(tx as never, noun.table, before.id, next)
    if (given.values.shared !== undefined) next.shared_with = await setShared(house, tx, 'qos_policy', before, given.values.shared === true)
    return next
  })
  return rowReply(qosDesk, house, rq, row)
}

async function notInUse(tx: T, row: { id: string; project_id: string }): Promise<void> {
  const users = { qos_policy_id: row.id }
  if ((await store.ports.has(tx, users)) || (await store.networks.has(tx, users))) throw conflict(`RBAC policy on object ${row.id} cannot be removed because other objects depend on it.`, { code: 'RbacPolicyInUse' })
}

async function unused(tx: T, id: string): Promise<void> {
  const users = { network: await store.networks.one(tx, { qos_policy_id: id }, ['id']), port: await store.ports.one(tx, { qos_policy_id: id }, ['id']), floatingip: await store.floatingIps.one(tx, { qos_policy_id: id }, ['id']) }
  for (const [kind, user] of Object.entries(users)) if (user) throw conflict(`QoS Policy ${id} is used by ${kind} ${user.id}.`, { code: 'QosPolicyInUse' })
}

/** Ports and routers below a changed policy are wired anew. */
async function tellPorts(house: Neutron, tx: T, policyId: string): Promise<void> {
  for (const [host, ports] of await boundBelow(tx, policyId)) house.notices.changed(tx, { ports }, host)
  const routers = await routersBelow(tx, policyId)
  if (routers.length > 0) house.notices.changed(tx, { routers })
}

const verbsOf = (house: Neutron, type: string) => ({
  async create(tx: T, _rq: Rq, parent: Row, row: Row): Promise<void> {
    row.type = type
    await apart(tx, parent.id as string, row as unknown as QosRuleRow)
  },
  update: (tx: T, _rq: Rq, parent: Row, next: Row): Promise<void> => apart(tx, parent.id as string, next as unknown as QosRuleRow),
  async settled(tx: T, parent: Row): Promise<void> {
    await touch(house, tx, noun.table, parent as { id: string; revision_number: number })
    await tellPorts(house, tx, parent.id as string)
  },
})

/** One rule of a type and direction; a limit may not be below what is promised. */
async function apart(tx: T, policyId: string, row: QosRuleRow): Promise<void> {
  const others = (await qosRulesOf(tx, [policyId])).filter((rule) => rule.id !== row.id)
  const clash = (rule: QosRuleRow): never => {
    throw conflict(`Rule ${row.type} conflicts with rule ${rule.id} which already exists in QoS Policy ${policyId}.`, { code: 'QoSRulesConflict' })
  }
  for (const rule of others) {
    const same = (rule.direction ?? null) === (row.direction ?? null) || rule.direction === 'any' || row.direction === 'any'
    if (rule.type === row.type && same) clash(rule)
    const pair = (limit: string, least: string, max: 'max_kbps' | 'max_kpps', min: 'min_kbps' | 'min_kpps'): void => {
      if (row.type === limit && rule.type === least && same && row[max]! < rule[min]!) clash(rule)
      if (row.type === least && rule.type === limit && same && rule[max]! < row[min]!) clash(rule)
    }
    pair('bandwidth_limit', 'minimum_bandwidth', 'max_kbps', 'min_kbps')
    pair('packet_rate_limit', 'minimum_packet_rate', 'max_kpps', 'min_kpps')
  }
}

function ruleRoutes(house: Neutron, type: string, rule: Noun): Route[] {
  const path = `${rule.path}/{id}`
  const verbs = verbsOf(house, type)
  const seen = async (rq: Rq) => {
    const parent = await parentRow(below, house, house.db, rq)
    demandRead(rq, rule.policy!, parent)
    return { desk: childDesk(rule, () => parent), scope: [equals('qos_policy_id', [parent.id as string]), equals('type', [type])] }
  }
  return [
    route({ method: 'GET', path: rule.path, name: `qos.${rule.many}.list`, status: 200, handle: async (rq) => { const { desk, scope } = await seen(rq); return listReply(desk, house, rq, scope) } }),
    route({ method: 'GET', path, name: `qos.${rule.many}.show`, status: 200, handle: async (rq) => { const { desk, scope } = await seen(rq); return showReply(desk, house, rq, rq.params.id!, scope) } }),
    route({ method: 'POST', path: rule.path, name: `qos.${rule.many}.create`, status: 201, handle: (rq) => childCreate(rule, below, house, rq, verbs) }),
    route({ method: 'PUT', path, name: `qos.${rule.many}.update`, status: 200, handle: (rq) => childUpdate(rule, below, house, rq, verbs) }),
    route({ method: 'DELETE', path, name: `qos.${rule.many}.delete`, status: 204, handle: (rq) => childDelete(rule, below, house, rq, verbs) }),
  ]
}

/** A rule by its id alone: the policy is looked up, and the rest is as below the policy. */
function aliasRoutes(house: Neutron, type: string, rule: Noun): Route[] {
  const path = `/v2.0/qos/alias_${rule.many}/{id}`
  const alias: Noun = { ...rule, one: `alias_${rule.one}`, policy: `alias_${rule.one}` }
  const found = async (rq: Rq): Promise<Rq> => {
    const row = await rowOf(house.db as never, rule.table, rq.params.id!, [equals('type', [type])])
    if (!row) throw missing(rule, rq.params.id!)
    return { ...rq, params: { ...rq.params, policy_id: row.qos_policy_id as string } }
  }
  const verbs = verbsOf(house, type)
  return [
    route({
      method: 'GET',
      path,
      name: `qos.alias_${rule.many}.show`,
      status: 200,
      handle: async (rq) => {
        const inner = await found(rq)
        const parent = await parentRow(below, house, house.db, inner)
        demandRead(inner, alias.policy!, parent)
        return showReply(childDesk(alias, () => parent), house, inner, rq.params.id!)
      },
    }),
    route({ method: 'PUT', path, name: `qos.alias_${rule.many}.update`, status: 200, handle: async (rq) => childUpdate(alias, below, house, await found(rq), verbs) }),
    route({ method: 'DELETE', path, name: `qos.alias_${rule.many}.delete`, status: 204, handle: async (rq) => childDelete(alias, below, house, await found(rq), verbs) }),
  ]
}
