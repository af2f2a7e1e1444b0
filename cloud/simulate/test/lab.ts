/** A small simulated cloud for scenarios: three hosts, one user, a virtual clock, and deaths and failures where a test wants them. */
// First: it wraps functions that others take at their start.
import { realWorkUnderWay } from '../real-work.ts'
import { randomFaults, type Weather } from '#base/bus/faults.ts'
import { memoryBus, type MemoryBus } from '#base/bus/memory.ts'
import { VirtualClock } from '#base/clock.ts'
import { unavailable } from '#base/fault.ts'
import { Crash } from '#base/flow/runner.ts'
import { seededRandom } from '#base/random.ts'
import { type Cloud, startCloud } from '../../start-cloud.ts'
import { checkInvariants } from '../invariants.ts'
import type { Answer } from '../operations.ts'
import { closeSimulated } from '../simulation.ts'
import { openUser, type User } from '../user.ts'

export type Trap = { flow: string; nth: number; how: 'die' | 'fail' }

export interface Lab {
  cloud: Cloud
  clock: VirtualClock
  bus: MemoryBus
  weather: Weather
  user: User
  /** Drivers' verbs that fail for now. */
  failing: Set<string>
  /** Springs at the nth step of a flow, once. */
  trap: Trap | undefined
  /** An answer, while time goes on. */
  ask(answer: Promise<Answer>): Promise<Answer>
  /** Time goes on until it holds; throws after `limit` ms of the cloud's time. */
  until<T>(what: string, limit: number, look: () => Promise<T | undefined | false>): Promise<T>
  /** Every way to break a flow at one of its steps, each once: `scenario` runs anew for each. */
  atEveryStep(flow: string, how: Trap['how'], scenario: (step: string) => Promise<void>): Promise<number>
  broken(): Promise<string[]>
  close(): Promise<void>
}

export async function openLab(): Promise<Lab> {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1), realWorkUnderWay)
  const weather: Weather = {}
  const failing = new Set<string>()
  let bus!: MemoryBus
  let seen = 0
  let sprung = false
  const cloud = await startCloud({
    port: null,
    host: 'lab',
    world: { clock, random: seededRandom(11) },
    bus: (world) => (bus = memoryBus(world, randomFaults(seededRandom(12), weather))),
    config: { 'nova.agent.hosts': 3 },
    driverStorm: (verb) => (failing.has(verb) ? { slow: 0, fault: unavailable(`${verb} fails in this scenario`) } : undefined),
    flowFaults: {
      before(flow) {
        if (lab.trap?.how !== 'fail' || lab.trap.flow !== flow || sprung || seen++ < lab.trap.nth) return
        sprung = true
        throw unavailable('A step fails in this scenario')
      },
      after(flow) {
        if (lab.trap?.how !== 'die' || lab.trap.flow !== flow || sprung || seen++ < lab.trap.nth) return
        sprung = true
        throw new Crash()
      },
    },
  })
  const lab: Lab = {
    cloud, clock, bus, weather, failing, trap: undefined,
    user: undefined as never,
    async ask(answer) {
      let done = false
      const ended = answer.finally(() => (done = true))
      ended.catch(() => {})
      while (!done) await clock.advance(100)
      return ended
    },
    async until(what, limit, look) {
      for (const end = clock.now() + limit; ; ) {
        const found = await look()
        if (found) return found
        if (clock.now() >= end) throw new Error(`after ${limit} ms still not: ${what}`)
        await clock.advance(1_000)
      }
    },
    async atEveryStep(flow, how, scenario) {
      for (let nth = 0; ; nth++) {
        seen = 0
        sprung = false
        lab.trap = { flow, nth, how }
        try {
          await scenario(`${flow}, ${how} at its step ${nth + 1}`)
        } finally {
          lab.trap = undefined
        }
        if (!sprung) return nth
      }
    },
    broken: () => checkInvariants(cloud, [lab.user]),
    async close() {
      await closeSimulated(cloud, clock)
    },
  }
  await clock.advance(60_000)
  lab.user = await openUser(cloud, 0, seededRandom(13))
  return lab
}
