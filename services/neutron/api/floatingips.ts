/** `/v2.0/floatingips` and `/v2.0/floatingip_pools` */
import { conflict } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { toColumns } from '#neutron/core/body.ts'
import { floatingip as noun } from '#neutron/core/nouns/router.ts'
import { associate, badFloating, outsidePort } from '#neutron/flows/floatingips.ts'
import { deletePortRows } from '#neutron/flows/port-removal.ts'
import { useQosPolicy } from '#neutron/flows/qos.ts'
import { born, changed } from '#neutron/flows/standard.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { changeRow, insertRow, rowsIn, rowsWhere } from '#neutron/store/rows.ts'
import type { FloatingIpRow, NetworkRow, PortRow, T } from '#neutron/store/tables.ts'
import { equals } from '#neutron/store/where.ts'
import { actorOf } from './actor.ts'
import { type Desk, readRoutes, rowFor, rowReply, shownRows, textReply } from './desk.ts'
import { portDesk } from './ports.ts'
import { networkSeen, visibleNetworks } from './subnets.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'
import { store } from '#neutron/store/store.ts'

const SHOWN_OF_PORT = ['name', 'network_id', 'mac_address', 'status', 'device_id', 'device_owner'] as const

export const floatingDesk: Desk = {
  noun,
  async compute(_house, db, rows, _actor, wanted) {
    const ids = rows.map((row) => row.id as string)
    const ports = wanted('port_details') ? new Map((await rowsIn(db as never, 'neutron_ports', 'id', rows.flatMap((row) => (row.port_id as string | null) ?? []))).map((one) => [one.id, one])) : undefined
    const forwards = wanted('port_forwardings') ? Map.groupBy(await rowsIn(db as never, 'neutron_port_forwardings', 'floatingip_id', ids), (one) => one.floatingip_id) : undefined
    return (row) => {
      const port = ports?.get(row.port_id)
      return {
        port_details: port ? { ...Object.fromEntries(SHOWN_OF_PORT.map((key) => [key, port[key]])), admin_state_up: port.admin_state_up === 1 } : null,
        port_forwardings: (forwards?.get(row.id) ?? []).map((one) => ({ id: one.id, protocol: one.protocol, internal_ip_address: one.internal_ip_address, internal_port: one.internal_port, internal_port_id: one.internal_port_id, external_port: one.external_port })),
      }
    }
  },
}

export function floatingIpRoutes(house: Neutron): Route[] {
  return [
    ...readRoutes(floatingDesk, house),
    route({ method: 'POST', path: noun.path, name: 'floatingips.create', status: 201, handle: (rq) => create(house, rq) }),
    route({ method: 'PUT', path: `${noun.path}/{id}`, name: 'floatingips.update', status: 200, handle: (rq) => update(house, rq) }),
    route({ method: 'DELETE', path: `${noun.path}/{id}`, name: 'floatingips.delete', status: 204, handle: (rq) => remove(house, rq) }),
    route({ method: 'GET', path: '/v2.0/floatingip_pools', name: 'floatingip_pools.list', status: 200, policy: 'get_floatingip_pool', handle: (rq) => pools(house, rq) }),
  ]
}

async function create(house: Neutron, rq: Rq): Promise<Reply> {
  const wish = createWish(noun, rq)
  for (const item of wish.items) demandCreate(noun, rq, item)
  const actor = actorOf(rq)
  const rows = await house.db.transaction(async (tx) => {
    const made: FloatingIpRow[] = []
    for (const { values } of wish.items) {
      await spend(tx, values.project_id as string, { floatingip: 1 }, house.quotas)
      const id = house.world.random.uuid()
      const network = await networkSeen(tx, actor, values.floating_network_id as string)
      if (values.fixed_ip_address && !values.port_id) throw badFloating('fixed_ip_address cannot be specified without a port_id')
      if (values.qos_policy_id) await useQosPolicy(tx, values.qos_policy_id as string, actor)
      const outside = await outsidePort(house, tx, id, network, { address: (values.floating_ip_address as string | undefined) ?? null, subnet_id: (values.subnet_id as string | undefined) ?? null })
      // Nobody wires it: its router answers for the address.
      await store.ports.change(tx, { id: outside.id }, { status: 'N/A' })
      const base = { id, floating_network_id: network.id, floating_ip_address: (JSON.parse(outside.fixed_ips) as { ip_address: string }[])[0]!.ip_address }
      const port = values.port_id ? ((await rowFor(portDesk, house, tx, rq, values.port_id as string)) as unknown as PortRow) : undefined
      if (port) ofOneProject(rq, port, values.project_id as string)
      const inside = port && (await associate(tx, base, port, values.fixed_ip_address as string | null))
      const row = {
        ...toColumns(noun, values),
        ...base,
        floating_port_id: outside.id,
        port_id: inside?.port_id ?? null,
        fixed_ip_address: inside?.fixed_ip_address ?? null,
        router_id: inside?.router_id ?? null,
        status: 'DOWN',
        qos_policy_id: values.qos_policy_id ?? null,
        tags: '[]',
        ...born(house),
      } as unknown as FloatingIpRow
      await insertRow(tx as never, noun.table, row as never)
      await tell(house, tx, row)
      made.push(row)
    }
    return made
  })
  if (!wish.bulk) return rowReply(floatingDesk, house, rq, rows[0] as never)
  return textReply(`{"floatingips":[${(await shownRows(floatingDesk, house, house.db, rows as never, actor)).join(',')}]}`)
}

