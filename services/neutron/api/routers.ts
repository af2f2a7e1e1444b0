/** `/v2.0/routers` */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { envelope, givenForUpdate, toColumns, type Values } from '#neutron/core/body.ts'
import { isBad } from '#neutron/core/attribute.ts'
import { conntrackHelper, router as noun, takeInterface } from '#neutron/core/nouns/router.ts'
import { attachPort, attachSubnet, type Attached, badRouter, checkRoutes, detach, dropPort, type GatewayAsk, setGateway, INTERFACE } from '#neutron/flows/router-ports.ts'
import { born, changed } from '#neutron/flows/standard.ts'
import { useQosPolicy } from '#neutron/flows/qos.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { outsideScope, portsOfRouter } from '#neutron/store/routers.ts'
import { changeRow, insertRow, rowsIn } from '#neutron/store/rows.ts'
import type { PortRow, RouterRow, SubnetRow, T } from '#neutron/store/tables.ts'
import { actorOf } from './actor.ts'
import { type Desk, readRoutes, rowFor, rowReply, textReply, shownRows } from './desk.ts'
import { portDesk } from './ports.ts'
import { networkSeen, subnetDesk } from './subnets.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'
import { store } from '#neutron/store/store.ts'

export const routerDesk: Desk = {
  noun,
  async compute(_house, db, rows, _actor, wanted) {
    const helpers = wanted('conntrack_helpers') ? Map.groupBy(await rowsIn(db as never, conntrackHelper.table, 'router_id', rows.map((row) => row.id as string)), (one) => one.router_id) : undefined
    return (row) => ({ conntrack_helpers: (helpers?.get(row.id) ?? []).map((one) => ({ protocol: one.protocol, helper: one.helper, port: one.port })) })
  },
}

export function routerRoutes(house: Neutron): Route[] {
  const verb = (name: string, handle: (rq: Rq) => Promise<Reply>): Route => route({ method: 'PUT', path: `${noun.path}/{id}/${name}`, name: `routers.${name}`, status: 200, handle })
  return [
    ...readRoutes(routerDesk, house),
    route({ method: 'POST', path: noun.path, name: 'routers.create', status: 201, handle: (rq) => create(house, rq) }),
    route({ method: 'PUT', path: `${noun.path}/{id}`, name: 'routers.update', status: 200, handle: (rq) => update(house, rq) }),
    route({ method: 'DELETE', path: `${noun.path}/{id}`, name: 'routers.delete', status: 204, handle: (rq) => remove(house, rq) }),
    verb('add_router_interface', (rq) => addInterface(house, rq)),
    verb('remove_router_interface', (rq) => removeInterface(house, rq)),
    verb('add_extraroutes', (rq) => extraRoutes(house, rq, 'add')),
    verb('remove_extraroutes', (rq) => extraRoutes(house, rq, 'remove')),
  ]
}

async function gateway(house: Neutron, tx: T, rq: Rq, row: RouterRow, info: GatewayAsk | null): Promise<void> {
  const network = info === null ? undefined : await networkSeen(tx, actorOf(rq), info.network_id)
  if (info?.qos_policy_id) await useQosPolicy(tx, info.qos_policy_id, actorOf(rq))
  await setGateway(house, tx, row, info, network)
}

