/** One connection to the broker that comes back by itself. Whoever owns it says what to set up after each connecting. */
import type { Socket } from 'node:net'
import { connect, type ChannelModel } from 'amqplib'
import { unavailable } from '../fault.ts'
import type { World } from '../world.ts'

export interface LinkOptions {
  /** `amqp://user:secret@host:port/vhost`, or `amqps:`; several are tried in turn. Never logged: it holds the secret. */
  readonly urls: readonly string[]
  /** The name the broker shows for the connection. */
  readonly name: string
  setUp(model: ChannelModel): Promise<void>
  down(why: unknown): void
}

const FIRST_PAUSE = 200
/** Milliseconds. */
const GOODBYE = 2_000
/** Whoever waits for the broker is back within 2 s of it. */
const LONGEST_PAUSE = 2_000

export class AmqpLink {
  readonly #world: World
  readonly #options: LinkOptions
  readonly #stop = new AbortController()
  #model: ChannelModel | undefined
  #waiting: (() => void)[] = []
  #running: Promise<void> | undefined

  constructor(world: World, options: LinkOptions) {
    this.#world = world
    this.#options = options
  }

  get up(): boolean {
    return this.#model !== undefined
  }

  /** Begins to connect, and to connect again, until `close`. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Resolves when connected; throws `unavailable` after `patience` ms. */
  async whenUp(patience: number, signal?: AbortSignal): Promise<void> {
    if (this.#model) return
    const wait = new AbortController()
    const signals = [wait.signal, this.#stop.signal, ...(signal ? [signal] : [])]
    const up = new Promise<'up'>((resolve) => this.#waiting.push(() => resolve('up')))
    const late = this.#world.clock.sleep(patience, AbortSignal.any(signals)).then(
      () => 'late' as const,
      () => 'late' as const,
    )
    const end = await Promise.race([up, late])
    wait.abort()
    signal?.throwIfAborted()
    if (end === 'late') throw unavailable('The message broker cannot be reached', { code: 'bus.disconnected' })
  }

  /** Ends the connection so that everything is set up anew. */
  async reset(): Promise<void> {
    if (this.#model) await this.#end(this.#model)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    if (this.#model) await this.#end(this.#model)
    await this.#running
  }

  async #run(): Promise<void> {
    const log = this.#world.log.module('bus')
    const { urls } = this.#options
    let failures = 0
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      try {
        const model = await connect(urls[turn % urls.length]!, {
          noDelay: true, // without it every call waits 40 ms for Nagle
          keepAlive: true,
          timeout: 10_000,
          clientProperties: { connection_name: this.#options.name },
        })
        const gone = this.#watch(model)
        try {
          if (this.#stop.signal.aborted) return
          await this.#options.setUp(model)
          if (failures > 0) log.info('Reached the message broker again', { failures })
          failures = 0
          this.#model = model
          for (const wake of this.#waiting.splice(0)) wake()
          const why = await gone
          this.#model = undefined
          if (!this.#stop.signal.aborted) log.warn('Lost the message broker', { error: why })
          this.#options.down(why)
        } finally {
          this.#model = undefined
          await this.#end(model)
        }
      } catch (thrown) {
        if (!this.#stop.signal.aborted) log.warn('Could not reach the message broker', { error: thrown, failures: failures + 1 })
      }
      if (this.#stop.signal.aborted) return
      // Half of the pause is chance, so that a thousand agents do not come back in one moment.
      const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures++, 10))
      await this.#world.clock.sleep(pause * (0.5 + this.#world.random.fraction() / 2), this.#stop.signal).catch(() => {})
    }
  }

  /** A broker that is ending itself may never answer the goodbye. */
  async #end(model: ChannelModel): Promise<void> {
    const late = new AbortController()
    const said = await Promise.race([model.close().then(() => true, () => true), this.#world.clock.sleep(GOODBYE, late.signal).then(() => false, () => false)])
    late.abort()
    // With an error, so that the connection is told to be over.
    if (!said) (model.connection as unknown as { stream: Socket }).stream.destroy(new Error('The message broker did not answer the goodbye'))
  }

  #watch(model: ChannelModel): Promise<unknown> {
    const log = this.#world.log.module('bus')
    let last: unknown
    model.on('error', (thrown: unknown) => {
      last = thrown
    })
    model.on('blocked', (reason: unknown) => log.warn('The message broker takes no messages', { reason: String(reason) }))
    model.on('unblocked', () => log.info('The message broker takes messages again'))
    return new Promise((resolve) => {
      model.on('close', (thrown: unknown) => resolve(last ?? thrown ?? new Error('The connection was closed')))
    })
  }
}
