/** The faults of a simulation, each drawn from its own seeded random. While the storm is off they do nothing and draw nothing. */
import type { MemoryBus } from '#base/bus/memory.ts'
import { Fault, unavailable } from '#base/fault.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import { Crash } from '#base/flow/runner.ts'
import type { Random } from '#base/random.ts'
import type { DriverStorm } from '#stack/house.ts'

export interface Storm {
  on: boolean
  told: { deaths: number; agent_deaths: number; api_deaths: number; failures: number }
}

/** Steps that fail, and processes that die after a step was done and before it was written down. */
export function flowStorm(random: Random, storm: Storm): FlowFaults {
  return {
    before() {
      if (!storm.on || random.fraction() >= 0.01) return
      storm.told.failures++
      throw unavailable('A simulated failure')
    },
    after() {
      if (!storm.on || random.fraction() >= 0.02) return
      storm.told.deaths++
      throw new Crash()
    },
  }
}

/** Drivers that take their time, now and then minutes of it, and drivers that fail. */
export function driverStorm(random: Random, storm: Storm): DriverStorm {
  return (verb) => {
    if (!storm.on) return undefined
    const dice = random.fraction()
    if (dice < 0.01) {
      storm.told.failures++
      return { slow: random.below(2_000), fault: new Fault('internal', `${verb} failed as simulated`, { code: 'simulated' }) }
    }
    if (dice < 0.1) return { slow: random.below(5_000) }
    return dice < 0.103 ? { slow: random.below(300_000) } : undefined
  }
}

/** Of the places of objects only, also in plain runs. */
export function bytesStorm(random: Random, storm: Storm, others: DriverStorm | undefined): DriverStorm {
  return (verb) => {
    if (!verb.startsWith('bytes.')) return others?.(verb)
    if (!storm.on) return undefined
    const dice = random.fraction()
    if (dice >= 0.15) return undefined
    if (dice >= 0.05) return { slow: random.below(5_000) }
    storm.told.failures++
    return { slow: random.below(2_000), fault: unavailable(`${verb} failed as simulated`) }
  }
}

/** Agents that die and are back after some seconds. To be called now and then. */
export function agentDeaths(random: Random, storm: Storm, bus: MemoryBus): () => void {
  return () => {
    if (!storm.on || random.fraction() >= 0.1) return
    const topics = bus.topics()
    storm.told.agent_deaths++
    bus.die(topics[random.below(topics.length)]!, 1_000 + random.below(60_000))
  }
}
