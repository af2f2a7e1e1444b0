/** What every process is given from outside: time, chance, and the two ways of telling what happened. */
import { type Clock, realClock } from './clock.ts'
import { type Log, silentLog } from './log.ts'
import { type Random, systemRandom } from './random.ts'
import { noTrace, type Trace } from './trace.ts'

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly trace: Trace
}

export function world(parts: Partial<World> = {}): World {
  return { clock: realClock, random: systemRandom, log: silentLog, trace: noTrace, ...parts }
}