/** Only an administrator leads an address to somebody else's port. */
function ofOneProject(rq: Rq, port: PortRow, owner: string): void {
  if (port.project_id !== owner && !actorOf(rq).admin) throw badFloating(`Cannot process floating IP association with Port ${port.id}, since that port is owned by a different tenant`)
}

/** The router that is left, the one that is entered, and Nova of the guest that has other addresses now. */
async function tell(house: Neutron, tx: T, row: FloatingIpRow, before?: FloatingIpRow): Promise<void> {
  const routers = [row.router_id, before?.router_id].filter((one): one is string => typeof one === 'string')
  if (routers.length > 0) house.notices.changed(tx, { routers: [...new Set(routers)] })
  const ids = [row.port_id, before?.port_id].filter((one): one is string => typeof one === 'string')
  for (const port of (await rowsIn(tx as never, 'neutron_ports', 'id', [...new Set(ids)], ['id', 'device_id', 'device_owner'])) as unknown as PortRow[]) house.notices.nova(tx, 'network-changed', port)
}

async function update(house: Neutron, rq: Rq): Promise<Reply> {
  const given = updateWish(noun, rq)
  const { values } = given
  const row = await house.db.transaction(async (tx) => {
    const before = (await rowToChange(tx, { desk: floatingDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values })) as unknown as FloatingIpRow
    if (values.qos_policy_id) await useQosPolicy(tx, values.qos_policy_id as string, actorOf(rq))
    const next: FloatingIpRow = { ...before, ...toColumns(noun, values), ...changed(house, before as never) }
    // An update that says nothing ends the association: once, a floating IP had nothing else to say.
    if (given.named.size === 0) values.port_id = null
    const portId = values.port_id === undefined ? (values.fixed_ip_address ? before.port_id : undefined) : (values.port_id as string | null)
    if (values.fixed_ip_address && !portId) throw badFloating('fixed_ip_address cannot be specified without a port_id')
    if (portId === null) Object.assign(next, { port_id: null, fixed_ip_address: null, router_id: null, status: 'DOWN' })
    else if (portId !== undefined) {
      const forwarded = await store.forwardings.one(tx, { floatingip_id: before.id }, ['id'])
      if (forwarded) throw conflict(`Floating IP ${before.id} in use by port forwarding ${forwarded.id}.`, { code: 'FipInUseByPortForwarding' })
      const port = (await rowFor(portDesk, house, tx, rq, portId)) as unknown as PortRow
      ofOneProject(rq, port, before.project_id)
      Object.assign(next, await associate(tx, before, port, values.fixed_ip_address as string | null | undefined))
      if (next.router_id !== before.router_id || next.fixed_ip_address !== before.fixed_ip_address) next.status = 'DOWN'
    } else Object.assign(next, { port_id: before.port_id, fixed_ip_address: before.fixed_ip_address })
    await changeRow(tx as never, noun.table, before.id, next as never)
    await tell(house, tx, next, before)
    return next
  })
  return rowReply(floatingDesk, house, rq, row as never)
}

async function remove(house: Neutron, rq: Rq): Promise<Reply> {
  await house.db.transaction(async (tx) => {
    const row = (await rowToChange(tx, { desk: floatingDesk, house, rq, id: rq.params.id!, rules: ['delete_floatingip'] })) as unknown as FloatingIpRow
    const port = await store.ports.one(tx, { id: row.floating_port_id })
    const forwarded = await store.forwardings.one(tx, { floatingip_id: row.id }, ['id'])
    if (forwarded) throw conflict(`Floating IP ${row.id} in use by port forwarding ${forwarded.id}.`, { code: 'FipInUseByPortForwarding' })
    await store.floatingIps.drop(tx, { id: row.id })
    if (port) await deletePortRows(house, tx, [port])
    await tell(house, tx, row)
  })
  return {}
}

/** Subnets outside, as pools of addresses. */
async function pools(house: Neutron, rq: Rq): Promise<Reply> {
  const actor = actorOf(rq)
  const visible = visibleNetworks(actor)
  const networks = (await rowsWhere(house.db as never, 'neutron_networks', [equals('router:external', [1]), ...(visible ? [visible] : [])])) as unknown as NetworkRow[]
  const subnets = await rowsIn(house.db as never, 'neutron_subnets', 'network_id', networks.map((one) => one.id))
  return {
    json: {
      floatingip_pools: subnets.filter((one) => one.ip_version === 4).map((one) => ({ cidr: one.cidr, subnet_name: one.name, subnet_id: one.id, network_id: one.network_id, project_id: one.project_id, tenant_id: one.project_id })),
    },
  }
}
