/** A router's ports: its gateway and its interfaces. */
import { conflict, Fault, invalid, notFound } from '#base/fault.ts'
import { overlap, parseCidr, parseIp } from '#neutron/core/address.ts'
import type { Neutron } from '#neutron/house.ts'
import { portsOfRouter, hostOfRouter } from '#neutron/store/routers.ts'
import type { NetworkRow, PortRow, RouterRow, SubnetRow, T } from '#neutron/store/tables.ts'
import { type FixedIp, subnetsOf } from './addresses.ts'
import { agentsOf, usable } from './dhcp.ts'
import { deletePortRows } from './port-removal.ts'
import { createPort, updatePort, wishOf } from './ports.ts'
import { but, store } from '#neutron/store/store.ts'
import { leastLoaded } from '#neutron/store/agents.ts'

export const L3_AGENT = 'L3 agent'
export const INTERFACE = 'network:router_interface'
export const GATEWAY = 'network:router_gateway'

export const badRouter = (text: string): Fault => invalid(`Bad router request: ${text}.`, { code: 'BadRequest' })

/** Where the router runs; given to an agent at its first port. */
export async function scheduleRouter(house: Neutron, tx: T, router: RouterRow): Promise<string> {
  const there = await hostOfRouter(tx, router.id)
  if (there !== undefined) return there
  const agents = usable(house, await agentsOf(tx, L3_AGENT))
  if (agents.length === 0) return ''
  const least = await leastLoaded(tx, 'l3', agents)
  await store.l3Routers.add(tx, { router_id: router.id, agent_id: least.id })
  await store.routers.change(tx, { id: router.id }, { availability_zones: JSON.stringify([house.config.availability_zone]) })
  router.availability_zones = JSON.stringify([house.config.availability_zone])
  return least.host
}

export interface GatewayAsk {
  network_id: string
  enable_snat?: boolean
  external_fixed_ips?: { subnet_id?: string; ip_address?: string }[]
  qos_policy_id?: string | null
}

/** Makes the router's way out as asked; `network` is the asked one, already seen by the caller. Null takes it away. */
export async function setGateway(house: Neutron, tx: T, router: RouterRow, ask: GatewayAsk | null, network: NetworkRow | undefined): Promise<void> {
  const before = JSON.parse(router.external_gateway_info) as (GatewayAsk & { external_fixed_ips: FixedIp[] }) | null
  const old = router.gw_port_id === null ? undefined : await store.ports.one(tx, { id: router.gw_port_id })
  if (before && (!ask || ask.network_id !== before.network_id)) {
    const needed = await store.floatingIps.one(tx, { router_id: router.id }, ['id'])
    if (needed) throw conflict(`Gateway cannot be updated for router ${router.id}, since a gateway to external network ${before.network_id} is required by one or more floating IPs.`, { code: 'RouterExternalGatewayInUseByFloatingIp' })
    if (old) await dropPort(house, tx, old)
    await setRow(tx, router, { external_gateway_info: 'null', gw_port_id: null })
  }
  if (!ask) return
  if (!network!['router:external']) throw badRouter(`Network ${network!.id} is not an external network`)
  const same = before && old && before.network_id === ask.network_id ? old : undefined
  const host = await scheduleRouter(house, tx, router)
  let port: PortRow
  if (same) {
    port = ask.external_fixed_ips ? await updatePort(house, tx, same, wishOf({ fixed_ips: ask.external_fixed_ips })) : same
  } else {
    const subnets = await subnetsOf(tx, ask.network_id)
    await gatewayApart(tx, router, subnets)
    port = await createPort(
      house,
      tx,
      wishOf({ project_id: '', device_owner: GATEWAY, device_id: router.id, 'binding:host_id': host, ...(ask.external_fixed_ips && ask.external_fixed_ips.length > 0 ? { fixed_ips: ask.external_fixed_ips } : {}) }),
      network!,
      subnets,
    )
    await store.routerPorts.add(tx, { port_id: port.id, router_id: router.id, port_type: GATEWAY })
  }
  const info = { network_id: ask.network_id, external_fixed_ips: JSON.parse(port.fixed_ips) as FixedIp[], enable_snat: ask.enable_snat ?? before?.enable_snat ?? true, qos_policy_id: ask.qos_policy_id !== undefined ? ask.qos_policy_id : (same ? (before?.qos_policy_id ?? null) : null) }
  await setRow(tx, router, { external_gateway_info: JSON.stringify(info), gw_port_id: port.id })
}

