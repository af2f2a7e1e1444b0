/** Bad weather for the bus in memory: what happens to each message, drawn from a seeded random so that a run can be replayed. */
import type { Random } from '../random.ts'
import type { MessageKind } from './interface.ts'

export interface BusFaults {
  /** What to do with one message: milliseconds to wait before delivery (0 is good weather), or `lose`, or `double`. */
  deliver(topic: string, method: string, kind: MessageKind | 'answer'): number | 'lose' | 'double'
}

export interface Weather {
  /** Chances in 0…1 per message. */
  lose?: number
  double?: number
  delay?: number
  /** A delay is up to so many milliseconds. Default 1000. */
  longest?: number
}

/** The weather may be changed while it runs: the same object is looked at for every message. */
export function randomFaults(random: Random, weather: Weather): BusFaults {
  return {
    deliver() {
      const draw = random.fraction()
      const lose = weather.lose ?? 0
      const double = lose + (weather.double ?? 0)
      if (draw < lose) return 'lose'
      if (draw < double) return 'double'
      return draw < double + (weather.delay ?? 0) ? 1 + random.below(weather.longest ?? 1_000) : 0
    },
  }
}
