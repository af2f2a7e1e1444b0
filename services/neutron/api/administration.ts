/** Small nouns: flavors and profiles, metering, logs, rules of new groups, segments, ranges. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { flavor, log, meteringLabel, meteringRule, serviceProfile } from '#neutron/core/nouns/more.ts'
import { defaultSecurityGroupRule, defaultStatefulness } from '#neutron/core/nouns/security.ts'
import { checkRule } from '#neutron/core/security-rules.ts'
import { ruleAsk } from '#neutron/flows/security-groups.ts'
import type { Neutron } from '#neutron/house.ts'
import { changeRow, rowOf, rowsWhere } from '#neutron/store/rows.ts'
import { equals } from '#neutron/store/where.ts'
import type { Row, T } from '#neutron/store/tables.ts'
import { actorOf, missing } from './actor.ts'
import { derivedRoutes } from './derive.ts'
import { type Desk, readRoutes, rowFor } from './desk.ts'
import { store } from '#neutron/store/store.ts'

const everybody: Pick<Desk, 'visible' | 'targets'> = { visible: () => undefined, targets: async () => () => ({}) }
const flavorDesk: Desk = { noun: flavor, ...everybody }
const profileDesk: Desk = { noun: serviceProfile, ...everybody }
const labelDesk: Desk = { noun: meteringLabel, visible: (actor) => (actor.admin ? undefined : (eb) => eb.or([eb('project_id', '=', actor.project ?? ''), eb('shared', '=', 1)])) }
const labelRuleDesk: Desk = { noun: meteringRule }
const logDesk: Desk = { noun: log }
const defaultRuleDesk: Desk = { noun: defaultSecurityGroupRule, ...everybody }
const statefulDesk: Desk = { noun: defaultStatefulness }

export function administrationRoutes(house: Neutron): Route[] {
  return [
    ...readRoutes(flavorDesk, house),
    ...derivedRoutes(flavorDesk, house, { create: flavorKind, delete: flavorUnused }),
    ...profileLinks(house),
    ...readRoutes(profileDesk, house),
    ...derivedRoutes(profileDesk, house, { create: profileSays, delete: profileUnused }),
    ...readRoutes(labelDesk, house),
    ...derivedRoutes(labelDesk, house, { update: false, delete: async (tx, _rq, row) => void (await store.meteringRules.drop(tx, { metering_label_id: row.id as string })) }),
    ...readRoutes(labelRuleDesk, house),
    ...derivedRoutes(labelRuleDesk, house, { update: false, create: (tx, rq, row) => labelRule(house, tx, rq, row) }),
    route({ method: 'GET', path: '/v2.0/log/loggable-resources', name: 'loggable_resources.list', status: 200, policy: 'get_loggable_resource', handle: () => ({ json: { loggable_resources: [{ type: 'security_group' }] } }) }),
    ...readRoutes(logDesk, house),
    ...derivedRoutes(logDesk, house, { create: logTargets }),
    ...readRoutes(defaultRuleDesk, house),
    ...derivedRoutes(defaultRuleDesk, house, { update: false, create: defaultRule }),
    ...readRoutes(statefulDesk, house),
    ...derivedRoutes(statefulDesk, house, { create: onePerProject }),
  ]
}

async function flavorKind(_tx: T, _rq: Rq, row: Row): Promise<void> {
  if (!['L3_ROUTER_NAT', 'L3', 'DUMMY', 'FIREWALL', 'VPN', 'LOADBALANCER', 'METERING', 'QOS', 'LOADBALANCERV2', 'LOG_API', 'TRUNK', 'TAG', 'FLAVORS'].includes(row.service_type as string)) {
    throw invalid(`Invalid input for service_type. Reason: Service type '${String(row.service_type)}' is not found.`, { code: 'HTTPBadRequest', field: 'service_type' })
  }
}

async function flavorUnused(tx: T, _rq: Rq, row: Row): Promise<void> {
  const user = await store.routers.one(tx, { flavor_id: row.id as string }, ['id'])
  if (user) throw conflict(`Flavor ${String(row.id)} is used by some service instance.`, { code: 'FlavorInUse' })
}

async function profileSays(_tx: T, _rq: Rq, row: Row): Promise<void> {
  if (row.driver === '' && row.metainfo === '') throw invalid('Service Profile needs either metainfo or driver.', { code: 'ServiceProfileEmpty' })
  if (row.driver !== '') throw notFound(`Service Profile driver ${String(row.driver)} could not be found.`, { code: 'ServiceProfileDriverNotFound' })
}

async function profileUnused(tx: T, _rq: Rq, row: Row): Promise<void> {
  const flavors = await rowsWhere(tx as never, flavor.table, [], ['id', 'service_profiles'])
  if (flavors.some((one) => (JSON.parse(one.service_profiles as string) as string[]).includes(row.id as string))) throw conflict(`Service Profile ${String(row.id)} is used by some service flavor.`, { code: 'ServiceProfileInUse' })
}

/** `/flavors/{id}/service_profiles` binds a profile to a flavor. */
function profileLinks(house: Neutron): Route[] {
  const path = `${flavor.path}/{flavor_id}/service_profiles`
  const change = async (rq: Rq, next: (before: string[]) => string[]): Promise<void> => {
    await house.db.transaction(async (tx) => {
      const row = await rowOf(tx as never, flavor.table, rq.params.flavor_id!)
      if (!row) throw missing(flavor, rq.params.flavor_id!)
      await changeRow(tx as never, flavor.table, row.id as string, { service_profiles: JSON.stringify(next(JSON.parse(row.service_profiles as string) as string[])) })
    })
  }
  return [
    route({
      method: 'POST',
      path,
      name: 'flavors.add_service_profile',
      status: 201,
      policy: 'create_flavor_service_profile',
      handle: async (rq): Promise<Reply> => {
        const id = (rq.body as { service_profile?: { id?: unknown } } | undefined)?.service_profile?.id
        if (typeof id !== 'string') throw invalid(`Unable to find 'service_profile' in request body`, { code: 'HTTPBadRequest', field: 'service_profile' })
        const profile = await rowOf(house.db as never, serviceProfile.table, id)
        if (!profile) throw missing(serviceProfile, id)
        await change(rq, (before) => {
          if (before.includes(id)) throw conflict(`Service Profile ${id} is already associated with flavor ${rq.params.flavor_id!}.`, { code: 'FlavorServiceProfileBindingExists' })
          return [...before, id]
        })
        return { json: { service_profile: { id } } }
      },
    }),
    route({
      method: 'DELETE',
      path: `${path}/{profile_id}`,
      name: 'flavors.remove_service_profile',
      status: 204,
      policy: 'delete_flavor_service_profile',
      handle: async (rq) => {
        const id = rq.params.profile_id!
        await change(rq, (before) => {
          if (!before.includes(id)) throw notFound(`Service Profile ${id} is not associated with flavor ${rq.params.flavor_id!}.`, { code: 'FlavorServiceProfileBindingNotFound' })
          return before.filter((one) => one !== id)
        })
        return {}
      },
    }),
  ]
}

