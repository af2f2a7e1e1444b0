/** `/v2.0/ports` */
import { conflict, invalid } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { envelope, type Given, givenForUpdate, type Values } from '#neutron/core/body.ts'
import { normalIp } from '#neutron/core/address.ts'
import { port as noun } from '#neutron/core/nouns/port.ts'
import { subnetsOf } from '#neutron/flows/addresses.ts'
import { leaveFloatingIps } from '#neutron/flows/floatingips.ts'
import { deletePortRows } from '#neutron/flows/port-removal.ts'
import { createPort, updatePort } from '#neutron/flows/ports.ts'
import { useQosPolicy } from '#neutron/flows/qos.ts'
import type { Neutron } from '#neutron/house.ts'
import { trunkOf } from '#neutron/store/trunks.ts'
import { spend } from '#neutron/store/quotas.ts'
import type { NetworkRow, PortRow, Row, SubnetRow, T } from '#neutron/store/tables.ts'
import { anyOf, equals, includes, inGroups, owned, parentIn, withAllocation } from '#neutron/store/where.ts'
import type { Where } from '#neutron/store/rows.ts'
import { actorOf } from './actor.ts'
import { type Desk, readRoutes, rowReply, shownRows, textReply } from './desk.ts'
import { portValues } from './port-view.ts'
import { networkFacts, networkSeen, networkTargets } from './subnets.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'
import { store } from '#neutron/store/store.ts'

/** `fixed_ips=ip_address=…`, `subnet_id=…`, `ip_address_substr=…`; of one kind any will do, all kinds must hold. */
function byAddress(values: string[]): Where {
  const kinds = Map.groupBy(values.flatMap((value) => value.split(',')), (one) => one.split('=')[0])
  const wheres: Where[] = []
  for (const [kind, ones] of kinds) {
    const wanted = ones.map((one) => one.slice(one.indexOf('=') + 1))
    if (kind === 'ip_address') wheres.push(withAllocation([equals('ip_address', wanted.map((one) => normalIp(one) ?? one))]))
    else if (kind === 'subnet_id' || kind === 'subnet') wheres.push(withAllocation([equals('subnet_id', wanted)]))
    else if (kind === 'ip_address_substr') wheres.push(withAllocation([anyOf(...wanted.map((one) => includes('ip_address', one)))]))
    else throw invalid(`Invalid filter for fixed_ips: '${values.join(',')}'`, { code: 'HTTPBadRequest', field: 'fixed_ips' })
  }
  return (eb) => eb.and(wheres.map((one) => one(eb)))
}

export const portDesk: Desk = {
  noun,
  counted: { as: 'trunks', table: 'neutron_trunks', column: 'port_id' },
  visible: (actor) => (actor.sees_all ? undefined : anyOf(owned(actor.project), parentIn('network_id', 'neutron_networks', [owned(actor.project)]))),
  targets: (_house, db, rows, actor) => networkTargets(db, rows, actor),
  filters: {
    fixed_ips: byAddress,
    security_groups: (values) => inGroups(values),
    network_id: (values) => equals('network_id', values),
  },
  compute: async (house, db, rows, _actor, wanted) => {
    const values = await portValues(house, db, rows as unknown as PortRow[], wanted)
    return (row: Row) => values(row as unknown as PortRow)
  },
}

export function portRoutes(house: Neutron): Route[] {
  const change = (rq: Rq, given: Given): Promise<Reply> => update(house, rq, given)
  return [
    ...readRoutes(portDesk, house),
    route({ method: 'POST', path: noun.path, name: 'ports.create', status: 201, handle: (rq) => create(house, rq) }),
    route({ method: 'PUT', path: `${noun.path}/{id}`, name: 'ports.update', status: 200, handle: (rq) => change(rq, updateWish(noun, rq)) }),
    route({ method: 'DELETE', path: `${noun.path}/{id}`, name: 'ports.delete', status: 204, handle: (rq) => remove(house, rq) }),
    ...(['add', 'remove'] as const).map((verb) =>
      route({ method: 'PUT', path: `${noun.path}/{id}/${verb}_allowed_address_pairs`, name: `ports.${verb}_allowed_address_pairs`, status: 200, handle: (rq) => pairs(house, rq, verb) }),
    ),
  ]
}

