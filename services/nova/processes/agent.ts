/** The machine side: the drivers of this machine's hosts, and the agent over them. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { clientOf } from '#base/bus/topic.ts'
import { fakeDriver } from '#nova/drivers/fake/driver.ts'
import { FakeHost } from '#nova/drivers/fake/host.ts'
import { openQemuDriver } from '#nova/drivers/qemu/driver.ts'
import { hostWays } from '#nova/drivers/ways.ts'
import { agentTunnels } from '#host/tunnels.ts'
import { type AgentParts, type AgentProcess, fakeHostNames } from '#stack/house.ts'
import { ComputeAgent, type AgentHost } from '../agent/agent.ts'
import { diskReader } from '../agent/compute-host.ts'
import { hostIds } from '../agent/host-identity.ts'
import { fakeImages, glanceImages } from '../agent/image-source.ts'
import type { NovaConfig } from '../config.ts'
import { computeTopic } from '../contract/compute-rpc.ts'

export interface AgentOptions {
  /** Tests keep the fake hosts to make them fail. Called for each. */
  onFakeHost?: (host: FakeHost) => void
}

export function agentProcess(parts: AgentParts<NovaConfig>, kind: 'fake' | 'real', options: AgentOptions = {}): AgentProcess {
  let agent: ComputeAgent | undefined
  return {
    async start() {
      agent = new ComputeAgent(parts, kind === 'real' ? [await realHost(parts)] : await fakeHosts(parts, options))
      await agent.start()
    },
    async close() {
      await agent?.close()
    },
  }
}

/** This machine under QEMU. Its id is stored; its guests start in the namespace that holds their taps. */
async function realHost(parts: AgentParts<NovaConfig>): Promise<AgentHost> {
  const { world, config, bus, host, dataDir } = parts
  const [host_id] = await hostIds(dataDir, 1, world.random)
  const { tunnel_ports, host_ip } = config.agent
  const tunnels = agentTunnels({ ports: [tunnel_ports.min, tunnel_ports.max], random: world.random })
  const ways = hostWays(world, tunnels, host_ip)
  const scratch = join(dataDir, 'scratch')
  // What was on its way when the last process ended.
  await rm(scratch, { recursive: true, force: true })
  const driver = await openQemuDriver(world, {
    data: dataDir,
    hostname: host,
    host_id: host_id!,
    accelerator: config.agent.accelerator,
    tunnels,
    ...(parts.networkNamespace === undefined ? {} : { namespace: parts.networkNamespace }),
  })
  return {
    host_id: host_id!,
    host,
    host_ip,
    driver,
    images: glanceImages(parts),
    scratch,
    world,
    ways,
    diskFrom: diskReader((hostId, payload) => clientOf(bus, computeTopic, hostId).offerDisk(payload), ways),
    forgetful: false,
  }
}

async function fakeHosts(parts: AgentParts<NovaConfig>, options: AgentOptions): Promise<AgentHost[]> {
  const { world, config, bus, host, dataDir } = parts
  const { hosts: count, fake: { slow, ...size }, host_ip } = config.agent
  const ids = await hostIds(dataDir, count, world.random)
  const names = fakeHostNames(host, count)
  const worlds = ids.map((host_id, i) => new FakeHost({ host_id, hostname: names[i]!, ...size, ...(parts.driverStorm ? { storm: parts.driverStorm } : {}) }))
  for (const one of worlds) for (const [verb, ms] of Object.entries(slow)) one.slow(verb, ms)
  const byName = new Map(worlds.map((one) => [one.hostname, one]))
  const images = fakeImages(parts)
  const diskFrom = diskReader((hostId, payload) => clientOf(bus, computeTopic, hostId).offerDisk(payload))
  for (const one of worlds) options.onFakeHost?.(one)
  return worlds.map((one) => ({
    host_id: one.host_id,
    host: one.hostname,
    host_ip,
    driver: fakeDriver(world, one, { peers: (name) => byName.get(name) }),
    images,
    scratch: join(dataDir, 'scratch', one.host_id),
    world,
    diskFrom,
    forgetful: true,
  }))
}
