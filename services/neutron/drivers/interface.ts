/**
 * What a network driver can do on one host. It is given the wish (`plan.ts`) and moves the world: every verb may be repeated,
 * continues what a killed process left, takes over what already runs, and touches nothing the driver did not make. A verb never
 * throws for one bad object: the report says which are DOWN and why.
 *
 * The core wires ports; routing, DHCP, metadata and limits are abilities of their own, present or absent by type (law 11).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressSetPlan, DhcpPlan, HostPlan, NetworkPlan, PortPlan, RouterPlan } from './plan.ts'

/** `ACTIVE` is said only when packets pass and the rules against spoofing hold. */
export type Status = 'ACTIVE' | 'DOWN'

export interface ObjectReport {
  id: string
  status: Status
  /** Why it is DOWN, for a person. */
  reason?: string
}

export interface PortReport extends ObjectReport {
  /** What a hypervisor opens: the device and the network namespace it lies in. */
  device?: string
  netns?: string
}

export interface RouterReport extends ObjectReport {
  /** Its interfaces and its gateway. */
  ports: PortReport[]
}

export interface HostReport {
  networks: ObjectReport[]
  ports: PortReport[]
  dhcp: ObjectReport[]
  routers: RouterReport[]
}

export interface NetworkDriver {
  readonly name: string
  /** The `network_type`s it can wire. */
  readonly network_types: readonly NetworkPlan['network_type'][]
  /**
   * The whole host: for the start and the slow clock. Removes what is not in the plan. Give a function to have the plan read while
   * nothing else moves: a plan that is older than an `ensurePort` would take that port away again.
   */
  ensure(plan: HostPlan | (() => Promise<HostPlan>)): Promise<HostReport>
  ensureNetwork(network: NetworkPlan): Promise<ObjectReport>
  ensureNoNetwork(networkId: string): Promise<void>
  /** Makes the network too, if it is not there. */
  ensurePort(port: PortPlan, network: NetworkPlan): Promise<PortReport>
  ensureNoPort(portId: string): Promise<void>
  /** Members of remote groups; a set that ports name must be given before them. */
  ensureAddressSets(sets: readonly AddressSetPlan[]): Promise<void>
  /** Stops what lives in this process (listeners); the networks go on. */
  close(): Promise<void>
}

export interface RoutingAbility {
  ensureRouter(router: RouterPlan): Promise<RouterReport>
  ensureNoRouter(routerId: string): Promise<void>
}

export interface DhcpAbility {
  ensureDhcp(dhcp: DhcpPlan): Promise<ObjectReport>
  ensureNoDhcp(networkId: string): Promise<void>
}

/** Who asks for metadata, as the network knows it: nothing of this comes from a header. */
export type MetadataSource = { remote_address: string } & ({ network_id: string; router_id?: undefined } | { router_id: string; network_id?: undefined })

export type MetadataHandler = (source: MetadataSource, request: IncomingMessage, response: ServerResponse) => void

/** Requests of guests to 169.254.169.254, through the router or through the network's DHCP port. */
export interface MetadataAbility {
  onMetadata(handler: MetadataHandler): void
}

export function canRoute<D extends NetworkDriver>(driver: D): driver is D & RoutingAbility {
  return 'ensureRouter' in driver
}

export function canServeDhcp<D extends NetworkDriver>(driver: D): driver is D & DhcpAbility {
  return 'ensureDhcp' in driver
}

export function canServeMetadata<D extends NetworkDriver>(driver: D): driver is D & MetadataAbility {
  return 'onMetadata' in driver
}
