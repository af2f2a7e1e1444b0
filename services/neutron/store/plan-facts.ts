/** What a host's plan is made of, read in a handful of queries whatever its size. */
import { DHCP_FACTS, type DhcpPort, hostPlan, dhcpPlan, networkPlan, type PlanFacts, type PlanPort, type PlanQosRule, portPlan, routerPlan, type RouterParts, routerPolicies } from '#neutron/core/host-plan.ts'
import type { HostPlan, NetworkPlan } from '#neutron/drivers/plan.ts'
import type { ChangedIds, Wishes } from '#neutron/contract/rpc.ts'
import { hostsOnNetworks, tunnelEnds } from './agents.ts'
import { rowsIn } from './rows.ts'
import type { Q, Row } from './tables.ts'

export interface PlanSettings {
  dns_domain: string
  dns_servers: readonly string[]
}

const rows = async <Shape>(db: Q, table: string, column: string, values: Iterable<string>): Promise<Shape[]> => (await rowsIn(db as never, table, column, [...new Set(values)])) as unknown as Shape[]

async function factsFor(db: Q, host: string, ports: readonly PlanPort[], networkIds: Iterable<string>, settings: PlanSettings, { sets: extraSets = [], policies: morePolicies = [] }: { sets?: readonly string[]; policies?: readonly string[] } = {}): Promise<PlanFacts> {
  const ids = [...new Set(networkIds)]
  const groups = new Set(ports.flatMap((port) => JSON.parse(port.security_groups) as string[]))
  const rules = await rows<PlanFacts['rules'] extends ReadonlyMap<string, readonly (infer Rule)[]> ? Rule : never>(db, 'neutron_security_group_rules', 'security_group_id', groups)
  const remoteGroups = new Set([...rules.flatMap((rule) => rule.remote_group_id ?? []), ...extraSets])
  const remoteLists = new Set([...rules.flatMap((rule) => rule.remote_address_group_id ?? []), ...extraSets])
  const networks = await rows<Row & { id: string }>(db, 'neutron_networks', 'id', ids)
  const policies = [...ports.flatMap((port) => port.qos_policy_id ?? port.qos_network_policy_id ?? []), ...morePolicies]
  const tunnels = await tunnelsOf(db, host, networks.filter((one) => one['provider:network_type'] === 'vxlan').map((one) => one.id))
  return {
    networks: new Map(networks.map((one) => [one.id, one as never])),
    subnets: Map.groupBy(await rows<Row & { network_id: string }>(db, 'neutron_subnets', 'network_id', ids), (one) => one.network_id) as never,
    rules: Map.groupBy(rules, (rule) => rule.security_group_id),
    stateless: new Set((await rows<{ id: string; stateful: number }>(db, 'neutron_security_groups', 'id', groups)).filter((one) => one.stateful === 0).map((one) => one.id)),
    limits: Map.groupBy(await rows<PlanQosRule>(db, 'neutron_qos_rules', 'qos_policy_id', policies), (one) => one.qos_policy_id),
    sets: [...(await groupMembers(db, [...remoteGroups])), ...(await rows<{ id: string; addresses: string }>(db, 'neutron_address_groups', 'id', remoteLists)).map((one) => ({ id: one.id, prefixes: JSON.parse(one.addresses) as string[] }))],
    ...tunnels,
    dns_servers: settings.dns_servers,
    subports: await trunkPlaces(db, ports.filter((port) => port.device_owner === 'trunk:subport').map((port) => port.id)),
  }
}

async function trunkPlaces(db: Q, portIds: readonly string[]): Promise<PlanFacts['subports']> {
  const subports = await rows<{ port_id: string; trunk_id: string; segmentation_id: number }>(db, 'neutron_subports', 'port_id', portIds)
  const parents = new Map((await rows<{ id: string; port_id: string }>(db, 'neutron_trunks', 'id', subports.map((one) => one.trunk_id))).map((trunk) => [trunk.id, trunk.port_id]))
  return new Map(subports.flatMap(({ port_id, trunk_id, segmentation_id }) => (parents.has(trunk_id) ? [[port_id, { parent_port_id: parents.get(trunk_id)!, segmentation_id }] as const] : [])))
}

