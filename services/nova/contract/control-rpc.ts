/** What agents tell Nova's workers, and ask. Agents have no database: this is their only way to rows. */
import { defineTopic } from '#base/bus/topic.ts'
import type { ComputeFacts, PowerState } from '#nova/drivers/interface.ts'
import type { GuestWish } from './compute-rpc.ts'

/** A host with its hypervisor, as its agent reports it at its start. */
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

/** Any worker of the house answers. */
export interface ControlRpc {
  /** A host at its agent's start: its rows, its resource provider and inventory. Refused when another stored id already has the name. */
  report(payload: { computes: readonly ComputeReport[] }): Promise<void>
  /** These hosts live. Answers those that must report again. */
  beat(payload: { host_ids: readonly string[] }): Promise<{ unknown: readonly string[] }>
  wishes(payload: { host_ids: readonly string[] }): Promise<{ hosts: readonly HostWishes[] }>
  /** The guests that should be on a host, whole: for a driver whose guests do not outlive its process. */
  guestsOf(payload: { host_id: string }): Promise<{ guests: readonly { guest: GuestWish; power: 'running' | 'shutdown' }[] }>
  /** What was seen of power on a host; control decides what it means. */
  observed(payload: { host_id: string; guests: readonly { server_id: string; power_state: PowerState }[] }): Promise<void>
  /** The guests of these tombstones are gone from this host. */
  buried(payload: { host_id: string; server_ids: readonly string[] }): Promise<void>
}

export const controlTopic = defineTopic<ControlRpc>('nova.control', { report: 'call', beat: 'call', wishes: 'call', guestsOf: 'call', observed: 'call', buried: 'call' })

/** To every process of the house. */
export interface WakeRpc {
  /** Something about these servers may have changed; whoever waits, look again. */
  wake(payload: { server_ids: readonly string[] }): Promise<void>
  /** Another process recorded work. */
  look(payload: null): Promise<void>
  /** Hosts, services or aggregates changed. */
  hosts(payload: null): Promise<void>
}

export const wakeTopic = defineTopic<WakeRpc>('nova.wake', { wake: 'fanout', look: 'fanout', hosts: 'fanout' })
