/** What the processes of this house say to each other over the bus. Rows are the truth: every cast here is a wake-up only. */
import type { HostPlan, NetworkPlan, PortPlan, AddressSetPlan } from '#neutron/drivers/plan.ts'
import type { Status } from '#neutron/drivers/interface.ts'

/** Control's topic: any worker of the house answers. */
export const CONTROL_TOPIC = 'neutron.control'

export const agentTopic = (host: string): string => `neutron.agent.${host}`

/** What an agent tells of itself with every heartbeat; one row of `agents` comes from each. */
export interface AgentState {
  agent_type: string
  binary: string
  topic: string
  configurations: Record<string, unknown>
}

export interface Heartbeat {
  host: string
  availability_zone: string
  /** Milliseconds since the epoch. */
  started_at: number
  agents: AgentState[]
}

/** Who lives at an address, for the metadata service. */
export interface MetadataQuestion {
  network_id?: string
  router_id?: string
  remote_address: string
}

export interface MetadataAnswer {
  instance_id: string
  project_id: string
}

/** One port with what its wiring needs, for the fast path. */
export interface PortWish {
  port: PortPlan
  network: NetworkPlan
  address_sets: AddressSetPlan[]
}

export interface PortStatusReport {
  host: string
  /** `port_id` → what the driver says. */
  ports: { id: string; status: Status; device?: string; netns?: string }[]
  routers?: { id: string; status: Status }[]
}

/** Methods of `CONTROL_TOPIC`. */
export interface ControlRpc {
  planOf(payload: { host: string }): Promise<HostPlan>
  /** Ports of this list that are bound to the host; those that are not are to be taken away. */
  portsOf(payload: { host: string; port_ids: string[] }): Promise<PortWish[]>
  reportPorts(payload: PortStatusReport): Promise<void>
  heartbeat(payload: Heartbeat): Promise<void>
  instanceAt(payload: MetadataQuestion): Promise<MetadataAnswer | null>
}

/** Casts to `agentTopic(host)`. */
export interface AgentRpc {
  /** These ports changed: ask for them and wire them now. */
  ports(payload: { port_ids: string[] }): Promise<void>
  /** Something else changed (networks, DHCP, routers, rules): a round soon. */
  wake(payload: { reason: string }): Promise<void>
}
