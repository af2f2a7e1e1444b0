/**
 * Time as a dependency (law 4). Everything outside `base/` and `host/` asks a `Clock`, so that the whole cloud can run
 * under a virtual one. All durations and instants are milliseconds; instants count from the Unix epoch.
 */
import { setTimeout as delay } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `run` once after `ms`; the returned function cancels. Never keeps the process alive. */
  after(ms: number, run: () => void): () => void
}

export const realClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal ? { signal } : {})
  },
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

interface Timer {
  at: number
  order: number
  run: () => void
}

/**
 * A clock that only moves when told to. `advance` runs every timer that falls due, in order, and lets the promises that
 * each timer woke settle before the next one.
 */
export class VirtualClock implements Clock {
  #now: number
  #order = 0
  #timers: Timer[] = []

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run }
    this.#timers.push(timer)
    return () => {
      const index = this.#timers.indexOf(timer)
      if (index >= 0) this.#timers.splice(index, 1)
    }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const onAbort = () => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.length
  }

  /** Moves time forward by `ms`, running what falls due. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const next = this.#earliest()
      if (!next || next.at > end) break
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      await settle()
    }
    this.#now = end
  }

  #earliest(): Timer | undefined {
    let best: Timer | undefined
    for (const timer of this.#timers) {
      if (!best || timer.at < best.at || (timer.at === best.at && timer.order < best.order)) best = timer
    }
    return best
  }
}

/** Lets every promise and immediate that is ready run: two turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

const DAY = 86_400_000
const days = new Map<number, string>()
const TWO = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, '0'))

/** `2026-11-21T00:21:05`: every object on the wire has two or three of these, and `toISOString` costs ten times as much. */
function seconds(ms: number): string {
  const day = Math.floor(ms / DAY)
  let date = days.get(day)
  if (date === undefined) {
    date = new Date(ms).toISOString().slice(0, 11)
    if (days.size > 1000) days.clear()
    days.set(day, date)
  }
  const second = Math.floor((ms - day * DAY) / 1000)
  return `${date}${TWO[Math.floor(second / 3600)]!}:${TWO[Math.floor(second / 60) % 60]!}:${TWO[second % 60]!}`
}

/** `2026-11-21T00:21:05Z`: the form most services put on the wire. */
export function isoSeconds(ms: number): string {
  return `${seconds(ms)}Z`
}

/** `2026-11-21T00:21:05.123000`: microseconds and no zone, as Cinder and a few others write. */
export function isoMicros(ms: number): string {
  const rest = Math.floor(ms) - Math.floor(ms / 1000) * 1000
  return `${seconds(ms)}.${rest < 100 ? (rest < 10 ? '00' : '0') : ''}${rest}000`
}
