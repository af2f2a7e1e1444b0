/** What runs beside the network of one host: wiring, DHCP, routing, metadata. */
import { join } from 'node:path'
import type { Serving } from '#base/bus/interface.ts'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import type { AgentParts, AgentProcess } from '#stack/house.ts'
import { metadataHandler } from '../agent/metadata.ts'
import { startWiring, type Wiring } from '../agent/wiring.ts'
import type { NeutronConfig } from '../config.ts'
import { AGENTS_TOPIC, agentTopic, type AgentState, type AgentRpc, CONTROL_TOPIC, type Heartbeat } from '../contract/rpc.ts'
import { FakeNetworkDriver } from '../drivers/fake/driver.ts'
import { canRoute, canServeDhcp, canServeMetadata, type NetworkDriver } from '../drivers/interface.ts'
import { createLinuxbridge } from '../drivers/linuxbridge/create.ts'

const HEARTBEAT_EVERY = 30_000
const ROUND_EVERY = 60_000
const RETRY_AFTER = 2_000

export function agentProcess(parts: AgentParts<NeutronConfig>, kind: 'fake' | 'real', whole: NetworkDriver = driverOf(parts, kind)): AgentProcess {
  const { world, bus, host, config } = parts
  const driver = parts.networkNode === false ? wiresOnly(whole) : whole
  // Fake hosts beside this one are wired too; addresses and routing stay here.
  const others = kind === 'fake' ? (parts.alsoHosts ?? []).map((name) => agentProcess({ ...parts, host: name, alsoHosts: [], networkNode: false }, kind, new FakeNetworkDriver(world, undefined, parts.driverStorm))) : []
  let wiring: Wiring | undefined
  let beating: Reconciler | undefined
  const servings: Serving[] = []
  return {
    async start() {
      const started_at = world.clock.now()
      const beat = async (): Promise<void> => {
        const message: Heartbeat = { host, availability_zone: config.availability_zone, started_at, agents: statesOf(driver, config) }
        await bus.call(CONTROL_TOPIC, 'heartbeat', message)
      }
      if (canServeMetadata(driver)) driver.onMetadata(metadataHandler({ world, bus, client: parts.client, serviceCaller: parts.serviceCaller, secret: config.metadata_proxy_shared_secret }))
      wiring = startWiring({ world, bus, host, driver, every: ROUND_EVERY })
      const rpc: AgentRpc = {
        changed: async (ids) => wiring!.changed(ids),
        wake: async () => wiring!.wake(),
      }
      for (const topic of [agentTopic(host), AGENTS_TOPIC]) servings.push(await bus.serve(topic, rpc as never))
      // Ports can be bound here from the first heartbeat on. Control may start after this machine, or be away.
      beating = startReconciler({ name: 'neutron.heartbeat', every: HEARTBEAT_EVERY, retry: RETRY_AFTER, world, run: beat })
      await beating.round()
      wiring.wake()
      for (const other of others) await other.start()
    },
    async close() {
      for (const other of others) await other.close()
      for (const serving of servings.splice(0)) await serving.close()
      await beating?.close()
      await wiring?.close()
      await driver.close()
    },
  }
}

function driverOf({ world, config, dataDir, driverStorm }: AgentParts<NeutronConfig>, kind: 'fake' | 'real'): NetworkDriver {
  if (kind === 'fake') return new FakeNetworkDriver(world, undefined, driverStorm)
  return createLinuxbridge(
    {
      prefix: config.network_prefix,
      state_directory: join(dataDir, 'net'),
      physical_networks: config.physical_networks,
      dns_domain: config.dns_domain,
      ...(config.tunnel_ip === '' ? {} : { local_ip: config.tunnel_ip }),
      ...(config.dns_servers.length > 0 ? { dns_upstream: config.dns_servers } : {}),
      ...(config.tap_user === '' ? {} : { tap_user: config.tap_user }),
    },
    world,
  )
}

/** The core of a driver, without its abilities. */
function wiresOnly(driver: NetworkDriver): NetworkDriver {
  return {
    name: driver.name,
    network_types: driver.network_types,
    ensure: (plan) => driver.ensure(plan),
    ensureNetwork: (network) => driver.ensureNetwork(network),
    ensureNoNetwork: (id) => driver.ensureNoNetwork(id),
    ensurePort: (port, network) => driver.ensurePort(port, network),
    ensureNoPort: (id) => driver.ensureNoPort(id),
    ensureAddressSets: (sets) => driver.ensureAddressSets(sets),
    close: () => driver.close(),
  }
}

/** The rows of `agents` that stand for this process: one for each thing it does. */
function statesOf(driver: NetworkDriver, config: NeutronConfig): AgentState[] {
  const common = { driver: driver.name }
  const state = (agent_type: string, binary: string, topic: string, configurations: object): AgentState => ({ agent_type, binary, topic, configurations: { ...common, ...configurations } })
  return [
    state('Linux bridge agent', 'neutron-linuxbridge-agent', 'N/A', { tunnel_types: ['vxlan'], ...(config.tunnel_ip === '' ? {} : { tunneling_ip: config.tunnel_ip }), bridge_mappings: Object.fromEntries(Object.keys(config.physical_networks).map((name) => [name, name])) }),
    ...(canServeDhcp(driver) ? [state('DHCP agent', 'neutron-dhcp-agent', 'dhcp_agent', { dhcp_driver: driver.name })] : []),
    ...(canRoute(driver) ? [state('L3 agent', 'neutron-l3-agent', 'l3_agent', { agent_mode: 'legacy', handle_internal_only_routers: true })] : []),
    ...(canServeMetadata(driver) ? [state('Metadata agent', 'neutron-metadata-agent', 'N/A', {})] : []),
  ]
}