async function create(house: Neutron, rq: Rq): Promise<Reply> {
  const wish = createWish(noun, rq)
  for (const item of wish.items) demandCreate(noun, rq, item)
  const rows = await house.db.transaction(async (tx) => {
    const made: RouterRow[] = []
    for (const { values } of wish.items) {
      await spend(tx, values.project_id as string, { router: 1 }, house.quotas)
      if (values.flavor_id) await flavorThere(tx, values.flavor_id as string)
      const row = {
        ...toColumns(noun, values),
        id: house.world.random.uuid(),
        status: 'ACTIVE',
        external_gateway_info: 'null',
        routes: '[]',
        distributed: 0,
        ha: 0,
        flavor_id: values.flavor_id ?? null,
        availability_zones: '[]',
        enable_ndp_proxy: values.enable_ndp_proxy === true ? 1 : 0,
        gw_port_id: null,
        tags: '[]',
        ...born(house),
      } as unknown as RouterRow
      await insertRow(tx as never, noun.table, row as never)
      const info = values.external_gateway_info as GatewayAsk | null | undefined
      if (info) await gateway(house, tx, rq, row, info)
      await ndpPossible(tx, row)
      if (info) house.notices.changed(tx, { routers: [row.id] })
      made.push(row)
    }
    return made
  })
  if (!wish.bulk) return rowReply(routerDesk, house, rq, rows[0] as never)
  return textReply(`{"routers":[${(await shownRows(routerDesk, house, house.db, rows as never, actorOf(rq))).join(',')}]}`)
}

/** NDP proxy needs a way out whose addresses are of an address scope. */
async function ndpPossible(tx: T, row: RouterRow): Promise<void> {
  if (!row.enable_ndp_proxy) return
  const refuse = (reason: string): Error => conflict(`The gateway of router ${row.id} is invalid, reason: ${reason}.`, { code: 'RouterGatewayNotValid' })
  if (row.external_gateway_info === 'null') throw refuse('the router has no external gateway')
  if ((await outsideScope(tx, row)) === null) throw refuse('the external network has no IPv6 address scope')
}

async function flavorThere(tx: T, id: string): Promise<void> {
  const [flavor] = await rowsIn(tx as never, 'neutron_flavors', 'id', [id], ['enabled', 'service_type'])
  if (!flavor) throw notFound(`Flavor ${id} could not be found.`, { code: 'FlavorNotFound' })
  if (flavor.enabled !== 1) throw invalid(`Flavor ${id} is not enabled.`, { code: 'FlavorDisabled' })
}

async function update(house: Neutron, rq: Rq): Promise<Reply> {
  const given = updateWish(noun, rq)
  const row = await house.db.transaction(async (tx) => {
    const before = (await rowToChange(tx, { desk: routerDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })) as unknown as RouterRow
    if (given.values.routes !== undefined) await checkRoutes(house, tx, before, given.values.routes as { destination: string; nexthop: string }[])
    const { external_gateway_info: _, ...patch } = toColumns(noun, given.values)
    const next: RouterRow = { ...before, ...patch, ...changed(house, before as never) }
    await changeRow(tx as never, noun.table, before.id, next as never)
    const info = given.values.external_gateway_info as GatewayAsk | null | undefined
    if (info !== undefined) await gateway(house, tx, rq, next, info)
    if (given.values.enable_ndp_proxy === true) await ndpPossible(tx, next)
    house.notices.changed(tx, { routers: [before.id] })
    return next
  })
  return rowReply(routerDesk, house, rq, row as never)
}

async function remove(house: Neutron, rq: Rq): Promise<Reply> {
  await house.db.transaction(async (tx) => {
    const row = (await rowToChange(tx, { desk: routerDesk, house, rq, id: rq.params.id!, rules: ['delete_router'] })) as unknown as RouterRow
    const ports = await portsOfRouter(tx, row.id)
    if (ports.some((port) => port.device_owner === INTERFACE)) throw conflict(`Router ${row.id} still has ports`, { code: 'RouterInUse' })
    const floating = await store.floatingIps.one(tx, { router_id: row.id }, ['id'])
    if (floating) throw conflict(`Router ${row.id} still has active floating IPs`, { code: 'RouterInUse' })
    for (const port of ports) await dropPort(house, tx, port)
    await store.l3Routers.drop(tx, { router_id: row.id })
    await store.helpers.drop(tx, { router_id: row.id })
    await store.topologies.drop(tx, { router_id: row.id })
    await store.routers.drop(tx, { id: row.id })
    if (row.availability_zones !== '[]') house.notices.changed(tx, { routers: [row.id] })
  })
  return {}
}

