/**
 * Runs the flows of one house in one process. Rows are the truth, wake-ups only save time: an engine also looks for itself, takes over
 * what a dead one left when its lease ends, and gives up at once when its own lease was taken (every write is fenced).
 */
import { currentScope, runInScope } from '../scope.ts'
import type { Database, Sql, Tx } from '../sql/database.ts'
import type { World } from '../world.ts'
import type { Flow } from './definition.ts'
import { claimFlow, type FlowRow, type FlowTables, insertFlow, liveFlowsOf, markCancelled, orphanedFlows, parseScope, purgeFlows, renewLeases, writeFlow } from './journal.ts'
import { Crash, FlowRunner } from './runner.ts'

export interface EngineOptions {
  house: string
  db: Database
  world: World
  /** Name of this process, e.g. `nova-worker@host:pid`. */
  owner: string
  /** Milliseconds that a dead owner's flows wait before another takes them. Default 10,000. */
  lease?: number
  /** Flows at once. Default 256. */
  concurrency?: number
  /** Tells other processes of this house to look; may lose messages. */
  announce?: () => void
  /** For tests and simulation: called around every step, may throw `Crash`. */
  faults?: FlowFaults
  /** False in a process that only starts flows (an API process). Default true. */
  runs?: boolean
}

export interface FlowFaults {
  before?(flow: string, step: string): void | Promise<void>
  after?(flow: string, step: string): void | Promise<void>
  /** After the commit that started a flow: true when the process died there, so that nobody woke up. */
  started?(flow: string): boolean
}

export interface StartOptions {
  resource_kind: string
  resource_id: string
  project_id?: string
}

/** What of the lease is written down: the rest is what others need to look, so that a dead owner's flows go on within it. */
const HELD = 0.75
/** Flows of one process that end within a second or two when each has but a little of it. */
export const ROOM = 48
const KEEP_ENDED = 3_600_000

export class FlowEngine {
  readonly #options: Required<Omit<EngineOptions, 'announce' | 'faults'>> & EngineOptions
  readonly #db: Database<FlowTables>
  readonly #flows = new Map<string, Flow>()
  readonly #running = new Map<string, FlowRunner>()
  readonly #backlog: FlowRow[] = []
  readonly #ended = new Map<string, Set<() => void>>()
  /** Who waits for room, in order. */
  readonly #atDoor = new Set<() => void>()
  #timers: (() => void)[] = []
  #closed = false

  constructor(options: EngineOptions, flows: readonly Flow<never>[]) {
    this.#options = { lease: 10_000, concurrency: 256, runs: true, ...options }
    this.#db = options.db.as<FlowTables>()
    for (const flow of flows) this.#flows.set(flow.name, flow as Flow)
  }

