/** What the controller's rooms of this house are given. Made once in `processes/control.ts`. */
import type { Bus } from '#base/bus/interface.ts'
import type { FlowEngine } from '#base/flow/engine.ts'
import type { Database } from '#base/sql/database.ts'
import type { World } from '#base/world.ts'
import type { Caller, Client } from '#stack/client.ts'
import type { QuotaSource } from './store/quotas.ts'
import type { NovaConfig } from './config.ts'
import type { HostDirectory } from './flows/host-directory.ts'
import type { NovaFlows } from './flows/flows.ts'
import type { Wakes } from './flows/wakes.ts'
import type { NovaTables } from './store/tables.ts'

export interface Nova {
  world: World
  config: NovaConfig
  db: Database<NovaTables>
  bus: Bus
  client: Client
  /** Nova's own identity towards the other houses. */
  service(): Promise<Caller>
  engine: FlowEngine
  flows: NovaFlows
  hosts: HostDirectory
  quotas: QuotaSource
  wakes: Wakes
  publicUrl(): string
}