async function setRow(tx: T, router: RouterRow, patch: Partial<RouterRow>): Promise<void> {
  Object.assign(router, patch)
  await store.routers.change(tx, { id: router.id }, patch)
}

async function dropPort(house: Neutron, tx: T, port: PortRow): Promise<void> {
  await store.routerPorts.drop(tx, { port_id: port.id })
  await deletePortRows(house, tx, [port])
}

async function subnetsOfPorts(tx: T, ports: readonly PortRow[]): Promise<SubnetRow[]> {
  const ids = ports.flatMap((port) => (JSON.parse(port.fixed_ips) as FixedIp[]).map((one) => one.subnet_id))
  return ids.length === 0 ? [] : store.subnets.all(tx, { id: ids })
}

async function gatewayApart(tx: T, router: RouterRow, outside: readonly SubnetRow[]): Promise<void> {
  const inside = await subnetsOfPorts(tx, await portsOfRouter(tx, router.id, INTERFACE))
  for (const one of inside) for (const other of outside) apart(one, other)
}

function apart(mine: SubnetRow, other: SubnetRow): void {
  if (overlap(parseCidr(mine.cidr)!, parseCidr(other.cidr)!)) throw badRouter(`Cidr ${mine.cidr} of subnet ${mine.id} overlaps with cidr ${other.cidr} of subnet ${other.id}`)
}

/** Checks that a subnet may become the router's, and is not already. */
async function joinable(tx: T, router: RouterRow, wanted: readonly SubnetRow[], ownPort?: string): Promise<PortRow[]> {
  const ports = (await portsOfRouter(tx, router.id)).filter((port) => port.id !== ownPort)
  const there = await subnetsOfPorts(tx, ports)
  for (const subnet of wanted) {
    if (there.some((one) => one.id === subnet.id)) throw badRouter(`Router already has a port on subnet ${subnet.id}`)
    for (const other of there) apart(subnet, other)
  }
  return ports
}

export interface Attached {
  port: PortRow
  subnets: SubnetRow[]
}

export async function attachSubnet(house: Neutron, tx: T, router: RouterRow, subnet: SubnetRow, network: NetworkRow): Promise<Attached> {
  if (subnet.gateway_ip === null) throw badRouter('Subnet for router interface must have a gateway IP')
  const ports = await joinable(tx, router, [subnet])
  if (subnet.ip_version === 6) {
    // One v6 port of a network carries all of its v6 prefixes.
    const shared = ports.find((port) => port.device_owner === INTERFACE && port.network_id === subnet.network_id && (JSON.parse(port.fixed_ips) as FixedIp[]).some((one) => one.ip_address.includes(':')))
    if (shared) {
      const fixed_ips = [...(JSON.parse(shared.fixed_ips) as FixedIp[]), { subnet_id: subnet.id, ip_address: subnet.gateway_ip }]
      return { port: await updatePort(house, tx, shared, wishOf({ fixed_ips })), subnets: [subnet] }
    }
  }
  const host = await scheduleRouter(house, tx, router)
  const port = await createPort(
    house,
    tx,
    wishOf({ project_id: router.project_id, device_owner: INTERFACE, device_id: router.id, 'binding:host_id': host, fixed_ips: [{ subnet_id: subnet.id, ip_address: subnet.gateway_ip }] }),
    network,
  )
  await store.routerPorts.add(tx, { port_id: port.id, router_id: router.id, port_type: INTERFACE })
  return { port, subnets: [subnet] }
}

export async function attachPort(house: Neutron, tx: T, router: RouterRow, port: PortRow): Promise<Attached> {
  if (port.device_id !== '' || port.device_owner !== '') {
    throw conflict(`Unable to complete operation on port ${port.id} for network ${port.network_id}. Port already has an attached device ${port.device_id}.`, { code: 'PortInUse' })
  }
  const fixed = JSON.parse(port.fixed_ips) as FixedIp[]
  if (fixed.length === 0) throw badRouter('Router port must have at least one fixed IP')
  if (fixed.filter((one) => !one.ip_address.includes(':')).length > 1) throw badRouter('Cannot have multiple IPv4 subnets on router port')
  const subnets = await subnetsOfPorts(tx, [port])
  await joinable(tx, router, subnets, port.id)
  const host = await scheduleRouter(house, tx, router)
  const next = await updatePort(house, tx, port, wishOf({ device_owner: INTERFACE, device_id: router.id, 'binding:host_id': host, security_groups: [], ...(port.port_security_enabled ? { port_security_enabled: false } : {}) }))
  await store.routerPorts.add(tx, { port_id: port.id, router_id: router.id, port_type: INTERFACE })
  return { port: next, subnets }
}