/** Addresses behind groups: those of their ports, allowed pairs included. */
async function groupMembers(db: Q, groups: readonly string[]): Promise<{ id: string; prefixes: string[] }[]> {
  if (groups.length === 0) return []
  const ofGroups = db.query.selectFrom('neutron_port_security_groups').where('security_group_id', 'in', groups)
  const own = await ofGroups.innerJoin('neutron_ip_allocations', 'neutron_ip_allocations.port_id', 'neutron_port_security_groups.port_id').select(['security_group_id', 'ip_address']).execute()
  const paired = await ofGroups.innerJoin('neutron_ports', 'neutron_ports.id', 'neutron_port_security_groups.port_id').select(['security_group_id', 'allowed_address_pairs']).where('allowed_address_pairs', '!=', '[]').execute()
  const known = await db.query.selectFrom('neutron_security_groups').select('id').where('id', 'in', groups).execute()
  const byGroup = new Map(known.map(({ id }) => [id, new Set<string>()]))
  for (const { security_group_id, ip_address } of own) byGroup.get(security_group_id)?.add(ip_address)
  for (const { security_group_id, allowed_address_pairs } of paired) for (const { ip_address } of JSON.parse(allowed_address_pairs) as { ip_address: string }[]) byGroup.get(security_group_id)?.add(ip_address)
  return [...byGroup].map(([id, prefixes]) => ({ id, prefixes: [...prefixes] }))
}

/** The other ends of VXLAN networks: hosts that have a port there, and what lives behind them. */
async function tunnelsOf(db: Q, host: string, networkIds: readonly string[]): Promise<Pick<PlanFacts, 'vteps' | 'fdb'>> {
  const vteps = new Map<string, { ip: string }[]>()
  const fdb = new Map<string, { mac_address: string; ip: string }[]>()
  if (networkIds.length === 0) return { vteps, fdb }
  // Who has no tunnels reaches nobody, and need not know of thousands who have.
  if ((await tunnelEnds(db, host)).size === 0) return { vteps, fdb }
  const ends = await tunnelEnds(db)
  ends.delete(host)
  if (ends.size === 0) return { vteps, fdb }
  const ports = (await rows<{ network_id: string; mac_address: string; 'binding:host_id': string }>(db, 'neutron_ports', 'network_id', networkIds)).filter((port) => ends.get(port['binding:host_id']) !== undefined)
  for (const [id, ofNetwork] of Map.groupBy(ports, (port) => port.network_id)) {
    vteps.set(id, [...new Set(ofNetwork.map((port) => ends.get(port['binding:host_id'])!))].map((ip) => ({ ip })))
    fdb.set(id, ofNetwork.map((port) => ({ mac_address: port.mac_address, ip: ends.get(port['binding:host_id'])! })))
  }
  return { vteps, fdb }
}

/** Ports that the driver wires as taps: DHCP and routers bring their own. */
const isTap = (port: PlanPort): boolean => !port.device_owner.startsWith('network:')

/** Also those that will be here after a live migration: their taps and rules are there before the guest is. */
async function portsAt(db: Q, host: string): Promise<PlanPort[]> {
  const bound = (await db.query.selectFrom('neutron_ports').selectAll().where('binding:host_id', '=', host).execute()) as unknown as PlanPort[]
  return [...bound, ...(await rows<PlanPort>(db, 'neutron_ports', 'id', await inactiveAt(db, host)))]
}

async function inactiveAt(db: Q, host: string): Promise<string[]> {
  return (await db.query.selectFrom('neutron_port_bindings').select('port_id').where('host', '=', host).execute()).map((row) => row.port_id)
}

/** Of these networks, those that something on this host hangs on, when it has tunnels to others. */
async function tunnelledAt(db: Q, host: string, networkIds: readonly string[]): Promise<string[]> {
  if (networkIds.length === 0 || !(await tunnelEnds(db, host)).has(host)) return []
  return (await hostsOnNetworks(db, networkIds)).flatMap((one) => (one.host === host ? [one.network_id] : []))
}

async function dhcpNetworksAt(db: Q, host: string): Promise<string[]> {
  return (await db.query.selectFrom('neutron_dhcp_networks').innerJoin('neutron_agents', 'neutron_agents.id', 'agent_id').select('network_id').where('host', '=', host).where('admin_state_up', '=', 1).execute()).map((row) => row.network_id)
}

async function routersAt(db: Q, host: string): Promise<string[]> {
  return (await db.query.selectFrom('neutron_l3_routers').innerJoin('neutron_agents', 'neutron_agents.id', 'agent_id').select('router_id').where('host', '=', host).execute()).map((row) => row.router_id)
}

