/**
 * The hosts as the scheduler sees them, kept for some seconds. Room is not here: Placement tells that with every question. Counts of servers
 * are those of the last look and what this process placed since.
 */
import type { World } from '#base/world.ts'
import type { Database } from '#base/sql/database.ts'
import type { NovaConfig } from '../config.ts'
import type { HostState } from '../core/scheduler/types.ts'
import type { ComputeFacts } from '#nova/drivers/interface.ts'
import { aggregateHosts, aggregates, computeNodes, services } from '../store/computes.ts'
import { hostLoads } from '../store/servers.ts'
import type { ComputeNodeRow, FlavorSnapshot, NovaTables, ServiceRow } from '../store/tables.ts'

const FRESH_FOR = 5_000
/** How often the broker is asked in one report interval. */
export const PULSE = 4

export class HostDirectory {
  readonly #parts: { db: Database<NovaTables>; world: World; config: NovaConfig }
  readonly #facts = new Map<string, { row: ComputeNodeRow; capabilities: HostState['capabilities']; facts: ComputeFacts }>()
  /** host_id → builds that failed there since the last one that did not. */
  readonly #failures = new Map<string, number>()
  readonly #chosen = new Map<string, { vcpus: number; memory_mb: number }>()
  #states = new Map<string, HostState>()
  #readAt = -Infinity
  /** When the broker last took a message; 0: never asked. */
  #brokerAt = 0
  #away: { since: number; until: number } | undefined
  #reading: Promise<void> | undefined

  constructor(parts: { db: Database<NovaTables>; world: World; config: NovaConfig }) {
    this.#parts = parts
  }

  /** By host_id. */
  async states(): Promise<ReadonlyMap<string, HostState>> {
    const { clock } = this.#parts.world
    if (clock.now() - this.#readAt > FRESH_FOR) await (this.#reading ??= this.#read().finally(() => (this.#reading = undefined)))
    return this.#states
  }

  /** The next question reads anew: a host came, an aggregate changed, a service was disabled. */
  forget(): void {
    this.#readAt = -Infinity
  }

  async byName(host: string): Promise<HostState | undefined> {
    for (const state of (await this.states()).values()) if (state.host === host) return state
    return undefined
  }

  async byId(hostId: string): Promise<HostState | undefined> {
    return (await this.states()).get(hostId)
  }

  /** What a decision of this process is about to claim on a host, until what is returned is called: decisions made meanwhile look at other hosts first. */
  choosing(hostId: string, flavor: Pick<FlavorSnapshot, 'vcpus' | 'memory_mb'>): () => void {
    const chosen = this.#chosen.get(hostId) ?? { vcpus: 0, memory_mb: 0 }
    const add = (sign: 1 | -1): void => {
      chosen.vcpus += sign * flavor.vcpus
      chosen.memory_mb += sign * flavor.memory_mb
    }
    add(1)
    this.#chosen.set(hostId, chosen)
    return () => {
      add(-1)
      if (chosen.vcpus <= 0 && chosen.memory_mb <= 0) this.#chosen.delete(hostId)
    }
  }

  chosen(hostId: string): { vcpus: number; memory_mb: number } | undefined {
    return this.#chosen.get(hostId)
  }

  placed(hostId: string): void {
    const state = this.#states.get(hostId)
    if (state) state.instances += 1
  }

  built(hostId: string, well: boolean): void {
    if (well) this.#failures.delete(hostId)
    else this.#failures.set(hostId, (this.#failures.get(hostId) ?? 0) + 1)
    const state = this.#states.get(hostId)
    if (state) state.failed_builds = this.#failures.get(hostId) ?? 0
  }

  /** No machine is judged by a silence that was the message broker's, nor before it had its time to be heard again. */
  isUp(service: Pick<ServiceRow, 'forced_down' | 'last_seen_at'>): boolean {
    if (service.forced_down === 1) return false
    const { service_down_time } = this.#parts.config
    const now = this.#parts.world.clock.now()
    if (now - service.last_seen_at < service_down_time) return true
    const since = this.#brokerAway(now)
    return since !== undefined && since - service.last_seen_at < service_down_time
  }

  /** The broker has just taken a message. Told every `PULSE`th of a report interval. */
  brokerAnswered(): void {
    const now = this.#parts.world.clock.now()
    if (this.#brokerAt > 0 && now - this.#brokerAt > this.#patience) this.#away = { since: this.#brokerAt, until: now + this.#parts.config.service_down_time }
    this.#brokerAt = now
  }

  /** Since when it was not heard, when that is so or was so lately. */
  #brokerAway(now: number): number | undefined {
    if (now - this.#brokerAt > this.#patience && this.#brokerAt > 0) return this.#brokerAt
    return this.#away && now < this.#away.until ? this.#away.since : undefined
  }

  get #patience(): number {
    return (3 * this.#parts.config.report_interval) / PULSE
  }

  async #read(): Promise<void> {
    const { db, world, config } = this.#parts
    const now = world.clock.now()
    const [nodes, all, groups, members, loads] = await Promise.all([computeNodes(db), services(db), aggregates(db), aggregateHosts(db), hostLoads(db)])
    const serviceOf = new Map(all.map((service) => [service.id, service]))
    const groupOf = new Map(groups.map((group) => [group.id, { name: group.name, metadata: JSON.parse(group.metadata) as Record<string, string> }]))
    const groupsOf = Map.groupBy(members, (member) => member.host)
    const states = new Map<string, HostState>()
    for (const node of nodes) {
      const service = serviceOf.get(node.service_id)
      if (!service) continue
      const { capabilities, facts } = this.#factsOf(node)
      const own = (groupsOf.get(node.host) ?? []).flatMap((member) => groupOf.get(member.aggregate_id) ?? [])
      const load = loads.get(node.uuid)
      states.set(node.uuid, {
        host_id: node.uuid,
        host: node.host,
        node: node.hypervisor_hostname,
        host_ip: node.host_ip,
        up: this.isUp(service),
        enabled: service.disabled === 0,
        zone: own.find((group) => group.metadata.availability_zone !== undefined)?.metadata.availability_zone ?? config.default_availability_zone,
        aggregates: own,
        hypervisor_type: facts.hypervisor_type,
        hypervisor_version: facts.hypervisor_version,
        arch: facts.cpu_info.arch,
        capabilities,
        instances: load?.instances ?? 0,
        busy: load?.busy ?? 0,
        failed_builds: this.#failures.get(node.uuid) ?? 0,
      })
    }
    this.#states = states
    this.#readAt = now
  }

  #factsOf(row: ComputeNodeRow): { capabilities: HostState['capabilities']; facts: ComputeFacts } {
    const known = this.#facts.get(row.uuid)
    if (known && known.row.updated_at === row.updated_at) return known
    const facts = JSON.parse(row.facts) as ComputeFacts
    const made = {
      row,
      facts,
      capabilities: {
        hypervisor_type: facts.hypervisor_type, hypervisor_version: facts.hypervisor_version, host: row.host, hypervisor_hostname: row.hypervisor_hostname,
        'cpu_info.arch': facts.cpu_info.arch, 'cpu_info.model': facts.cpu_info.model, 'cpu_info.vendor': facts.cpu_info.vendor, 'cpu_info.features': facts.cpu_info.features.join(' '),
      },
    }
    this.#facts.set(row.uuid, made)
    return made
  }
}
