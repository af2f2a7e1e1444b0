/** What the processes of this house say to each other over the bus. Rows are the truth: every cast here is a wake-up only. */
import type { AddressSetPlan, DhcpPlan, HostPlan, NetworkPlan, PortPlan, RouterPlan } from '#neutron/drivers/plan.ts'
import type { Status } from '#neutron/drivers/interface.ts'

/** Control's topic: any worker of the house answers. */
export const CONTROL_TOPIC = 'neutron.control'

/** Every agent listens here as well. */
export const AGENTS_TOPIC = 'neutron.agents'

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

/** One port with the network it hangs on. */
export interface PortWish {
  port: PortPlan
  network: NetworkPlan
}

/** Ids of what changed; the agent asks for these anew. */
export interface ChangedIds {
  ports: string[]
  /** Networks whose DHCP or whose ends on other hosts changed. */
  networks: string[]
  routers: string[]
  /** Security groups and address groups whose members changed. */
  sets: string[]
}

/** What a host should carry of the ids it asked for. What it asked for and is not here is to be taken away. */
export interface Wishes {
  /** Of the networks asked for, those on this host that reach others by tunnels: the far ends may have changed. */
  networks: NetworkPlan[]
  address_sets: AddressSetPlan[]
  ports: PortWish[]
  dhcp: DhcpPlan[]
  routers: RouterPlan[]
}

export interface PortStatusReport {
  host: string
  /** `port_id` → what the driver says. */
  ports: { id: string; status: Status; device?: string; netns?: string }[]
  /** With the floating IPs that the router was given: only of these it can say anything. */
  routers?: { id: string; status: Status; floating_ips: string[] }[]
}

/** Methods of `CONTROL_TOPIC`. */
export interface ControlRpc {
  planOf(payload: { host: string }): Promise<HostPlan>
  wishesOf(payload: { host: string } & ChangedIds): Promise<Wishes>
  reportPorts(payload: PortStatusReport): Promise<void>
  heartbeat(payload: Heartbeat): Promise<void>
  instanceAt(payload: MetadataQuestion): Promise<MetadataAnswer | null>
}

/** Casts to `agentTopic(host)`, or to every agent on `AGENTS_TOPIC`. */
export interface AgentRpc {
  /** These things changed: ask for them and wire them now. */
  changed(payload: ChangedIds): Promise<void>
  /** Something else changed: a whole round soon. */
  wake(payload: { reason: string }): Promise<void>
}
