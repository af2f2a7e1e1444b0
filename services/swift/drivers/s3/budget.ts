/**
 * How much memory all uploads together may hold while their parts fill. Who would go beyond waits; a client that sends slowly holds little, so it keeps
 * nobody waiting. When all hold half a part and none can end, the one nearest to its end goes on alone beyond the limit: it frees the most. One
 * that falls silent then loses its turn after a second.
 */
import type { Clock } from '#base/clock.ts'

export interface Budget {
  /** Resolves when `who` may hold so many bytes more than it has (`held`). */
  take(who: object, bytes: number, held: number): Promise<void>
  /** A part goes out: its room will come back. */
  sending(who: object): void
  /** Room comes back; `sent`: of a part that went out. */
  give(who: object, bytes: number, sent: boolean): void
  readonly used: number
}

const TURN = 1000

export function budget(limit: number, clock: Clock): Budget {
  interface Waiting { who: object; bytes: number; held: number; go: () => void }
  let used = 0
  let under = 0
  let waiting: Waiting[] = []
  let first: { who: object; until: number } | undefined
  const grant = (one: Waiting): void => {
    waiting = waiting.filter((other) => other !== one)
    used += one.bytes
    one.go()
  }
  const turn = (): void => {
    while (waiting.length > 0 && used + waiting[0]!.bytes <= limit) grant(waiting[0]!)
    if (waiting.length === 0 || under > 0) return
    if (first && first.until > clock.now() && !waiting.some((one) => one.who === first!.who)) return later(first.until - clock.now())
    const best = waiting.find((one) => one.who === first?.who) ?? waiting.reduce((most, one) => (one.held > most.held ? one : most))
    first = { who: best.who, until: clock.now() + TURN }
    grant(best)
    if (waiting.length > 0) later(TURN)
  }
  let timer = false
  const later = (ms: number): void => {
    if (timer) return
    timer = true
    clock.after(ms, () => {
      timer = false
      turn()
    })
  }
  const over = (who: object): void => {
    if (first?.who === who) first = undefined
  }
  return {
    take(who, bytes, held) {
      if (waiting.length === 0 && used + bytes <= limit) {
        used += bytes
        return Promise.resolve()
      }
      return new Promise((go) => {
        waiting.push({ who, bytes, held, go })
        turn()
      })
    },
    sending(who) {
      under++
      over(who)
    },
    give(who, bytes, sent) {
      used -= bytes
      if (sent) under--
      over(who)
      turn()
    },
    get used() {
      return used
    },
  }
}