  /**
   * Records a flow in the caller's transaction; it begins after the commit. When this process runs flows it holds the lease from the
   * first moment, so nothing is asked twice.
   */
  async start<Params>(tx: Tx<unknown>, flow: Flow<Params>, params: Params, about: StartOptions): Promise<string> {
    const { world, owner, lease, house, runs } = this.#options
    if (!this.#flows.has(flow.name)) throw new Error(`flow ${flow.name} is not known to this engine`)
    const now = world.clock.now()
    const scope = currentScope() ?? { request_id: `req-${world.random.uuid()}` }
    const { span: _, flow: _parent, ...kept } = scope
    const mine = runs && !this.#closed
    const row: FlowRow = {
      id: world.random.uuid(),
      house,
      name: flow.name,
      state: mine ? 'running' : 'queued',
      step: '',
      resource_kind: about.resource_kind,
      resource_id: about.resource_id,
      project_id: about.project_id ?? scope.project_id ?? null,
      request_id: scope.request_id,
      params: JSON.stringify(params),
      scope: JSON.stringify({ ...kept, resource_id: about.resource_id }),
      journal: '[]',
      owner: mine ? owner : null,
      lease_until: mine ? now + Math.round(lease * HELD) : 0,
      epoch: 1,
      cancel: 0,
      error: null,
      attempts: 1,
      created_at: now,
      deadline_at: now + flow.options.deadline,
      updated_at: now,
    }
    await insertFlow(tx.as<FlowTables>(), row)
    tx.afterCommit(() => {
      if (!mine) this.#options.announce?.()
      else if (this.#options.faults?.started?.(row.name)) void this.#died(row)
      else this.#enter(row)
    })
    return row.id
  }

  /** Asks every live flow of a resource to undo itself and end. Delete calls this first, and always wins. */
  async cancel(sql: Sql<unknown>, kind: string, resourceId: string, except?: string): Promise<void> {
    await markCancelled(sql as Sql<FlowTables>, kind, resourceId, except)
    for (const runner of this.#running.values()) {
      if (runner.row.resource_kind === kind && runner.row.resource_id === resourceId && runner.row.id !== except) runner.cancel()
    }
  }

  /** Resolves when no other flow of the resource, of these names if given, is alive. Dead owners' flows are taken over meanwhile, so this ends. */
  async idle(kind: string, resourceId: string, except: string | undefined, signal?: AbortSignal, names?: readonly string[]): Promise<void> {
    const { clock } = this.#options.world
    for (;;) {
      const live = (await liveFlowsOf(this.#db, kind, resourceId)).filter((row) => row.id !== except && (!names || names.includes(row.name)))
      if (live.length === 0) return
      const first = live[0]!
      const done = Promise.withResolvers<void>()
      const stop = clock.after(1000, done.resolve)
      const waiting = this.#ended.get(first.id) ?? new Set()
      waiting.add(done.resolve)
      this.#ended.set(first.id, waiting)
      const wake = (): void => done.resolve()
      signal?.addEventListener('abort', wake)
      await done.promise
      signal?.removeEventListener('abort', wake)
      stop()
      this.#ended.delete(first.id)
      signal?.throwIfAborted()
    }
  }

  /** Begins to look for work. */
  open(): void {
    const { clock } = this.#options.world
    const every = (ms: number, work: () => Promise<void>): void => {
      let cancel = (): void => {}
      const round = (): void => {
        cancel = clock.after(ms, () => {
          void work()
            .catch((thrown: unknown) => this.#options.world.log.module('flow').error('Failed to look after flows', { error: thrown }))
            .finally(() => {
              if (!this.#closed) round()
            })
        })
      }
      round()
      this.#timers.push(() => cancel())
    }
    const { lease } = this.#options
    every(lease / 4, () => this.#renew())
    every(lease / 6, () => this.look())
    every(KEEP_ENDED / 4, () => purgeFlows(this.#db, clock.now() - KEEP_ENDED))
    void this.look().catch(() => {})
  }

  /** Takes what nobody holds; also called when another process announces work. */
  async look(): Promise<void> {
    if (this.#closed || !this.#options.runs) return
    const { house, owner, lease, world, concurrency } = this.#options
    const room = concurrency - this.#running.size - this.#backlog.length
    if (room <= 0) return
    for (const id of await orphanedFlows(this.#db, house, world.clock.now(), room)) {
      if (this.#running.has(id)) continue
      const row = await claimFlow(this.#db, house, id, owner, world.clock.now(), Math.round(lease * HELD))
      if (row) this.#enter(row)
    }
  }

  /**
   * Resolves when this process holds fewer flows than it can end in a moment, or after `patience` ms: who begins work asks first, so that under load
   * what was accepted ends soon, and what comes waits at the door.
   */
  async room(patience = 1_000): Promise<void> {
    if (this.busy < ROOM) return
    await new Promise<void>((resolve) => {
      const enter = (): void => {
        stop()
        resolve()
      }
      const stop = this.#options.world.clock.after(patience, () => {
        this.#atDoor.delete(enter)
        resolve()
      })
      this.#atDoor.add(enter)
    })
  }

  /** How many flows this process runs or holds. */
  get busy(): number {
    return this.#running.size + this.#backlog.length
  }

  /** Lets flows under way finish for up to `grace` ms; what remains is left for the next owner, nothing is undone. */
  async close(grace = 0): Promise<void> {
    this.#closed = true
    for (const cancel of this.#timers) cancel()
    const { clock } = this.#options.world
    const end = clock.now() + grace
    while (this.busy > 0 && clock.now() < end) await clock.sleep(10)
    const left = [...this.#running.values()]
    for (const runner of left) runner.abandon()
    await Promise.allSettled(left.map((runner) => runner.finished))
  }

  async #renew(): Promise<void> {
    if (this.busy === 0) return
    const { owner, lease, world } = this.#options
    const held = [...this.#running.values()]
    const own = new Map((await renewLeases(this.#db, owner, world.clock.now() + Math.round(lease * HELD))).map((row) => [row.id, row]))
    for (const runner of held) {
      const row = own.get(runner.row.id)
      // Taken over by another, or by hand: what this process still does for it counts no more.
      if (row?.epoch !== runner.row.epoch) runner.abandon()
      else if (row.cancel === 1) runner.cancel()
    }
  }

  /** A played death: nobody goes on renewing the lease. */
  async #died(row: FlowRow): Promise<void> {
    await writeFlow(this.#db, row, { owner: `${row.owner}-died` }).catch((thrown: unknown) => this.#options.world.log.module('flow').error('Failed to play a death', { error: thrown }))
  }

  #enter(row: FlowRow): void {
    if (this.#closed) return
    if (this.#running.size >= this.#options.concurrency) {
      this.#backlog.push(row)
      return
    }
    const { world, house, faults } = this.#options
    const flow = this.#flows.get(row.name)
    if (!flow) {
      world.log.module('flow').error('Met a flow of an unknown kind', { flow: row.name, id: row.id })
      return
    }
    const runner = new FlowRunner({ db: this.#db, world, house, flow, row, ...(faults ? { faults } : {}) })
    this.#running.set(row.id, runner)
    runner.finished = runInScope({ ...parseScope(row), flow: row.id }, () => world.trace.span('flow', house, row.name, () => runner.run(), { flow: row.id, resource: row.resource_id }))
      .catch((thrown: unknown) => {
        // A played death: this engine must not go on renewing the lease of what died.
        if (thrown instanceof Crash) return runner.concluded ? undefined : this.#died(row)
        world.log.module('flow').error('Gave up a flow', { flow: row.name, id: row.id, error: thrown })
      })
      .finally(() => {
        this.#running.delete(row.id)
        for (const wake of this.#ended.get(row.id) ?? []) wake()
        const next = this.#backlog.shift()
        if (next) this.#enter(next)
        const [first] = this.busy < ROOM ? this.#atDoor : []
        if (first) {
          this.#atDoor.delete(first)
          first()
        }
      })
  }
}
