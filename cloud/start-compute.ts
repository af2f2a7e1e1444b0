/**
 * A machine of a cloud that is no control plane: its agents, without a database. They hear and answer over the bus, and reach the houses' doors
 * at `control_url` over HTTP, in the names of the houses' users.
 *
 *     const machine = await startCompute({ dataDir, drivers: 'real', configFile: 'ondol.yaml', host: 'compute1' })
 *     await machine.close()          // guests, networks and disks go on
 */
import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { Bus } from '#base/bus/interface.ts'
import { type ConfigValues, loadConfig } from '#base/config.ts'
import { remoteHandler } from '#base/http/client.ts'
import type { HttpHandler } from '#base/http/message.ts'
import { type World, world } from '#base/world.ts'
import { type CloudConfig, configSchema } from './config.ts'
import { agentOf, type MachineParts, openBus } from './house-parts.ts'
import { houses } from './houses.ts'
import { remoteIdentity } from './remote-identity.ts'
import { checkRole } from './roles.ts'
import { servicePassword } from './secrets.ts'

export interface ComputeOptions {
  dataDir: string
  drivers?: 'fake' | 'real'
  configFile?: string
  /** Dotted keys laid over the file. */
  config?: Readonly<Record<string, unknown>>
  env?: Readonly<Record<string, string | undefined>>
  world?: Partial<World>
  /** Name of this machine. */
  host?: string
  /** Prefer this bus to what the configuration names. */
  bus?: (world: World) => Bus
  /** Prefer this front door to the one at `control_url`. */
  door?: HttpHandler
}

export interface Machine {
  /** The control plane's front door. */
  readonly url: string
  readonly host: string
  readonly world: World
  readonly config: CloudConfig & ConfigValues
  /** Houses with an agent here. */
  readonly agents: readonly string[]
  close(): Promise<void>
}

export async function startCompute(options: ComputeOptions): Promise<Machine> {
  const { dataDir } = options
  const here = world(options.world)
  const host = options.host ?? hostname()
  const drivers = options.drivers ?? 'fake'
  const config = (await loadConfig(configSchema(houses), { file: options.configFile, host, env: options.env ?? {}, flags: { role: 'compute', ...options.config } })) as unknown as CloudConfig & ConfigValues
  checkRole(config, { bus: options.bus !== undefined, door: options.door !== undefined })
  const password = (await servicePassword(config.service))!
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const url = config.control_url.replace(/\/$/, '')
  const remotes: { close(): void }[] = []
  const undo: (() => Promise<unknown>)[] = []
  const handlers = new Map<string, HttpHandler>()
  for (const { plate } of houses) {
    let open: HttpHandler
    if (options.door) {
      const { door } = options
      open = (request) => door({ ...request, path: plate.mount + request.path })
    } else {
      const remote = remoteHandler(`${url}${plate.mount}`)
      remotes.push(remote)
      open = remote
    }
    handlers.set(plate.name, async (request) => {
      const answer = await open(request)
      // Revoked, or of keys that are no longer there.
      if (answer.status === 401) identity.forget()
      return answer
    })
  }
  const identity = remoteIdentity(handlers.get('keystone')!, password, here.clock)
  const close = async (): Promise<void> => {
    for (const step of undo.reverse()) await step().catch((thrown: unknown) => here.log.module('cloud').error('Failed to stop a part', { error: thrown }))
    for (const remote of remotes) remote.close()
  }
  try {
    const bus = options.bus ? options.bus(here) : await openBus(config.bus.url, here, `${host}:${process.pid}:${here.random.uuid().slice(0, 8)}`)
    undo.push(() => bus.close())
    const shared: MachineParts = { here, bus, config, doors: (name) => handlers.get(name)!, serviceCaller: (house) => identity.serviceCaller(house), host, dataDir }
    const names: string[] = []
    for (const house of houses) {
      const agent = agentOf(house, shared, drivers)
      if (!agent) continue
      await agent.start()
      undo.push(() => agent.close())
      names.push(house.plate.name)
    }
    return { url, host, world: here, config, agents: names, close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}