/** Takes an interface away: of a subnet, or a whole port. */
export async function detach(house: Neutron, tx: T, router: RouterRow, ask: { subnet_id?: string; port_id?: string }): Promise<Attached> {
  const ports = await portsOfRouter(tx, router.id, INTERFACE)
  const has = (port: PortRow, subnetId: string): boolean => (JSON.parse(port.fixed_ips) as FixedIp[]).some((one) => one.subnet_id === subnetId)
  let port: PortRow | undefined
  if (ask.port_id !== undefined) {
    port = ports.find((one) => one.id === ask.port_id)
    if (!port) throw notFound(`Router ${router.id} does not have an interface with id ${ask.port_id}`, { code: 'RouterInterfaceNotFound' })
    if (ask.subnet_id !== undefined && !has(port, ask.subnet_id)) throw conflict(`Subnet on port ${port.id} does not match the requested subnet ${ask.subnet_id}.`, { code: 'SubnetMismatchForPort' })
  } else {
    port = ports.find((one) => has(one, ask.subnet_id!))
    if (!port) throw notFound(`Router ${router.id} has no interface on subnet ${ask.subnet_id!}`, { code: 'RouterInterfaceNotFoundForSubnet' })
  }
  const fixed = JSON.parse(port.fixed_ips) as FixedIp[]
  const leaving = ask.port_id === undefined ? fixed.filter((one) => one.subnet_id === ask.subnet_id) : fixed
  const subnets = await store.subnets.all(tx, { id: leaving.map((one) => one.subnet_id) })
  for (const subnet of subnets) await notNeeded(tx, router, subnet)
  if (leaving.length < fixed.length) {
    const rest = fixed.filter((one) => !leaving.includes(one))
    return { port: await updatePort(house, tx, port, wishOf({ fixed_ips: rest })), subnets }
  }
  await dropPort(house, tx, port)
  return { port, subnets }
}

async function notNeeded(tx: T, router: RouterRow, subnet: SubnetRow): Promise<void> {
  const floating = await store.floatingIps.all(tx, { router_id: router.id, fixed_ip_address: but(null) }, ['fixed_ip_address'])
  const cidr = parseCidr(subnet.cidr)!
  const inside = (address: string): boolean => {
    const ip = parseIp(address)
    return ip !== undefined && ip.version === cidr.version && ip.value >= cidr.first && ip.value <= cidr.last
  }
  if (floating.some((one) => inside(one.fixed_ip_address!))) {
    throw conflict(`Router interface for subnet ${subnet.id} on router ${router.id} cannot be deleted, as it is required by one or more floating IPs.`, { code: 'RouterInterfaceInUseByFloatingIP' })
  }
  const routes = JSON.parse(router.routes) as { nexthop: string }[]
  if (routes.some((route) => inside(route.nexthop))) throw conflict(`Router interface for subnet ${subnet.id} on router ${router.id} cannot be deleted, as it is required by one or more routes.`, { code: 'RouterInterfaceInUseByRoute' })
}

/** Every hop must lie on a subnet of the router, and not be the router itself. */
export async function checkRoutes(house: Neutron, tx: T, router: RouterRow, routes: readonly { destination: string; nexthop: string }[]): Promise<void> {
  if (routes.length > house.config.max_routes) throw invalid(`Unable to complete operation for ${router.id}. The number of routes exceeds the maximum ${house.config.max_routes}.`, { code: 'RoutesExhausted' })
  if (routes.length === 0) return
  const ports = await portsOfRouter(tx, router.id)
  const cidrs = (await subnetsOfPorts(tx, ports)).map((subnet) => parseCidr(subnet.cidr)!)
  const own = new Set(ports.flatMap((port) => (JSON.parse(port.fixed_ips) as FixedIp[]).map((one) => one.ip_address)))
  const wrong = (reason: string): Fault => invalid(`Invalid format for routes: ${JSON.stringify(routes)}, ${reason}`, { code: 'InvalidRoutes', field: 'routes' })
  for (const { nexthop } of routes) {
    const ip = parseIp(nexthop)!
    if (!cidrs.some((cidr) => cidr.version === ip.version && ip.value >= cidr.first && ip.value <= cidr.last)) throw wrong('the nexthop is not connected with router')
    if (own.has(nexthop)) throw wrong('the nexthop is used by router')
  }
}

export { dropPort }
