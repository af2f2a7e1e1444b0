/** DHCP of a network: which agent serves it (from its first port on), and the port it answers from (from its first guest on). */
import type { Neutron } from '#neutron/house.ts'
import { alive } from '#neutron/core/agents.ts'
import { isAuto } from '#neutron/core/subnet-plan.ts'
import type { AgentRow, PortRow, Q, SubnetRow, T } from '#neutron/store/tables.ts'
import { type FixedIp, subnetsOf } from './addresses.ts'
import { createPort, type PortNetwork, updatePort, wishOf } from './ports.ts'
import { store } from '#neutron/store/store.ts'
import { dhcpHostOf, leastLoaded } from '#neutron/store/agents.ts'

export const DHCP_AGENT = 'DHCP agent'

export async function agentsOf(db: Q, type: string): Promise<AgentRow[]> {
  return store.agents.all(db, { agent_type: type })
}

export function usable(house: Neutron, agents: readonly AgentRow[]): AgentRow[] {
  return agents.filter((agent) => agent.admin_state_up && alive(agent.heartbeat_timestamp, house.now(), house.config.agent_down_time))
}

const served = (subnets: readonly SubnetRow[]): SubnetRow[] => subnets.filter((subnet) => subnet.enable_dhcp)

export async function ensureDhcp(house: Neutron, tx: T, network: PortNetwork, subnets: readonly SubnetRow[], guest: boolean): Promise<void> {
  if (served(subnets).length === 0) return
  if (network.availability_zones === '[]' && !(await scheduleDhcp(house, tx, network))) return
  if (!guest) return
  const host = await dhcpHostOf(tx, network.id)
  if (host !== undefined) await dhcpPort(house, tx, network, subnets, host)
}

/** Gives the network to an agent; false when there is none. */
async function scheduleDhcp(house: Neutron, tx: T, network: PortNetwork): Promise<boolean> {
  const there = await store.dhcpNetworks.one(tx, { network_id: network.id }, ['agent_id'])
  const agents = usable(house, await agentsOf(tx, DHCP_AGENT))
  if (!there && agents.length === 0) return false
  if (!there) {
    const least = await leastLoaded(tx, 'dhcp', agents)
    await store.dhcpNetworks.add(tx, { network_id: network.id, agent_id: least.id })
  }
  await store.networks.change(tx, { id: network.id }, { availability_zones: JSON.stringify([house.config.availability_zone]) })
  return true
}

/** The port that DHCP answers from has an address in every subnet that DHCP serves. */
export async function dhcpPort(house: Neutron, tx: T, network: PortNetwork, subnets: readonly SubnetRow[], host: string): Promise<PortRow | undefined> {
  // Nearly always it is there, under the device that it is made with here; a look at all ports of a network would collide with everyone who makes one.
  const device_id = `dhcp-${network.id}`
  const there = (await store.ports.one(tx.aside, { device_id, network_id: network.id, device_owner: 'network:dhcp' })) ?? (await store.ports.one(tx, { network_id: network.id, device_owner: 'network:dhcp' }))
  if (there) return there
  return createPort(
    house,
    tx,
    wishOf({
      project_id: network.project_id,
      device_owner: 'network:dhcp',
      device_id,
      fixed_ips: served(subnets).filter((subnet) => !isAuto(subnet)).map((subnet) => ({ subnet_id: subnet.id })),
      'binding:host_id': host,
    }),
    network,
    subnets,
  )
}

/** After subnets came, went or changed: the DHCP port, if there is one, has an address in each that DHCP serves. */
export async function refreshDhcp(house: Neutron, tx: T, networkId: string): Promise<void> {
  const port = await store.ports.one(tx, { network_id: networkId, device_owner: 'network:dhcp' })
  if (!port) return
  const wanted = served(await subnetsOf(tx, networkId)).filter((subnet) => !isAuto(subnet))
  const have = JSON.parse(port.fixed_ips) as FixedIp[]
  const fixed_ips = wanted.map((subnet) => have.find((one) => one.subnet_id === subnet.id) ?? { subnet_id: subnet.id })
  if (JSON.stringify(fixed_ips) !== JSON.stringify(have)) await updatePort(house, tx, port, wishOf({ fixed_ips }))
  house.notices.changed(tx, { networks: [networkId] })
}
