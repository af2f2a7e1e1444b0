/** What agents tell Nova's workers, and ask. Agents have no database: this is their only way to rows. */
import type { ComputeFacts, PowerState } from '#nova/drivers/interface.ts'

export const CONTROL_TOPIC = 'nova.control'

/** A host with its hypervisor, as its agent reports it at its start and then with every heartbeat. */
export interface ComputeReport {
  /** Name of the service's host; `hypervisor_hostname` and the stored id are in the facts. */
  host: string
  host_ip: string
  facts: ComputeFacts
  /** Abilities of the driver, as `COMPUTE_…` traits of Placement. */
  traits: readonly string[]
}

/** What should be on a host, of those servers that are not in the middle of something. */
export interface HostWishes {
  host_id: string
  servers: readonly { server_id: string; power_state: PowerState; settled: boolean }[]
  /** Guests that are to be destroyed here. */
  tombstones: readonly string[]
}

/** Methods of `CONTROL_TOPIC`. */
export interface ControlRpc {
  /** Registers and beats; many hosts at once. Answers the ids of the hosts that are known. */
  report(payload: { computes: readonly ComputeReport[] }): Promise<{ known: readonly string[] }>
  beat(payload: { host_ids: readonly string[] }): Promise<{ unknown: readonly string[] }>
  wishes(payload: { host_ids: readonly string[]; server_ids?: Readonly<Record<string, readonly string[]>> }): Promise<{ hosts: readonly HostWishes[] }>
  /** What was seen of power on a host; control decides what it means. */
  observed(payload: { host_id: string; guests: readonly { server_id: string; power_state: PowerState }[] }): Promise<void>
  /** The guest of a tombstone is gone from this host. */
  buried(payload: { host_id: string; server_ids: readonly string[] }): Promise<void>
}

/** Fan-out to every process of the house: something about these servers may have changed; whoever waits, look again. */
export interface WakeMessage {
  server_ids: readonly string[]
}
export const WAKE_TOPIC = 'nova.wake'