async function labelRule(house: Neutron, tx: T, rq: Rq, row: Row): Promise<void> {
  await rowFor(labelDesk, house, tx, rq, row.metering_label_id as string)
  const prefixes = ['remote_ip_prefix', 'source_ip_prefix', 'destination_ip_prefix'].filter((key) => row[key] !== null)
  if (row.remote_ip_prefix !== null && prefixes.length > 1) throw invalid('Metering Label Rule contains source_ip_prefix or destination_ip_prefix and remote_ip_prefix at the same time.', { code: 'MeteringLabelRuleInvalidPrefix' })
  if (prefixes.length === 0) throw invalid('Invalid input for operation: Metering Label Rule needs remote_ip_prefix, source_ip_prefix or destination_ip_prefix.', { code: 'InvalidInput' })
  const others = await rowsWhere(tx as never, meteringRule.table, [equals('metering_label_id', [row.metering_label_id as string])])
  const same = others.find((one) => prefixes.every((key) => one[key] === row[key]) && one.direction === row.direction)
  if (same) throw conflict(`Duplicate Metering Rule in POST.`, { code: 'MeteringLabelRuleOverlaps' })
}

/** What is logged must be there, and be the caller's or an administrator's wish. */
async function logTargets(tx: T, rq: Rq, row: Row): Promise<void> {
  if (row.resource_type !== 'security_group') throw invalid(`Invalid input for operation: Invalid resource log type: ${String(row.resource_type)}.`, { code: 'InvalidLogResourceType', field: 'resource_type' })
  const there = async (table: string, id: unknown, code: string, what: string): Promise<void> => {
    if (id === null || id === undefined) return
    const found = await rowOf(tx as never, table, id as string)
    if (!found || (!actorOf(rq).admin && found.project_id !== actorOf(rq).project)) throw notFound(`${what} ${String(id)} could not be found.`, { code })
  }
  await there('neutron_security_groups', row.resource_id, 'ResourceNotFound', 'Resource')
  await there('neutron_ports', row.target_id, 'TargetResourceNotFound', 'Target resource')
}

async function defaultRule(_tx: T, _rq: Rq, row: Row): Promise<void> {
  const ask = ruleAsk(row)
  const parent = ask.remote_group_id === 'PARENT'
  checkRule({ ...ask, remote_group_id: parent ? 'parent' : ask.remote_group_id })
}

async function onePerProject(tx: T, _rq: Rq, row: Row): Promise<void> {
  const [other] = await rowsWhere(tx as never, defaultStatefulness.table, [equals('project_id', [row.project_id as string])], ['id'])
  if (other) throw conflict(`A default statefulness for project ${String(row.project_id)} exists already.`, { code: 'SecurityGroupsDefaultStatefulnessExists' })
}

