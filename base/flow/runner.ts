/** One run of one flow: replay, go on, undo, end. */
import { Fault, type FaultData, faultFromData, faultToData, timedOut } from '../fault.ts'
import type { Database, Tx } from '../sql/database.ts'
import type { World } from '../world.ts'
import type { Flow, FlowRun, FlowState } from './definition.ts'
import type { FlowFaults } from './engine.ts'
import { type FlowRow, type FlowTables, type StepRecord, writeFlow } from './journal.ts'

/** Thrown by injected faults to play the death of the process: nothing is written, nothing is undone. */
export class Crash extends Error {}

/** The lease went to another owner, or this process is closing: stop without a trace. */
class Abandoned extends Error {}

interface RunnerParts {
  db: Database<FlowTables>
  world: World
  house: string
  flow: Flow
  row: FlowRow
  faults?: FlowFaults
}

interface Undo {
  index: number
  name: string
  undo: (result: unknown) => Promise<unknown> | unknown
}

/** How long a step may take to notice that it was aborted. */
const GRACE = 5_000
const UNDO_ATTEMPTS = 5
/** What it was given may hold a password that a server is to get; nobody needs it any more. */
const ENDED_WELL: Partial<FlowRow> = { state: 'done', step: '', journal: '[]', params: '{}', owner: null }

export class FlowRunner {
  readonly row: FlowRow
  finished: Promise<unknown> = Promise.resolve()
  readonly #parts: RunnerParts
  readonly #journal: StepRecord[]
  readonly #undos: Undo[] = []
  #abort = new AbortController()
  /** Where a dead owner stood: what it began there may be half done. */
  readonly #halfDone: number
  #abandoned = false
  #concluded = false
  #position = 0

  constructor(parts: RunnerParts) {
    this.#parts = parts
    this.row = parts.row
    this.#journal = JSON.parse(parts.row.journal) as StepRecord[]
    this.#halfDone = parts.row.attempts > 1 ? this.#journal.length : -1
    if (parts.row.cancel === 1) this.cancel()
  }

