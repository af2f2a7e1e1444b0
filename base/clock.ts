/**
 * Time as a dependency (law 4). Everything outside `base/` and `host/` asks a `Clock`, so that the whole cloud can run
 * under a virtual one. All durations and instants are milliseconds; instants count from the Unix epoch.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { anythingUnderWay } from './under-way.ts'

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
  /** Undefined once cancelled. */
  run: (() => void) | undefined
}

/**
 * A clock that only moves when told to. `advance` runs every timer that falls due, in order, and lets the promises that
 * each timer woke settle before the next one.
 */
export class VirtualClock implements Clock {
  #now: number
  #order = 0
  #live = 0
  /** A heap: the earliest first. */
  readonly #timers: Timer[] = []
  readonly #busy: () => boolean

  /** Time stands still while `busy`: for work that takes real time, such as files and sockets. */
  constructor(start = Date.UTC(2026, 0, 1), busy: () => boolean = anythingUnderWay) {
    this.#now = start
    this.#busy = busy
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    // Whole milliseconds, as the real clock has them: instants go into integer columns.
    const timer: Timer = { at: this.#now + Math.max(0, Math.round(ms)), order: this.#order++, run }
    this.#live++
    this.#push(timer)
    return () => {
      if (timer.run === undefined) return
      timer.run = undefined
      this.#live--
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
    return this.#live
  }

  /** Moves time forward by `ms`, running what falls due. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.#settle()
    for (;;) {
      const next = this.#timers[0]
      if (!next || next.at > end) break
      this.#pop()
      const { run } = next
      if (run === undefined) continue
      next.run = undefined
      this.#live--
      this.#now = Math.max(this.#now, next.at)
      run()
      await this.#settle()
    }
    this.#now = end
  }

  /** Lets every promise and immediate that is ready run: two turns of the event loop, after what takes real time. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (this.#busy()) turn = -30
    }
  }

  #push(timer: Timer): void {
    const heap = this.#timers
    let at = heap.push(timer) - 1
    while (at > 0) {
      const up = (at - 1) >> 1
      if (!earlier(timer, heap[up]!)) break
      heap[at] = heap[up]!
      at = up
    }
    heap[at] = timer
  }

  #pop(): void {
    const heap = this.#timers
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      if (down >= heap.length) break
      if (down + 1 < heap.length && earlier(heap[down + 1]!, heap[down]!)) down++
      if (!earlier(heap[down]!, last)) break
      heap[at] = heap[down]!
      at = down
    }
    heap[at] = last
  }
}

const earlier = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

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
