/** What the rooms of this house are given. */
import type { Bus } from '#base/bus/interface.ts'
import { clientOf, type RpcClient } from '#base/bus/topic.ts'
import type { FlowEngine } from '#base/flow/engine.ts'
import type { Database } from '#base/sql/database.ts'
import type { HouseParts } from '#stack/house.ts'
import type { CinderConfig } from './config.ts'
import { backendOf, type VolumeRpc, volumeTopic } from './contract/volume-rpc.ts'
import type { Flows } from './flows/index.ts'
import type { CinderTables } from './store/tables.ts'

export interface Cinder extends Pick<HouseParts<CinderConfig>, 'world' | 'config' | 'client' | 'serviceCaller' | 'host' | 'publicUrl' | 'unifiedLimits'> {
  db: Database<CinderTables>
  /** Set by the process once the engine is made; flows need the house and the engine needs the flows. */
  engine: FlowEngine
  flows: Flows
  /** The agent that has a volume, by the volume's host. */
  agentAt(host: string): RpcClient<VolumeRpc>
}

/** What a flow asks (it hands on its signal) outlives an agent or a broker that is away for `wait` ms. */
export function agents(bus: Bus, wait: number): Cinder['agentAt'] {
  const patient: Pick<Bus, 'call' | 'cast' | 'fanout'> = { ...bus, call: (topic, method, payload, options) => bus.call(topic, method, payload, options?.signal ? { wait, ...options } : options) }
  const known = new Map<string, RpcClient<VolumeRpc>>()
  return (host) => {
    const at = backendOf(host)
    let client = known.get(at)
    if (!client) known.set(at, (client = clientOf(patient, volumeTopic, at)))
    return client
  }
}
