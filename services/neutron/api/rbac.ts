/** `/v2.0/rbac-policies` */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { RBAC_ACTIONS, rbacPolicy as noun } from '#neutron/core/nouns/more.ts'
import { strangersGone } from '#neutron/flows/networks.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { insertRbac, rbacOf, refreshShared, SHARED } from '#neutron/store/rbac.ts'
import { changeRow, rowOf } from '#neutron/store/rows.ts'
import { projectsOutside } from '#neutron/store/routers.ts'
import { changed } from '#neutron/flows/standard.ts'
import { isShared } from './lens.ts'
import type { NetworkRow, RbacRow, Row, T } from '#neutron/store/tables.ts'
import { actorOf } from './actor.ts'
import { type Desk, readRoutes, rowReply } from './desk.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'
import { store } from '#neutron/store/store.ts'
import { projectsUsing } from '#neutron/store/security-groups.ts'

export const rbacDesk: Desk = { noun }

export function rbacRoutes(house: Neutron): Route[] {
  return [
    ...readRoutes(rbacDesk, house),
    route({ method: 'POST', path: noun.path, name: 'rbac_policies.create', status: 201, handle: (rq) => create(house, rq) }),
    route({
      method: 'PUT',
      path: `${noun.path}/{id}`,
      name: 'rbac_policies.update',
      status: 200,
      handle: async (rq) => {
        const given = updateWish(noun, rq)
        const row = await house.db.transaction(async (tx) => {
          const before = (await rowToChange(tx, { desk: rbacDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })) as unknown as RbacRow
          const target = given.values.target_tenant as string | undefined
          if (target === undefined || target === before.target_tenant) return before
          const next = { ...before, target_tenant: target }
          await once(tx, next)
          // Of a network, those who keep sight by the new target count; of other things, as Neutron, nobody does.
          if (before.object_type !== 'network') await withoutIt(tx, before)
          await changeRow(tx as never, noun.table, before.id, next as never)
          if (before.object_type === 'network') await lost(tx, before)
          await settle(house, tx, before)
          return next
        })
        return rowReply(rbacDesk, house, rq, row as never)
      },
    }),
    route({
      method: 'DELETE',
      path: `${noun.path}/{id}`,
      name: 'rbac_policies.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = (await rowToChange(tx, { desk: rbacDesk, house, rq, id: rq.params.id!, rules: ['delete_rbac_policy'] })) as unknown as RbacRow
          await store.rbac.drop(tx, { id: row.id })
          await lost(tx, row)
          await settle(house, tx, row)
        })
        return {}
      },
    }),
  ]
}

async function once(tx: T, row: RbacRow): Promise<void> {
  const same = (await rbacOf(tx, row.object_type, row.object_id)).find((one) => one.target_tenant === row.target_tenant && one.action === row.action && one.id !== row.id)
  if (same) throw conflict('An RBAC policy already exists with those values.', { code: 'DuplicateRbacPolicy' })
}

/** As if it were removed. */
async function withoutIt(tx: T, row: RbacRow): Promise<void> {
  await store.rbac.drop(tx, { id: row.id })
  await lost(tx, row)
  await store.rbac.add(tx, row)
}

/** Refuses to take away sight of what the target uses. */
async function lost(tx: T, row: RbacRow): Promise<void> {
  const inUse = (detail: string): never => {
    throw conflict(`RBAC policy on object ${row.object_id} cannot be removed because other objects depend on it.\nDetails: ${detail}`, { code: 'RbacPolicyInUse' })
  }
  if (row.action === 'access_as_external') return lostOutside(tx, row, inUse)
  if (row.object_type === 'network') {
    const network = (await rowOf(tx as never, 'neutron_networks', row.object_id)) as unknown as NetworkRow | undefined
    if (network) await strangersGone(tx, network, row.target_tenant).catch((thrown: unknown) => inUse((thrown as Error).message))
    return
  }
  const rest = (await rbacOf(tx, row.object_type, row.object_id)).filter((one) => one.action === 'access_as_shared').map((one) => one.target_tenant)
  if (rest.includes('*')) return
  const owner = (await rowOf(tx as never, SHARED[row.object_type]!, row.object_id))?.project_id as string | undefined
  if (owner === undefined) return
  const users = (await usersOf(tx, row)).filter((project) => (project !== owner || (row.object_type === 'qos_policy' && row.target_tenant === '*')) && project !== '' && !rest.includes(project) && (row.target_tenant === '*' || project === row.target_tenant))
  if (users.length > 0) inUse(`${row.object_type} ${row.object_id} is in use by project ${users[0]!}.`)
}

