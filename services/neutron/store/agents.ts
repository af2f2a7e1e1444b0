/** Which agent serves a network or a router, and how much each has to do. */
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
