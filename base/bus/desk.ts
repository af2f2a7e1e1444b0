/** Where messages of one topic are handled in this process: so many at once, each in its scope, under a span, until its deadline. */
import { faultToData, notImplemented, timedOut } from '../fault.ts'
import { runInScope } from '../scope.ts'
import type { World } from '../world.ts'
import type { Answer, Envelope } from './envelope.ts'
import type { Handlers, ServeOptions } from './interface.ts'

export class Desk {
  readonly #world: World
  readonly #handlers: Handlers
  readonly #limit: number
  #busy = 0
  readonly #waiting: (() => void)[] = []
  readonly #idle: (() => void)[] = []

  constructor(world: World, handlers: Handlers, options: ServeOptions = {}) {
    this.#world = world
    this.#handlers = handlers
    this.#limit = options.concurrency ?? 64
  }

  /**
   * Handles one message and gives the answer as text; never throws. Undefined means that its deadline had passed and nothing was done. `tolerance` (ms) is what
   * two machines' clocks may differ by.
   */
  async handle(envelope: Envelope, options: { signal?: AbortSignal; tolerance?: number } = {}): Promise<string | undefined> {
    // A place is handed from the one who leaves to the first who waits, so that nobody overtakes.
    if (this.#busy >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#busy++
    try {
      const left = envelope.deadline === undefined ? undefined : envelope.deadline - this.#world.clock.now()
      if (left !== undefined && left + (options.tolerance ?? 0) <= 0) return undefined
      if (options.signal?.aborted) return undefined
      return await this.#run(envelope, options.signal, left)
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else if (--this.#busy === 0) for (const wake of this.#idle.splice(0)) wake()
    }
  }

  async #run(envelope: Envelope, caller: AbortSignal | undefined, left: number | undefined): Promise<string> {
    const { topic, method, scope } = envelope
    const abort = caller ? undefined : new AbortController()
    const stop = abort && left !== undefined ? this.#world.clock.after(Math.max(0, left), () => abort.abort(timedOut(`${topic} did not finish ${method} in time`))) : undefined
    try {
      const handler = Object.hasOwn(this.#handlers, method) ? this.#handlers[method] : undefined
      if (!handler) throw notImplemented(`${topic} knows no method "${method}"`, { code: 'bus.unknown_method' })
      const info = {
        id: envelope.id,
        topic,
        method,
        kind: envelope.kind,
        sender: envelope.sender,
        ...(envelope.deadline === undefined ? {} : { deadline: envelope.deadline }),
        signal: caller ?? abort!.signal,
      }
      const service = topic.slice(0, (topic.indexOf('.') + 1 || topic.length + 1) - 1)
      const work = (): Promise<unknown> => this.#world.trace.span('rpc', service, `${topic} ${method}`, async () => handler(envelope.payload as never, info))
      const result = await (scope ? runInScope(scope, work) : work())
      return JSON.stringify({ result: result ?? null } satisfies Answer)
    } catch (thrown) {
      // Whoever calls logs what they make of it; of a one-way message nobody else would ever hear.
      if (envelope.kind !== 'call') {
        const tell = (): void => this.#world.log.module('bus').warn('Failed to handle a message', { topic, method, sender: envelope.sender, error: thrown })
        if (scope) runInScope(scope, tell)
        else tell()
      }
      return JSON.stringify({ fault: faultToData(thrown) } satisfies Answer)
    } finally {
      stop?.()
    }
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    if (this.#busy > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }
}