/** A way out that routers or floating IPs use stays; the default one stays for everybody. */
async function lostOutside(tx: T, row: RbacRow, inUse: (detail: string) => never): Promise<void> {
  const network = await store.networks.one(tx, { id: row.object_id })
  if (!network) return
  const rest = (await store.rbac.all(tx, { object_type: 'network', object_id: row.object_id, action: 'access_as_external' }, ['target_tenant'])).map((one) => one.target_tenant)
  if (rest.includes('*')) return
  if (network.is_default && row.target_tenant === '*') inUse(`network ${network.id} is the default external network.`)
  const users = (await projectsOutside(tx, network.id)).filter((project) => project !== network.project_id && !rest.includes(project) && (row.target_tenant === '*' || project === row.target_tenant))
  if (users.length > 0) inUse(`network ${network.id} has gateways or floating IPs of project ${users[0]!}.`)
}

/** Projects that use a shared thing. */
async function usersOf(tx: T, row: RbacRow): Promise<string[]> {
  const id = row.object_id
  switch (row.object_type) {
    case 'qos_policy':
      return [
        ...(await store.ports.all(tx, { qos_policy_id: id }, ['project_id'])),
        ...(await store.networks.all(tx, { qos_policy_id: id }, ['project_id'])),
      ].map((one) => one.project_id)
    case 'security_group':
      return projectsUsing(tx, id)
    case 'address_scope':
      return (await store.subnetpools.all(tx, { address_scope_id: id }, ['project_id'])).map((one) => one.project_id)
    case 'subnetpool':
      return (await store.subnets.all(tx, { subnetpool_id: id }, ['project_id'])).map((one) => one.project_id)
    case 'address_group':
      return (await store.groupRules.all(tx, { remote_address_group_id: id }, ['project_id'])).map((one) => one.project_id)
    default:
      return []
  }
}

/** The copies in the shared thing's own row. */
async function settle(house: Neutron, tx: T, row: RbacRow): Promise<void> {
  await refreshShared(tx, row.object_type, row.object_id)
  if (row.object_type !== 'network') return
  const network = await store.networks.one(tx, { id: row.object_id })
  if (!network) return
  // A network is external as long as somebody may go out by it.
  const external = (await rbacOf(tx, 'network', row.object_id)).some((one) => one.action === 'access_as_external')
  await changeRow(tx as never, 'neutron_networks', row.object_id, { 'router:external': external ? 1 : 0, ...changed(house, network as never) })
}

/** Who gets a pool must be able to see the scope that it belongs to. */
async function scopeReaches(tx: T, pool: Row, target: string): Promise<void> {
  if (!pool.address_scope_id) return
  const scope = await store.addressScopes.one(tx, { id: pool.address_scope_id as string })
  if (!scope || scope.project_id === target || isShared(scope as never, target === '*' ? undefined : target)) return
  throw invalid(`Invalid input for operation: Insufficient rights to share subnet pool ${String(pool.id)}: project ${target} has no access to its address scope.`, { code: 'InvalidInput', field: 'target_tenant' })
}

async function create(house: Neutron, rq: Rq): Promise<Reply> {
  const item = createWish(noun, rq, { bulk: false }).items[0]!
  const { values } = item
  demandCreate(noun, rq, item)
  const type = values.object_type as string
  if (!(type in RBAC_ACTIONS)) throw invalid(`Invalid input for object_type. Reason: '${type}' is not in ${JSON.stringify(Object.keys(RBAC_ACTIONS))}.`, { code: 'HTTPBadRequest', field: 'object_type' })
  if (!RBAC_ACTIONS[type]!.includes(values.action as string)) throw invalid(`Invalid action '${String(values.action)}' for object type '${type}'. Valid actions: ${RBAC_ACTIONS[type]!.join(', ')}`, { code: 'InvalidInput', field: 'action' })
  if (values.target_tenant === undefined) throw invalid(`Failed to parse request. Required attribute 'target_tenant' not specified`, { code: 'HTTPBadRequest', field: 'target_tenant' })
  const actor = actorOf(rq)
  const row = await house.db.transaction(async (tx) => {
    await spend(tx, values.project_id as string, { rbac_policy: 1 }, house.quotas)
    const object = await rowOf(tx as never, SHARED[type]!, values.object_id as string)
    if (!object || (!actor.admin && object.project_id !== actor.project && !isShared(object, actor.project))) throw notFound(`Object ${String(values.object_id)} could not be found.`, { code: 'RbacPolicyNotFound' })
    if (!actor.admin && object.project_id !== actor.project) throw invalid('Invalid input for operation: Only admins can manipulate policies on objects they do not own.', { code: 'InvalidInput', field: 'object_id' })
    if (type === 'subnetpool') await scopeReaches(tx, object, values.target_tenant as string)
    const made: RbacRow = { id: house.world.random.uuid(), project_id: values.project_id as string, object_type: type, object_id: object.id as string, target_tenant: values.target_tenant as string, action: values.action as string }
    await once(tx, made)
    await insertRbac(tx, made)
    await settle(house, tx, made)
    return made
  })
  return rowReply(rbacDesk, house, rq, row as never)
}
