/** Binding a port to a host: whether an agent there can wire it. Rows only; the agent is woken afterwards. */
import type { Neutron } from '#neutron/house.ts'
import { alive } from '#neutron/core/agents.ts'
import type { Q } from '#neutron/store/tables.ts'
import { store } from '#neutron/store/store.ts'

export interface Bound {
  'binding:vif_type': string
  'binding:vif_details': string
}

const UNBOUND: Bound = { 'binding:vif_type': 'unbound', 'binding:vif_details': '{}' }
const FAILED: Bound = { 'binding:vif_type': 'binding_failed', 'binding:vif_details': '{}' }

/** The device's name is known from the start where a real one is made, so that Nova waits for it; its namespace is added when the agent has made it. */
function tap(portId: string, configurations: string): Bound {
  const { driver } = JSON.parse(configurations) as { driver?: string }
  return { 'binding:vif_type': 'tap', 'binding:vif_details': JSON.stringify({ connectivity: 'l2', port_filter: true, ...(driver === 'fake' ? {} : { tap_name: `tap${portId.slice(0, 11)}` }) }) }
}

export const L2_AGENT = 'Linux bridge agent'

export async function bind(house: Neutron, db: Q, host: string, vnicType: string, portId: string): Promise<Bound> {
  if (host === '') return UNBOUND
  if (vnicType !== 'normal') return FAILED
  const agent = await store.agents.one(db, { agent_type: L2_AGENT, host }, ['heartbeat_timestamp', 'admin_state_up', 'configurations'])
  return agent && agent.admin_state_up && alive(agent.heartbeat_timestamp, house.now(), house.config.agent_down_time) ? tap(portId, agent.configurations) : FAILED
}
