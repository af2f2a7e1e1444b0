/** DHCP of a network: which agent serves it (from its first port on), and the port it answers from (from its first guest on). */
import type { Neutron } from '#neutron/house.ts'
import { alive } from '#neutron/core/agents.ts'
import { isAuto } from '#neutron/core/subnet-plan.ts'
import type { AgentRow, PortRow, Q, SubnetRow, T } from '#neutron/store/tables.ts'
import { type FixedIp, subnetsOf } from './addresses.ts'
import { createPort, type PortNetwork, updatePort, wishOf } from './ports.ts'

export const DHCP_AGENT = 'DHCP agent'

export async function agentsOf(db: Q, type: string): Promise<AgentRow[]> {
  return db.query.selectFrom('neutron_agents').selectAll().where('agent_type', '=', type).execute()
}

export function usable(house: Neutron, agents: readonly AgentRow[]): AgentRow[] {
  return agents.filter((agent) => agent.admin_state_up && alive(agent.heartbeat_timestamp, house.now(), house.config.agent_down_time))
}

const served = (subnets: readonly SubnetRow[]): SubnetRow[] => subnets.filter((subnet) => subnet.enable_dhcp)

export async function ensureDhcp(house: Neutron, tx: T, network: PortNetwork, subnets: readonly SubnetRow[], guest: boolean): Promise<void> {
  if (served(subnets).length === 0) return
  if (network.availability_zones === '[]' && !(await scheduleDhcp(house, tx, network))) return
  if (!guest) return
  const hosting = await tx.query.selectFrom('neutron_dhcp_networks').innerJoin('neutron_agents', 'neutron_agents.id', 'agent_id').select('host').where('network_id', '=', network.id).executeTakeFirst()
  if (hosting) await dhcpPort(house, tx, network, subnets, hosting.host)
}

/** Gives the network to an agent; false when there is none. */
async function scheduleDhcp(house: Neutron, tx: T, network: PortNetwork): Promise<boolean> {
  const there = await tx.query.selectFrom('neutron_dhcp_networks').select('agent_id').where('network_id', '=', network.id).executeTakeFirst()
  const agents = usable(house, await agentsOf(tx, DHCP_AGENT))
  if (!there && agents.length === 0) return false
  if (!there) {
    const counts = await tx.query.selectFrom('neutron_dhcp_networks').select((eb) => ['agent_id', eb.fn.countAll().as('n')]).groupBy('agent_id').execute()
    const load = new Map(counts.map((row) => [row.agent_id, Number(row.n)]))
    const least = agents.reduce((best, agent) => ((load.get(agent.id) ?? 0) < (load.get(best.id) ?? 0) ? agent : best))
    await tx.query.insertInto('neutron_dhcp_networks').values({ network_id: network.id, agent_id: least.id }).execute()
  }
  await tx.query.updateTable('neutron_networks').set({ availability_zones: JSON.stringify([house.config.availability_zone]) }).where('id', '=', network.id).execute()
  return true
}

/** The port that DHCP answers from has an address in every subnet that DHCP serves. */
export async function dhcpPort(house: Neutron, tx: T, network: PortNetwork, subnets: readonly SubnetRow[], host: string): Promise<PortRow | undefined> {
  const there = await tx.query.selectFrom('neutron_ports').selectAll().where('network_id', '=', network.id).where('device_owner', '=', 'network:dhcp').executeTakeFirst()
  if (there) return there
  return createPort(
    house,
    tx,
    wishOf({
      project_id: network.project_id,
      device_owner: 'network:dhcp',
      device_id: `dhcp-${network.id}`,
      fixed_ips: served(subnets).filter((subnet) => !isAuto(subnet)).map((subnet) => ({ subnet_id: subnet.id })),
      'binding:host_id': host,
    }),
    network,
    subnets,
  )
}

/** After subnets came, went or changed: the DHCP port, if there is one, has an address in each that DHCP serves. */
export async function refreshDhcp(house: Neutron, tx: T, networkId: string): Promise<void> {
  const port = await tx.query.selectFrom('neutron_ports').selectAll().where('network_id', '=', networkId).where('device_owner', '=', 'network:dhcp').executeTakeFirst()
  if (!port) return
  const wanted = served(await subnetsOf(tx, networkId)).filter((subnet) => !isAuto(subnet))
  const have = JSON.parse(port.fixed_ips) as FixedIp[]
  const fixed_ips = wanted.map((subnet) => have.find((one) => one.subnet_id === subnet.id) ?? { subnet_id: subnet.id })
  if (JSON.stringify(fixed_ips) !== JSON.stringify(have)) await updatePort(house, tx, port, wishOf({ fixed_ips }))
  house.notices.changed(tx, { networks: [networkId] })
}
