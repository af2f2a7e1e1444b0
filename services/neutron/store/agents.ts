/** Which agent serves a network or a router, how much each has to do, and which hosts a network reaches. */
import type { AgentRow, Q } from './tables.ts'

/** Of these agents the one that serves the fewest. */
export async function leastLoaded(db: Q, kind: 'dhcp' | 'l3', agents: readonly AgentRow[]): Promise<AgentRow> {
  const counts = await db.query.selectFrom(kind === 'dhcp' ? 'neutron_dhcp_networks' : 'neutron_l3_routers').select((eb) => ['agent_id', eb.fn.countAll().as('n')]).groupBy('agent_id').execute()
  const load = new Map(counts.map((row) => [row.agent_id, Number(row.n)]))
  return agents.reduce((best, agent) => ((load.get(agent.id) ?? 0) < (load.get(best.id) ?? 0) ? agent : best))
}

/** A host that serves DHCP of the network. */
export async function dhcpHostOf(db: Q, networkId: string): Promise<string | undefined> {
  return (await db.query.selectFrom('neutron_dhcp_networks').innerJoin('neutron_agents', 'neutron_agents.id', 'agent_id').select('host').where('network_id', '=', networkId).executeTakeFirst())?.host
}

export interface OnHost {
  network_id: string
  host: string
}

/** Hosts that serve DHCP of these networks. */
export async function dhcpHostsOf(db: Q, networkIds: readonly string[]): Promise<OnHost[]> {
  return db.query.selectFrom('neutron_dhcp_networks').innerJoin('neutron_agents', 'neutron_agents.id', 'agent_id').select(['network_id', 'host']).where('network_id', 'in', networkIds).execute()
}

/** Hosts with a port on these networks, routers' and DHCP's included. */
export async function hostsOnNetworks(db: Q, networkIds: readonly string[]): Promise<OnHost[]> {
  const rows = await db.query.selectFrom('neutron_ports').select(['network_id', 'binding:host_id']).distinct().where('network_id', 'in', networkIds).where('binding:host_id', '!=', '').execute()
  return rows.map((row) => ({ network_id: row.network_id, host: row['binding:host_id'] }))
}

const L2_AGENT = 'Linux bridge agent'

/** The ends of tunnels, or of one host's: host → address. */
export async function tunnelEnds(db: Q, host?: string): Promise<Map<string, string>> {
  let query = db.query.selectFrom('neutron_agents').select(['host', 'configurations']).where('agent_type', '=', L2_AGENT).where('configurations', 'like', '%tunneling_ip%')
  if (host !== undefined) query = query.where('host', '=', host)
  const agents = await query.execute()
  return new Map(agents.map((agent) => [agent.host, (JSON.parse(agent.configurations) as { tunneling_ip: string }).tunneling_ip]))
}

/** Hosts that serve DHCP, and hosts with tunnels, whatever the network. */
export async function sidesThere(db: Q): Promise<{ dhcp: ReadonlySet<string>; tunnels: ReadonlySet<string> }> {
  const dhcp = await db.query.selectFrom('neutron_agents').select('host').where('agent_type', '=', 'DHCP agent').execute()
  return { dhcp: new Set(dhcp.map((row) => row.host)), tunnels: new Set((await tunnelEnds(db)).keys()) }
}
