/**
 * The compute agent: serves each of its hosts' topics, says that they live, and reconciles: adopts what runs, ends what a tombstone
 * names, tells what it sees of power. One process may play many fake hosts; they share timers and messages.
 */
import { Fault, isFault } from '#base/fault.ts'
import type { Serving } from '#base/bus/interface.ts'
import { clientOf, type RpcClient, serverOf } from '#base/bus/topic.ts'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import { runInScope } from '#base/scope.ts'
import type { ComputeDriver, PowerState } from '#nova/drivers/interface.ts'
import type { AgentParts } from '#stack/house.ts'
import type { NovaConfig } from '../config.ts'
import { computeTopic, type GuestWish } from '../contract/compute-rpc.ts'
import { type ComputeReport, type ControlRpc, controlTopic } from '../contract/control-rpc.ts'
import { computeHandlers, type ComputeHostParts } from './compute-host.ts'
import { traitsOf } from './traits.ts'

export interface AgentHost extends ComputeHostParts {
  /** Guests die with the driver's process: they are brought about again at the start. */
  forgetful: boolean
}

const BATCH = 200
/** Milliseconds until a heartbeat that failed is tried again. */
const RETRY = 1_000

export class ComputeAgent {
  readonly #parts: AgentParts<NovaConfig>
  readonly #hosts: ReadonlyMap<string, AgentHost>
  readonly #control: RpcClient<ControlRpc>
  readonly #serving: Serving[] = []
  readonly #unwatch: (() => void)[] = []
  readonly #changed = new Map<string, Set<string>>()
  #beat: Reconciler | undefined
  #sync: Reconciler | undefined
  #lifecycle: Reconciler | undefined

  constructor(parts: AgentParts<NovaConfig>, hosts: readonly AgentHost[]) {
    this.#parts = parts
    this.#hosts = new Map(hosts.map((host) => [host.host_id, host]))
    this.#control = clientOf(parts.bus, controlTopic)
  }

  async start(): Promise<void> {
    const { world, config, bus } = this.#parts
    await runInScope({ request_id: `req-${world.random.uuid()}` }, async () => {
      await this.#report([...this.#hosts.keys()]).catch((thrown: unknown) => this.#log.warn('Could not report to the workers and tries again', { error: thrown }))
      for (const host of this.#hosts.values()) {
        if (host.forgetful) await this.#remember(host).catch((thrown: unknown) => this.#log.warn('Could not bring guests back', { host: host.host, error: thrown }))
        const wake = async (): Promise<void> => this.#sync?.wake()
        this.#serving.push(await serverOf(bus, computeTopic, { ...computeHandlers(host), wake }, { at: host.host_id, exclusive: true }))
        this.#watch(host)
      }
    })
    this.#beat = startReconciler({ name: 'nova.agent.beat', every: config.report_interval, retry: RETRY, world, run: () => this.#round() })
    this.#sync = startReconciler({ name: 'nova.agent.sync', every: config.sync_power_interval, world, run: () => this.#reconcile() })
    // What was buried while this agent was away is ended first of all.
    this.#sync.wake()
    this.#lifecycle = startReconciler({ name: 'nova.agent.lifecycle', every: 3_600_000, world, run: () => this.#tellChanges() })
  }

  async close(): Promise<void> {
    for (const stop of this.#unwatch) stop()
    await Promise.all([this.#beat?.close(), this.#sync?.close(), this.#lifecycle?.close(), ...this.#serving.map((one) => one.close())])
    await Promise.all([...this.#hosts.values()].map((host) => host.driver.close()))
    await Promise.all([...this.#hosts.values()].map((host) => host.ways?.close()))
  }

  get #log() {
    return this.#parts.world.log.module('nova.agent')
  }

  async #report(ids: readonly string[]): Promise<void> {
    for (let i = 0; i < ids.length; i += BATCH) {
      const computes: ComputeReport[] = []
      for (const id of ids.slice(i, i + BATCH)) {
        const { host, host_ip, driver } = this.#hosts.get(id)!
        computes.push({ host, host_ip, facts: await driver.facts(), traits: traitsOf(driver) })
      }
      await this.#control.report({ computes })
    }
  }

  async #round(): Promise<void> {
    const ids = [...this.#hosts.keys()]
    for (let i = 0; i < ids.length; i += BATCH) {
      const { unknown } = await this.#control.beat({ host_ids: ids.slice(i, i + BATCH) })
      if (unknown.length > 0) await this.#report(unknown)
    }
  }

  /** Reads the wish and the host, moves the host. */
  async #reconcile(): Promise<void> {
    const ids = [...this.#hosts.keys()]
    for (let i = 0; i < ids.length; i += BATCH) {
      const { hosts } = await this.#control.wishes({ host_ids: ids.slice(i, i + BATCH) })
      for (const wish of hosts) {
        const host = this.#hosts.get(wish.host_id)
        if (host) await this.#reconcileHost(host, wish.tombstones)
      }
    }
  }

  async #reconcileHost(host: AgentHost, tombstones: readonly string[]): Promise<void> {
    const buried: string[] = []
    for (const server_id of tombstones) {
      try {
        await host.driver.ensureNoGuest({ server_id, host_id: host.host_id })
        buried.push(server_id)
        this.#log.info('Ended a guest whose server is gone', { server: server_id, host: host.host })
      } catch (thrown) {
        this.#log.warn('Failed to end a guest whose server is gone', { server: server_id, error: thrown })
      }
    }
    if (buried.length > 0) await this.#control.buried({ host_id: host.host_id, server_ids: buried })
    const guests = await host.driver.list()
    if (guests.length > 0) await this.#control.observed({ host_id: host.host_id, guests })
    await host.driver.tidyable?.tidy()
  }

  #watch(host: AgentHost): void {
    const stop = host.driver.lifecycleWatchable?.watch((serverId) => {
      const changed = this.#changed.get(host.host_id) ?? new Set()
      changed.add(serverId)
      this.#changed.set(host.host_id, changed)
      this.#lifecycle?.wake()
    })
    if (stop) this.#unwatch.push(stop)
  }

  async #tellChanges(): Promise<void> {
    const changed = [...this.#changed]
    this.#changed.clear()
    for (const [hostId, servers] of changed) {
      const guests: { server_id: string; power_state: PowerState }[] = []
      for (const server_id of servers) guests.push({ server_id, power_state: await powerOf(this.#hosts.get(hostId)!.driver, server_id) })
      await this.#control.observed({ host_id: hostId, guests })
    }
  }

  async #remember(host: AgentHost): Promise<void> {
    const { guests } = await this.#control.guestsOf({ host_id: host.host_id })
    for (const { guest, power } of guests) await host.driver.ensureGuest(withoutDrive(guest), host.images.source, power)
  }
}

function withoutDrive({ config_drive: _, ...guest }: GuestWish): Omit<GuestWish, 'config_drive'> {
  return guest
}

async function powerOf(driver: ComputeDriver, serverId: string): Promise<PowerState> {
  try {
    return await driver.powerState(serverId)
  } catch (thrown) {
    if (isFault(thrown, 'not_found')) return 'nostate'
    throw thrown instanceof Fault ? thrown : new Fault('internal', 'The driver failed to tell the power state.', { cause: thrown })
  }
}
