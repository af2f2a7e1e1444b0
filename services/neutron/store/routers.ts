/** Routers: their ports, where they run, and which one leads from a subnet to the outside. */
import type { PortRow, Q, RouterRow } from './tables.ts'

export async function portsOfRouter(db: Q, routerId: string, owner?: string): Promise<PortRow[]> {
  let query = db.query.selectFrom('neutron_ports').selectAll('neutron_ports').innerJoin('neutron_router_ports', 'neutron_router_ports.port_id', 'neutron_ports.id').where('router_id', '=', routerId)
  if (owner) query = query.where('port_type', '=', owner)
  return query.execute()
}

export async function hostOfRouter(db: Q, routerId: string): Promise<string | undefined> {
  return (await db.query.selectFrom('neutron_l3_routers').innerJoin('neutron_agents', 'neutron_agents.id', 'agent_id').select('host').where('router_id', '=', routerId).executeTakeFirst())?.host
}

/** A router with an interface on the subnet and a gateway on the external network; the one that has the subnet's gateway address first. */
export async function routerBetween(db: Q, subnetId: string, gatewayIp: string | null, externalNetworkId: string): Promise<string | undefined> {
  const rows = await db.query
    .selectFrom('neutron_ip_allocations')
    .innerJoin('neutron_router_ports', 'neutron_router_ports.port_id', 'neutron_ip_allocations.port_id')
    .innerJoin('neutron_routers', 'neutron_routers.id', 'router_id')
    .innerJoin('neutron_ports as gateway', 'gateway.id', 'gw_port_id')
    .select(['router_id', 'ip_address'])
    .where('subnet_id', '=', subnetId)
    .where('port_type', '=', 'network:router_interface')
    .where('gateway.network_id', '=', externalNetworkId)
    .execute()
  return (rows.find((row) => row.ip_address === gatewayIp) ?? rows[0])?.router_id
}

export async function routerRow(db: Q, id: string): Promise<RouterRow | undefined> {
  return db.query.selectFrom('neutron_routers').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Address scope of IPv6 on the router's external network. */
export async function outsideScope(db: Q, router: Pick<RouterRow, 'external_gateway_info'>): Promise<string | null> {
  const info = JSON.parse(router.external_gateway_info) as { network_id: string } | null
  if (!info) return null
  const found = await db.query.selectFrom('neutron_subnets').innerJoin('neutron_subnetpools', 'neutron_subnetpools.id', 'subnetpool_id').select('address_scope_id').where('network_id', '=', info.network_id).where('neutron_subnets.ip_version', '=', 6).execute()
  return found.find((one) => one.address_scope_id !== null)?.address_scope_id ?? null
}

/** Networks on which the router has an interface. */
export async function networksBehind(db: Q, routerId: string): Promise<string[]> {
  const rows = await db.query.selectFrom('neutron_router_ports').innerJoin('neutron_ports', 'neutron_ports.id', 'port_id').select('network_id').where('router_id', '=', routerId).where('port_type', '=', 'network:router_interface').execute()
  return rows.map((row) => row.network_id)
}

/** Projects that go out by this network: with a gateway, or a floating IP. */
export async function projectsOutside(db: Q, networkId: string): Promise<string[]> {
  const routers = await db.query.selectFrom('neutron_routers').innerJoin('neutron_ports', 'neutron_ports.id', 'gw_port_id').select('neutron_routers.project_id').where('network_id', '=', networkId).distinct().execute()
  const floating = await db.query.selectFrom('neutron_floatingips').select('project_id').where('floating_network_id', '=', networkId).distinct().execute()
  return [...new Set([...routers, ...floating].map((row) => row.project_id))]
}
