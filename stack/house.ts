/** What a house is given by whoever starts it, and what it gives back. Only `processes/` rooms and `cloud/` know these shapes. */
import type { Bus } from '#base/bus/interface.ts'
import type { Fault } from '#base/fault.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import type { HttpHandler, HttpRequest } from '#base/http/message.ts'
import type { Database } from '#base/sql/database.ts'
import type { World } from '#base/world.ts'
import type { Duplex } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import type { Authorizer } from './authorize.ts'
import type { Caller, Client } from './client.ts'
import type { UnifiedLimits } from './quota.ts'
import type { Route } from './route.ts'
import type { ServicePlate } from './service.ts'
import type { TokenDoor } from './token-door.ts'

export interface HouseParts<Config> {
  world: World
  config: Config
  /** The shared database; a house sees its own tables with `db.as<Tables>()`. Tables are named `<house>_<noun>`. */
  db: Database
  bus: Bus
  /** Calls other houses' contracts. */
  client: Client
  /** This house's own policy. */
  authorizer: Authorizer
  tokens: TokenDoor
  /** The identity under which this house calls others for itself (roles admin and service in project `service`); kept fresh. */
  serviceCaller(): Promise<Caller>
  /** Name of this machine. */
  host: string
  /** This house's folder for what is not in the database. */
  dataDir: string
  /** Name of this process as an owner of leases. */
  owner: string
  /** What the agents of this cloud drive: what has no effect on real machines may be left out. Default fake. */
  drivers?: 'fake' | 'real'
  /** Milliseconds after which a dead process's flows go on elsewhere. */
  lease?: number
  /** Deaths and failures between steps, for simulation. */
  flowFaults?: FlowFaults
  /** Bad days of a driver that is no agent's, for simulation. */
  driverStorm?: DriverStorm
  /** Limits that Keystone keeps for this house instead of its own quotas (`quota.driver: unified`). */
  unifiedLimits?: UnifiedLimits
  identityUrl: (request: HttpRequest) => string
  /** Root of the front door as clients reach it, e.g. `http://127.0.0.1:5000`, for links made outside a request. */
  publicUrl(): string
}

/** The controller side of a house in this process: its API, and its worker that runs flows. */
export interface ControlProcess {
  plate: ServicePlate
  routes: readonly Route[]
  handler: HttpHandler
  /** Requests that are this house's wherever their path leads: by the name of the host, or by how they are signed. */
  claims?: (request: HttpRequest) => boolean | Promise<boolean>
  /** WebSockets below the mount, e.g. consoles. */
  onUpgrade?: (request: HttpRequest, socket: Duplex, head: Buffer, raw: IncomingMessage) => void
  start(): Promise<void>
  /** Finishes what is under way for up to `grace` ms. Stops nothing that users own. */
  close(grace?: number): Promise<void>
}

/** The machine side of a house on this host. No database. */
export interface AgentProcess {
  start(): Promise<void>
  close(): Promise<void>
}

export type AgentParts<Config> = Pick<HouseParts<Config>, 'world' | 'config' | 'bus' | 'client' | 'serviceCaller' | 'host' | 'dataDir'> & {
  /** Where the network side makes the taps of this host, when not in the host's own namespace. */
  networkNamespace?: string
  /** False where another machine has DHCP, routers and metadata, and ports alone are wired here. Default true. */
  networkNode?: boolean
  /** Bad days of fake drivers, for simulation. */
  driverStorm?: DriverStorm
  /** Names of the hosts that this machine's fake agents play beside `host`. */
  alsoHosts?: readonly string[]
}

/** What befalls one call of a fake driver, by its verb: it takes so many milliseconds longer, and fails then. Undefined: nothing. */
export type DriverStorm = (verb: string) => { slow: number; fault?: Fault } | undefined

/** The names of `count` fake hosts on one machine: its own, and that with a number. */
export function fakeHostNames(host: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? host : `${host}-${i + 1}`))
}

/** What the parts say about the house's flow engine. */
export function engineSettings(parts: Pick<HouseParts<unknown>, 'lease' | 'flowFaults'>): { lease?: number; faults?: FlowFaults } {
  return { ...(parts.lease === undefined ? {} : { lease: parts.lease }), ...(parts.flowFaults ? { faults: parts.flowFaults } : {}) }
}