async function routerParts(db: Q, ids: readonly string[]): Promise<RouterParts[]> {
  if (ids.length === 0) return []
  const routers = await rows<RouterParts['router']>(db, 'neutron_routers', 'id', ids)
  const links = await rows<{ port_id: string; router_id: string }>(db, 'neutron_router_ports', 'router_id', ids)
  const ports = new Map((await rows<PlanPort>(db, 'neutron_ports', 'id', links.map((one) => one.port_id))).map((port) => [port.id, port]))
  const floating = await rows<{ router_id: string; floating_ip_address: string; fixed_ip_address: string | null; qos_policy_id: string | null }>(db, 'neutron_floatingips', 'router_id', ids)
  const all = await rows<{ id: string; router_id: string | null; floating_ip_address: string }>(db, 'neutron_floatingips', 'router_id', ids)
  const forwards = await rows<{ floatingip_id: string; protocol: string; external_port: number | null; internal_ip_address: string; internal_port: number | null }>(db, 'neutron_port_forwardings', 'floatingip_id', all.map((one) => one.id))
  const helpers = await rows<{ router_id: string; protocol: string; port: number; helper: string }>(db, 'neutron_conntrack_helpers', 'router_id', ids)
  const proxies = await rows<{ router_id: string; ip_address: string }>(db, 'neutron_ndp_proxies', 'router_id', ids)
  const outside = new Map(all.map((one) => [one.id, one]))
  return routers.map((router) => ({
    router,
    ports: links.flatMap((one) => (one.router_id === router.id ? (ports.get(one.port_id) ?? []) : [])),
    floating: floating.filter((one) => one.router_id === router.id),
    forwards: forwards.flatMap((one) => (outside.get(one.floatingip_id)!.router_id === router.id ? [{ ...one, floating_ip_address: outside.get(one.floatingip_id)!.floating_ip_address }] : [])),
    helpers: helpers.filter((one) => one.router_id === router.id),
    proxies: proxies.filter((one) => one.router_id === router.id),
  }))
}

async function dhcpPorts(db: Q, networkIds: readonly string[]): Promise<DhcpPort[]> {
  return (await rowsIn(db as never, 'neutron_ports', 'network_id', [...new Set(networkIds)], DHCP_FACTS)) as unknown as DhcpPort[]
}

export async function planOf(db: Q, host: string, settings: PlanSettings): Promise<HostPlan> {
  const ports = (await portsAt(db, host)).filter(isTap)
  const networks = await dhcpNetworksAt(db, host)
  const dhcp = await dhcpPorts(db, networks)
  const routers = await routerParts(db, await routersAt(db, host))
  const facts = await factsFor(db, host, ports, [...ports, ...dhcp, ...routers.flatMap((one) => one.ports)].map((port) => port.network_id), settings, { policies: routers.flatMap(routerPolicies) })
  return hostPlan(
    {
      ports: ports.filter((port) => facts.networks.has(port.network_id)).map((port) => portPlan(port, facts)),
      dhcp: dhcp.filter((port) => port.device_owner === 'network:dhcp').flatMap((port) => dhcpPlan(port, dhcp, facts, settings.dns_domain) ?? []),
      routers: routers.map((parts) => routerPlan(parts, facts)),
    },
    facts,
  )
}

/** The part of a host's plan that is about these ids. */
export async function wishesOf(db: Q, host: string, ids: ChangedIds, settings: PlanSettings): Promise<Wishes> {
  const asked = (await rows<PlanPort>(db, 'neutron_ports', 'id', ids.ports)).filter(isTap)
  const arriving = asked.some((port) => port['binding:host_id'] !== host) ? new Set(await inactiveAt(db, host)) : undefined
  const ports = asked.filter((port) => port['binding:host_id'] === host || arriving?.has(port.id))
  const tunnelled = await tunnelledAt(db, host, ids.networks)
  const here = new Set(ids.networks.length > 0 ? await dhcpNetworksAt(db, host) : [])
  const dhcp = await dhcpPorts(db, ids.networks.filter((id) => here.has(id)))
  const mine = new Set(ids.routers.length > 0 ? await routersAt(db, host) : [])
  const routers = await routerParts(db, ids.routers.filter((id) => mine.has(id)))
  const facts = await factsFor(db, host, ports, [...[...ports, ...dhcp, ...routers.flatMap((one) => one.ports)].map((port) => port.network_id), ...tunnelled], settings, { sets: ids.sets, policies: routers.flatMap(routerPolicies) })
  return {
    networks: tunnelled.flatMap((id) => networkPlan(id, facts) ?? []).filter((network) => network.network_type === 'vxlan'),
    address_sets: [...facts.sets],
    ports: ports.flatMap((port) => {
      const network: NetworkPlan | undefined = networkPlan(port.network_id, facts)
      return network ? [{ port: portPlan(port, facts), network }] : []
    }),
    dhcp: dhcp.filter((port) => port.device_owner === 'network:dhcp').flatMap((port) => dhcpPlan(port, dhcp, facts, settings.dns_domain) ?? []),
    routers: routers.map((parts) => routerPlan(parts, facts)),
  }
}