async function create(house: Neutron, rq: Rq): Promise<Reply> {
  const wish = createWish(noun, rq)
  const actor = actorOf(rq)
  const rows = await house.db.transaction(async (tx) => {
    const known = new Map<string, { network: NetworkRow; subnets: SubnetRow[] }>()
    const made: PortRow[] = []
    for (const [project, items] of Map.groupBy(wish.items, (item) => (item.values.project_id as string | undefined) ?? '')) await spend(tx, project, { port: items.length }, house.quotas)
    for (const item of wish.items) {
      const id = item.values.network_id as string
      let there = known.get(id)
      if (!there) known.set(id, (there = { network: await networkSeen(tx, actor, id), subnets: await subnetsOf(tx, id) }))
      demandCreate(noun, rq, item, networkFacts(there.network, actor.project))
      if (item.values.qos_policy_id) await useQosPolicy(tx, item.values.qos_policy_id as string, actor)
      made.push(await createPort(house, tx, item, there.network, there.subnets))
    }
    return made
  })
  if (!wish.bulk) return rowReply(portDesk, house, rq, rows[0] as never)
  return textReply(`{"ports":[${(await shownRows(portDesk, house, house.db, rows as never, actor)).join(',')}]}`)
}

async function update(house: Neutron, rq: Rq, given: Given): Promise<Reply> {
  const actor = actorOf(rq)
  const row = await house.db.transaction(async (tx) => {
    const before = (await rowToChange(tx, { desk: portDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })) as unknown as PortRow
    if (given.values.qos_policy_id) await useQosPolicy(tx, given.values.qos_policy_id as string, actor)
    await ownedByRouter(tx, before, given.values)
    return updatePort(house, tx, before, given)
  })
  return rowReply(portDesk, house, rq, row as never)
}

/** A port that a router or a trunk holds cannot be given to another device. */
async function ownedByRouter(tx: T, row: PortRow, values: Values): Promise<void> {
  if (!['network:router_interface', 'network:router_gateway', 'network:floatingip'].includes(row.device_owner)) return
  const moved = (values.device_id !== undefined && values.device_id !== row.device_id) || (values.device_owner !== undefined && values.device_owner !== row.device_owner)
  if (!moved) return
  const held = await store.routerPorts.one(tx, { port_id: row.id }, ['router_id'])
  if (held) throw conflict(`Cannot update device of port ${row.id}: it belongs to router ${held.router_id}.`, { code: 'PortInUse' })
}

async function remove(house: Neutron, rq: Rq): Promise<Reply> {
  await house.db.transaction(async (tx) => {
    const row = (await rowToChange(tx, { desk: portDesk, house, rq, id: rq.params.id!, rules: ['delete_port'] })) as unknown as PortRow
    await notHeld(tx, row)
    if (!row.device_owner.startsWith('network:')) await leaveFloatingIps(house, tx, row)
    await deletePortRows(house, tx, [row])
  })
  return {}
}

async function notHeld(tx: T, row: PortRow): Promise<void> {
  if (['network:router_interface', 'network:router_gateway', 'network:floatingip', 'network:ha_router_replicated_interface', 'network:router_interface_distributed'].includes(row.device_owner)) {
    const router = await store.routerPorts.one(tx, { port_id: row.id }, ['router_id'])
    const floating = row.device_owner === 'network:floatingip' ? await store.floatingIps.one(tx, { floating_port_id: row.id }, ['id']) : undefined
    if (router || floating) throw conflict(`Port ${row.id} cannot be deleted directly via the port API: has device owner ${row.device_owner}.`, { code: 'ServicePortInUse' })
  }
  const trunk = await trunkOf(tx, row.id)
  if (trunk?.as === 'parent') throw conflict(`Port ${row.id} is currently a parent port for trunk ${trunk.id}.`, { code: 'PortInUseAsTrunkParent' })
  if (trunk) throw conflict(`Port ${row.id} is currently a subport for trunk ${trunk.id}.`, { code: 'PortInUseAsSubPort' })
}

/** Adds to or takes from the pairs that are there. */
async function pairs(house: Neutron, rq: Rq, verb: 'add' | 'remove'): Promise<Reply> {
  const sent = envelope(noun, rq.body, false).items[0]!
  const given = givenForUpdate(noun, { allowed_address_pairs: sent.allowed_address_pairs })
  interface Pair {
    ip_address: string
    mac_address?: string
  }
  const asked = given.values.allowed_address_pairs as Pair[]
  const row = await house.db.transaction(async (tx) => {
    const before = (await rowToChange(tx, { desk: portDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })) as unknown as PortRow
    const have = JSON.parse(before.allowed_address_pairs) as Pair[]
    const same = (a: Pair, b: Pair): boolean => a.ip_address === b.ip_address && (a.mac_address ?? before.mac_address) === (b.mac_address ?? before.mac_address)
    const allowed_address_pairs = verb === 'add' ? [...have, ...asked.filter((one) => !have.some((other) => same(one, other)))] : have.filter((one) => !asked.some((other) => same(one, other)))
    return updatePort(house, tx, before, { values: { allowed_address_pairs }, named: new Set(['allowed_address_pairs']) })
  })
  return rowReply(portDesk, house, rq, row as never)
}
