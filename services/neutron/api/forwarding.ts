/** What hangs on floating IPs and routers: port forwardings, conntrack helpers, NDP proxies. */
import { conflict, type Fault, invalid } from '#base/fault.ts'
import type { Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { parseIp } from '#neutron/core/address.ts'
import type { Noun } from '#neutron/core/noun.ts'
import { conntrackHelper, ndpProxy, portForwarding } from '#neutron/core/nouns/router.ts'
import { routerFor } from '#neutron/flows/floatingips.ts'
import type { Neutron } from '#neutron/house.ts'
import { outsideScope, portsOfRouter } from '#neutron/store/routers.ts'
import type { FloatingIpRow, PortForwardingRow, PortRow, RouterRow, Row, T } from '#neutron/store/tables.ts'
import { type Below, childCreate, childDelete, childDesk, type ChildVerbs, childUpdate, demandRead, parentRow, scopeOf } from './child.ts'
import { derivedRoutes } from './derive.ts'
import { type Desk, listReply, readRoutes, rowFor, showReply } from './desk.ts'
import { floatingDesk } from './floatingips.ts'
import { portDesk } from './ports.ts'
import { routerDesk } from './routers.ts'
import { but, store } from '#neutron/store/store.ts'
import { scopeOfSubnet } from '#neutron/store/addresses.ts'

/** Every verb of a noun below a parent. */
function childRoutes(house: Neutron, noun: Noun, below: Below, verbs: ChildVerbs): Route[] {
  const path = `${noun.path}/{id}`
  const seen = async (rq: Rq) => {
    const parent = await parentRow(below, house, house.db, rq)
    demandRead(rq, noun.policy!, parent)
    return { desk: childDesk(noun, () => parent), scope: scopeOf(below, parent) }
  }
  return [
    route({ method: 'GET', path: noun.path, name: `${noun.many}.list`, status: 200, handle: async (rq) => { const { desk, scope } = await seen(rq); return listReply(desk, house, rq, scope) } }),
    route({ method: 'GET', path, name: `${noun.many}.show`, status: 200, handle: async (rq) => { const { desk, scope } = await seen(rq); return showReply(desk, house, rq, rq.params.id!, scope) } }),
    route({ method: 'POST', path: noun.path, name: `${noun.many}.create`, status: 201, handle: (rq) => childCreate(noun, below, house, rq, verbs) }),
    route({ method: 'PUT', path, name: `${noun.many}.update`, status: 200, handle: (rq) => childUpdate(noun, below, house, rq, verbs) }),
    route({ method: 'DELETE', path, name: `${noun.many}.delete`, status: 204, handle: (rq) => childDelete(noun, below, house, rq, verbs) }),
  ]
}

const wrong = (text: string): Fault => invalid(`Bad port_forwarding request: ${text}.`, { code: 'BadRequest' })

/** The address inside must be the port's, reachable through one router, and free on both sides. */
async function checkForwarding(house: Neutron, tx: T, rq: Rq, fip: FloatingIpRow, row: PortForwardingRow): Promise<string> {
  if (fip.port_id !== null) throw conflict(`Bad port_forwarding request: Floating IP ${fip.id} is associated with port ${fip.port_id}.`, { code: 'FipInUseByPortForwarding' })
  const ports = row.protocol !== 'icmp' && row.protocol !== 'ipv6-icmp'
  if (ports && (row.external_port === null || row.internal_port === null)) throw wrong('external_port and internal_port are required')
  const port = (await rowFor(portDesk, house, tx, rq, row.internal_port_id)) as unknown as PortRow
  const address = parseIp(row.internal_ip_address)!
  if (address.version !== 4) throw wrong(`Invalid IP version: ${row.internal_ip_address} is not IPv4`)
  const fixed = (JSON.parse(port.fixed_ips) as { subnet_id: string; ip_address: string }[]).find((one) => one.ip_address === row.internal_ip_address)
  if (!fixed) throw wrong(`Port ${port.id} does not have ip address ${row.internal_ip_address}`)
  const router = await routerFor(tx, fixed.subnet_id, port.id, fip.floating_network_id)
  if (fip.router_id !== null && fip.router_id !== router) throw wrong(`Floating IP ${fip.id} is served by another router`)
  const associated = await store.floatingIps.one(tx, { port_id: port.id, fixed_ip_address: row.internal_ip_address }, ['id'])
  if (associated) throw conflict(`Port ${port.id} is already associated with floating IP ${associated.id}.`, { code: 'PortHasBindingFloatingIP' })
  const others = (await store.forwardings.all(tx, { floatingip_id: fip.id, protocol: row.protocol })).filter((one) => one.id !== row.id)
  const twice = others.find((one) => one.external_port === row.external_port || (one.internal_port_id === row.internal_port_id && one.internal_ip_address === row.internal_ip_address && one.internal_port === row.internal_port))
  if (twice) throw wrong(`A duplicate port forwarding entry with same attributes already exists, conflicting values are ${twice.id}`)
  return router
}

function forwardingVerbs(house: Neutron): ChildVerbs {
  const serve = async (tx: T, fip: FloatingIpRow, router: string): Promise<void> => {
    if (fip.router_id !== router) await store.floatingIps.change(tx, { id: fip.id }, { router_id: router })
    house.notices.changed(tx, { routers: [router] })
  }
  return {
    async create(tx, rq, parent, row) {
      await serve(tx, parent as unknown as FloatingIpRow, await checkForwarding(house, tx, rq, parent as unknown as FloatingIpRow, row as unknown as PortForwardingRow))
    },
    async update(tx, rq, parent, next) {
      await serve(tx, parent as unknown as FloatingIpRow, await checkForwarding(house, tx, rq, parent as unknown as FloatingIpRow, next as unknown as PortForwardingRow))
    },
    async remove(tx, _rq, parent, row) {
      const fip = parent as unknown as FloatingIpRow
      const rest = await store.forwardings.one(tx, { floatingip_id: fip.id, id: but(row.id as string) }, ['id'])
      if (!rest) await store.floatingIps.change(tx, { id: fip.id }, { router_id: null, status: 'DOWN' })
      if (fip.router_id) house.notices.changed(tx, { routers: [fip.router_id] })
    },
  }
}

/** The kernel's helpers, and what they listen to. */
const HELPERS: Readonly<Record<string, readonly string[]>> = {
  tftp: ['udp'], ftp: ['tcp'], amanda: ['tcp'], h323: ['udp'], irc: ['tcp'], 'netbios-ns': ['udp'], pptp: ['tcp'], sane: ['tcp'], sip: ['tcp', 'udp'], snmp: ['udp'],
}

function helperVerbs(house: Neutron): ChildVerbs {
  const check = async (tx: T, parent: Row, row: Row): Promise<void> => {
    const protocols = HELPERS[row.helper as string]
    if (!protocols?.includes(row.protocol as string)) throw invalid(`Specified conntrack helper ${String(row.helper)} with protocol ${String(row.protocol)} is not allowed.`, { code: 'InvalidProtocolForHelper' })
    const same = await store.helpers.one(tx, { router_id: parent.id as string, protocol: row.protocol as string, port: row.port as number, helper: row.helper as string, id: but(row.id as string) }, ['id'])
    if (same) throw invalid(`Bad conntrack_helper request: A duplicate conntrack helper entry with same attributes already exists, conflicting values are ${same.id}.`, { code: 'BadRequest' })
  }
  return {
    create: (tx, _rq, parent, row) => check(tx, parent, row),
    update: (tx, _rq, parent, next) => check(tx, parent, next),
    async settled(tx, parent) {
      house.notices.changed(tx, { routers: [parent.id as string] })
    },
  }
}

const ndpDesk: Desk = { noun: ndpProxy }

/** The address must be the port's, behind the router, and of the address scope outside. */
async function checkProxy(house: Neutron, tx: T, rq: Rq, row: Row): Promise<void> {
  const router = (await rowFor(routerDesk, house, tx, rq, row.router_id as string)) as unknown as RouterRow
  if (!router.enable_ndp_proxy) throw conflict(`The enable_ndp_proxy parameter of router ${router.id} must be set as True while create ndp proxy entry on it.`, { code: 'RouterNDPProxyNotEnable' })
  const port = (await rowFor(portDesk, house, tx, rq, row.port_id as string)) as unknown as PortRow
  const addresses = (JSON.parse(port.fixed_ips) as { subnet_id: string; ip_address: string }[]).filter((one) => one.ip_address.includes(':'))
  const refuse = (code: string, text: string): Fault => conflict(text, { code })
  if (addresses.length === 0) throw refuse('PortUnreachableRouter', `Port ${port.id} has no IPv6 address that router ${router.id} could reach.`)
  const asked = row.ip_address as string | null
  const fixed = asked ? addresses.find((one) => one.ip_address === asked) : addresses[0]
  if (!fixed) throw refuse('InvalidAddress', `The address '${asked!}' is invalid, reason: it is not an address of port ${port.id}`)
  const reached = (await portsOfRouter(tx, router.id, 'network:router_interface')).some((one) => (JSON.parse(one.fixed_ips) as { subnet_id: string }[]).some((each) => each.subnet_id === fixed.subnet_id))
  if (!reached) throw refuse('PortUnreachableRouter', `The port ${port.id} cannot reach the router ${router.id} by IPv6 subnet.`)
  const inside = await scopeOfSubnet(tx, fixed.subnet_id)
  const outside = await outsideScope(tx, router)
  if (inside === null || inside !== outside) throw refuse('AddressScopeConflict', `The IPv6 address scope ${String(outside)} of external network conflict with internal network's IPv6 address scope ${String(inside)}.`)
  const same = await store.ndpProxies.one(tx, { router_id: router.id, ip_address: fixed.ip_address }, ['id'])
  if (same) throw conflict(`An NDP proxy for ${fixed.ip_address} on router ${router.id} already exists: ${same.id}.`, { code: 'NDPProxyDuplicate' })
  row.ip_address = fixed.ip_address
}

export function forwardingRoutes(house: Neutron): Route[] {
  return [
    ...childRoutes(house, portForwarding, { parent: floatingDesk, parentKey: 'floatingip_id' }, forwardingVerbs(house)),
    ...childRoutes(house, conntrackHelper, { parent: routerDesk, parentKey: 'router_id' }, helperVerbs(house)),
    ...readRoutes(ndpDesk, house),
    ...derivedRoutes(ndpDesk, house, {
      async create(tx, rq, row) {
        await checkProxy(house, tx, rq, row)
        house.notices.changed(tx, { routers: [row.router_id as string] })
      },
      async delete(tx, _rq, row) {
        house.notices.changed(tx, { routers: [row.router_id as string] })
      },
    }),
  ]
}

