/**
 * The caller's side of calls, whatever carries the messages. A request that nobody gives a sign of is sent again under the same id; the
 * other side (`taken.ts`) does it once, and answers as often as it is asked. So a lost request, a lost answer, a server that died and a broker
 * that restarted cost seconds, and a call's own limit may be hours.
 */
import { asFault, isFault, timedOut, unavailable } from '../fault.ts'
import type { World } from '../world.ts'
import { openAnswer, seal } from './envelope.ts'
import type { CallOptions } from './interface.ts'

/** What a server says while it works: no answer yet. */
export const WORKING = '"working"'

/** Milliseconds without a sign after which a request is sent again; doubled each time, up to `LONGEST`. */
const SILENCE = 5_000
const LONGEST = 60_000
/** The same once a sign came: a server that works gives one every 5 seconds. */
export const WORKING_EVERY = 5_000
const MISSED = 3 * WORKING_EVERY

export interface Request {
  id: string
  topic: string
  method: string
  text: string
  /** Milliseconds until nobody waits any more. */
  left: number
  /** Aborts when nobody waits any more. */
  signal: AbortSignal
}

interface Pending {
  onText(text: string): void
  /** The way there, or the server, is gone. */
  onAway(fault: unknown): void
  end(reason: unknown): void
}

export class Calls {
  readonly #world: World
  readonly #sender: string
  /** Milliseconds that a lost connection is waited for when the caller names none. */
  readonly #patience: number
  readonly #pending = new Map<string, Pending>()

  constructor(world: World, sender: string, patience = 0) {
    this.#world = world
    this.#sender = sender
    this.#patience = patience
  }

  /** `send` resolves when the request is on its way; throws `unavailable` with the code `bus.nobody` or `bus.disconnected`. */
  call(topic: string, method: string, payload: unknown, options: CallOptions, send: (request: Request) => Promise<void> | void): Promise<unknown> {
    const { clock } = this.#world
    const { timeout = 60_000, signal } = options
    if (signal?.aborted) return Promise.reject(asReason(signal))
    const { id, text } = seal(this.#world, this.#sender, 'call', topic, method, payload, timeout)
    const ends = clock.now() + timeout
    const given = new AbortController()
    return new Promise<string>((resolve, reject) => {
      let silence = (): void => {}
      let pause = SILENCE
      /** Since when what is away: the server, or already the way to it. */
      let away: { code: string; since: number } | undefined
      const finish = (settle: () => void, reason?: unknown): void => {
        if (!this.#pending.delete(id)) return
        limit()
        silence()
        signal?.removeEventListener('abort', onAbort)
        given.abort(reason ?? OVER)
        settle()
      }
      const end = (reason: unknown): void => finish(() => reject(reason), reason)
      const onAbort = (): void => end(signal!.reason)
      const limit = clock.after(timeout, () => end(timedOut(`${topic} did not answer ${method} in ${timeout} ms`, { code: 'bus.timeout' })))
      const listen = (ms: number): void => {
        silence()
        silence = clock.after(ms, go)
      }
      const onAway = (thrown: unknown): void => {
        const code = isFault(thrown) ? thrown.code : undefined
        if (code !== 'bus.nobody' && code !== 'bus.disconnected') return end(asFault(thrown))
        // While the way is broken nothing is known of the server: its own time begins when there is a way again.
        if (away?.code !== code) away = { code, since: clock.now() }
        const wait = code === 'bus.nobody' ? (options.wait ?? 0) : Math.max(options.wait ?? 0, this.#patience)
        if (clock.now() - away.since >= wait) return end(thrown)
        listen(Math.min(1_000, Math.max(50, wait / 10)))
      }
      const go = (): void => {
        listen(pause)
        pause = Math.min(LONGEST, pause * 2)
        const failed = (thrown: unknown): void => {
          if (this.#pending.has(id)) onAway(thrown)
        }
        try {
          send({ id, topic, method, text, left: ends - clock.now(), signal: given.signal })?.catch(failed)
        } catch (thrown) {
          failed(thrown)
        }
      }
      this.#pending.set(id, {
        end,
        onAway,
        onText(got) {
          if (got !== WORKING) return finish(() => resolve(got))
          away = undefined
          pause = SILENCE
          listen(MISSED)
        },
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      go()
    }).then(openAnswer)
  }

  /** A sign or an answer came. */
  onText(id: string, text: string): void {
    this.#pending.get(id)?.onText(text)
  }

  /** Nobody serves the topic of this call. */
  onNobody(id: string, topic: string): void {
    this.#pending.get(id)?.onAway(unavailable(`Nobody serves ${topic}`, { code: 'bus.nobody' }))
  }

  /** The connection is lost: every call is sent anew when it is back, or ends when it stays away. */
  onDisconnected(why: unknown): void {
    for (const { onAway } of this.#pending.values()) onAway(unavailable('The connection to the message broker was lost', { code: 'bus.disconnected', cause: why }))
  }

  endAll(reason: unknown): void {
    for (const { end } of this.#pending.values()) end(reason)
  }
}

/** An abort without a reason makes a DOMException each time. */
const OVER = new Error('The call is over')

const asReason = (signal: AbortSignal): Error => signal.reason as Error