  cancel(): void {
    if (this.row.cancel === 1 && this.#abort.signal.aborted) return
    this.row.cancel = 1
    if (this.row.state === 'running') this.#abort.abort(new Fault('conflict', 'The operation was cancelled.', { code: 'flow.cancelled' }))
  }

  abandon(): void {
    this.#abandoned = true
    this.#abort.abort(new Abandoned())
  }

  /** Whether the flow has ended with a transaction of its last step. */
  get concluded(): boolean {
    return this.#concluded
  }

  async run(): Promise<void> {
    const { world, flow } = this.#parts
    const params = JSON.parse(this.row.params) as unknown
    const left = this.row.deadline_at - world.clock.now()
    const stop = this.row.state === 'running' ? world.clock.after(Math.max(0, left), () => this.#abort.abort(timedOut('The operation took longer than its deadline.', { code: 'flow.deadline' }))) : () => {}
    try {
      const run: FlowRun = { id: this.row.id, signal: this.#abort.signal, step: (name, work, undo) => this.#step(name, work, undo as Undo['undo'] | undefined), must: (name, work) => this.#step(name, work, undefined, true), conclude: (tx) => this.#conclude(tx) }
      await flow.body(run, params)
      if (!this.#concluded) await this.#write(ENDED_WELL)
    } catch (thrown) {
      if (this.#concluded && !(thrown instanceof Crash)) {
        world.log.module(`${this.#parts.house}.flow`).warn('Failed after the end of an operation', { flow: flow.name, step: this.row.step, error: thrown })
        return
      }
      if (thrown instanceof Crash || thrown instanceof Abandoned || this.#abandoned) throw thrown
      await this.#unwind(params, thrown)
    } finally {
      stop()
    }
  }

  async #step<T>(name: string, work: (signal: AbortSignal) => Promise<T> | T, undo?: Undo['undo'], must = false): Promise<T> {
    const index = this.#position++
    const known = this.#journal[index]
    if (known) {
      if (known.name !== name) throw new Fault('internal', 'The operation cannot go on after an upgrade.', { detail: `step ${index} was ${known.name} and is now ${name}` })
      if (undo && !known.undone) this.#undos.push({ index, name, undo })
      return known.result as T
    }
    const begun = index === this.#halfDone
    if (undo && begun) this.#undos.push({ index, name, undo })
    // An unwinding flow replays only to gather its undoings.
    if (this.row.state === 'unwinding') throw faultFromData(JSON.parse(this.row.error!) as FaultData)
    this.row.step = name
    const result = must ? await this.#untilDone(name, work) : await this.#once(name, work)
    await this.#parts.faults?.after?.(this.#parts.flow.name, name)
    if (this.#concluded) return result
    this.#journal.push({ name, result })
    if (undo && !begun) this.#undos.push({ index, name, undo })
    await this.#write({ step: name, journal: JSON.stringify(this.#journal) })
    return result
  }

  async #once<T>(name: string, work: (signal: AbortSignal) => Promise<T> | T): Promise<T> {
    const { world, house, faults, flow } = this.#parts
    this.#abort.signal.throwIfAborted()
    await faults?.before?.(flow.name, name)
    return ((await world.trace.span('step', house, name, () => this.#bounded(work))) ?? null) as T
  }

  async #untilDone<T>(name: string, work: (signal: AbortSignal) => Promise<T> | T): Promise<T> {
    const { world, house, flow } = this.#parts
    for (let wait = 250; ; wait = Math.min(30_000, 2 * wait)) {
      // Past its deadline it goes on all the same: there is no way back.
      if (this.#abort.signal.aborted && !this.#abandoned && this.row.cancel === 0) this.#abort = new AbortController()
      try {
        return await this.#once(name, work)
      } catch (thrown) {
        if (thrown instanceof Crash || thrown instanceof Abandoned || this.#abandoned || this.#concluded || this.row.cancel === 1) throw thrown
        world.log.module(`${house}.flow`).warn('Failed in a step that has to be done, and tries again', { flow: flow.name, step: name, wait, error: thrown })
      }
      await world.clock.sleep(wait, this.#abort.signal).catch(() => {})
    }
  }

  /** The step's own end, or the abort and then at most GRACE for the step to notice. */
  async #bounded<T>(work: (signal: AbortSignal) => Promise<T> | T): Promise<T> {
    const { clock } = this.#parts.world
    const signal = this.#abort.signal
    const running = Promise.resolve().then(() => work(signal))
    let drop = (): void => {}
    const aborted = new Promise<never>((_, reject) => {
      const onAbort = (): void => {
        const stop = clock.after(GRACE, () => reject(signal.reason))
        running.then(stop, stop)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      drop = () => signal.removeEventListener('abort', onAbort)
    })
    try {
      return await Promise.race([running, aborted])
    } finally {
      drop()
    }
  }

  async #unwind(params: unknown, thrown: unknown): Promise<void> {
    const { world, house, flow } = this.#parts
    const log = world.log.module(`${house}.flow`)
    const cancelled = this.row.cancel === 1
    const fault = faultToData(cancelled ? new Fault('conflict', 'The operation was cancelled.', { code: 'flow.cancelled', cause: thrown }) : thrown)
    if (this.row.state !== 'unwinding') {
      log[cancelled ? 'info' : 'warn'](cancelled ? 'Cancelled an operation' : 'Failed an operation and began to undo it', { flow: flow.name, step: this.row.step, error: thrown })
      this.row.state = 'unwinding'
      this.row.error = JSON.stringify(fault)
      await this.#write({ state: 'unwinding', error: this.row.error })
    }
    for (const { index, name, undo } of this.#undos.reverse()) {
      const record = this.#journal[index]
      await this.#persist(`undo ${name}`, () => undo(record?.result))
      if (record) record.undone = true
      await this.#write({ step: `undo ${name}`, journal: JSON.stringify(this.#journal) })
    }
    if (flow.options.failed) await this.#persist('failed', () => flow.options.failed!(params, fault, cancelled), Infinity)
    const state: FlowState = cancelled ? 'cancelled' : 'failed'
    await this.#write({ state, step: this.row.step, owner: null, journal: '[]' })
  }

  /** Tries until it works, at growing distances; after the last attempt it is reported and left to the reconcilers. */
  async #persist(what: string, work: () => Promise<unknown> | unknown, attempts = UNDO_ATTEMPTS): Promise<void> {
    const { world, house, faults, flow } = this.#parts
    for (let attempt = 1; ; attempt++) {
      try {
        await faults?.before?.(flow.name, what)
        await world.trace.span('step', house, what, async () => work())
        await faults?.after?.(flow.name, what)
        return
      } catch (thrown) {
        if (thrown instanceof Crash || this.#abandoned) throw thrown
        world.log.module(`${house}.flow`).warn('Failed to undo a step', { flow: flow.name, step: what, attempt, error: thrown })
        if (attempt >= attempts) return
        await world.clock.sleep(Math.min(30_000, 250 * 2 ** attempt))
      }
    }
  }

  async #conclude(within: Pick<Tx<unknown>, 'as'>): Promise<void> {
    const tx = within.as<FlowTables>()
    if (this.#abandoned) throw new Abandoned()
    if (!(await writeFlow(tx, this.row, { ...ENDED_WELL, updated_at: this.#parts.world.clock.now() }, ['running']))) {
      this.#abandoned = true
      throw new Abandoned('the lease went to another owner')
    }
    tx.afterCommit(() => (this.#concluded = true))
  }

  /**
   * Tries until it is written or the lease is another's: a step that was done and could not be written down has not failed, and to undo it would take
   * away what its users hold already.
   */
  async #write(patch: Partial<FlowRow>): Promise<void> {
    const { db, world, house, flow } = this.#parts
    for (let attempt = 1; ; attempt++) {
      if (this.#abandoned) throw new Abandoned()
      try {
        if (await writeFlow(db, this.row, { ...patch, updated_at: world.clock.now() })) return
      } catch (thrown) {
        world.log.module(`${house}.flow`).warn('Failed to write down how far an operation is', { flow: flow.name, step: this.row.step, attempt, error: thrown })
        await world.clock.sleep(Math.min(5_000, 100 * 2 ** attempt))
        continue
      }
      this.#abandoned = true
      throw new Abandoned('the lease went to another owner')
    }
  }
}