/** The body of the interface verbs stands bare. */
function interfaceAsk(rq: Rq): { subnet_id?: string; port_id?: string } {
  if (typeof rq.body !== 'object' || rq.body === null) throw invalid('Resource body required', { code: 'HTTPBadRequest' })
  const taken = takeInterface(rq.body)
  if (isBad(taken)) throw badRouter(taken.reason)
  const ask = taken.value as { subnet_id?: string; port_id?: string }
  if (ask.subnet_id === undefined && ask.port_id === undefined) throw badRouter('Either subnet_id or port_id must be specified')
  return ask
}

function interfaceReply(row: RouterRow, { port, subnets }: Attached): Reply {
  return {
    json: { id: row.id, tenant_id: row.project_id, project_id: row.project_id, port_id: port.id, network_id: port.network_id, subnet_id: subnets[0]?.id ?? null, subnet_ids: subnets.map((one) => one.id), tags: JSON.parse(row.tags) as string[] },
  }
}

async function addInterface(house: Neutron, rq: Rq): Promise<Reply> {
  const ask = interfaceAsk(rq)
  if (ask.subnet_id !== undefined && ask.port_id !== undefined) throw badRouter('Cannot specify both subnet-id and port-id')
  return house.db.transaction(async (tx) => {
    const row = (await rowToChange(tx, { desk: routerDesk, house, rq, id: rq.params.id!, rules: ['add_router_interface'] })) as unknown as RouterRow
    let attached: Attached
    if (ask.subnet_id !== undefined) {
      const subnet = (await rowFor(subnetDesk, house, tx, rq, ask.subnet_id)) as unknown as SubnetRow
      attached = await attachSubnet(house, tx, row, subnet, await networkSeen(tx, actorOf(rq), subnet.network_id))
    } else attached = await attachPort(house, tx, row, (await rowFor(portDesk, house, tx, rq, ask.port_id!)) as unknown as PortRow)
    await changeRow(tx as never, noun.table, row.id, changed(house, row as never))
    house.notices.changed(tx, { routers: [row.id] })
    return interfaceReply(row, attached)
  })
}

async function removeInterface(house: Neutron, rq: Rq): Promise<Reply> {
  const ask = interfaceAsk(rq)
  return house.db.transaction(async (tx) => {
    const row = (await rowToChange(tx, { desk: routerDesk, house, rq, id: rq.params.id!, rules: ['remove_router_interface'] })) as unknown as RouterRow
    const detached = await detach(house, tx, row, ask)
    await changeRow(tx as never, noun.table, row.id, changed(house, row as never))
    house.notices.changed(tx, { routers: [row.id] })
    return interfaceReply(row, detached)
  })
}

async function extraRoutes(house: Neutron, rq: Rq, verb: 'add' | 'remove'): Promise<Reply> {
  const sent = envelope(noun, rq.body, false).items[0]! as Values
  const given = givenForUpdate(noun, { routes: sent.routes })
  interface Hop {
    destination: string
    nexthop: string
  }
  const asked = given.values.routes as Hop[]
  const row = await house.db.transaction(async (tx) => {
    const before = (await rowToChange(tx, { desk: routerDesk, house, rq, id: rq.params.id!, rules: [`${verb}_extraroutes`] })) as unknown as RouterRow
    const have = JSON.parse(before.routes) as Hop[]
    const same = (a: Hop, b: Hop): boolean => a.destination === b.destination && a.nexthop === b.nexthop
    const routes = verb === 'add' ? [...have, ...asked.filter((one) => !have.some((other) => same(one, other)))] : have.filter((one) => !asked.some((other) => same(one, other)))
    if (verb === 'add') await checkRoutes(house, tx, before, routes)
    const next: RouterRow = { ...before, routes: JSON.stringify(routes), ...changed(house, before as never) }
    await changeRow(tx as never, noun.table, before.id, next as never)
    house.notices.changed(tx, { routers: [before.id] })
    return next
  })
  return rowReply(routerDesk, house, rq, row as never)
}
