/**
 * The production code of all houses under a virtual clock: many fake hosts, users who do random things, and faults: processes that die
 * between two steps, steps that fail, messages lost, doubled and late. Then the faults stop, the cloud is given its deadlines, and what
 * must hold is checked (`invariants.ts`). One number decides everything, so a failing run replays.
 */
import { realWorkUnderWay } from './real-work.ts'
import { memoryBus, type MemoryBus } from '#base/bus/memory.ts'
import { randomFaults, type Weather } from '#base/bus/faults.ts'
import { VirtualClock } from '#base/clock.ts'
import { type Random, seededRandom } from '#base/random.ts'
import { type Cloud, startCloud } from '../start-cloud.ts'
import { apiDeaths } from './api-deaths.ts'
import { checkInvariants } from './invariants.ts'
import { checkObjects } from './stored-objects.ts'
import { agentDeaths, bytesStorm, driverStorm, flowStorm, type Storm } from './storm.ts'
import { openUser, type User } from './user.ts'

export interface SimulationOptions {
  seed: number
  hosts: number
  /** Users' operations before the faults stop. */
  operations: number
  users: number
  /** Agents die and drivers are slow and fail, too. */
  harsh?: boolean
}

export interface SimulationResult {
  seed: number
  operations: number
  /** Answers by status class, e.g. `2xx`, `409`. */
  answers: Record<string, number>
  /** Of processes between two steps of a flow; of agents; failures of steps and of drivers. */
  deaths: number
  agent_deaths: number
  /** Of the process that served a request. */
  api_deaths: number
  failures: number
  /** Milliseconds that passed in the cloud. */
  cloud_ms: number
  broken: string[]
}

const START = Date.UTC(2026, 0, 1)

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const random = seededRandom(options.seed)
  const clock = new VirtualClock(START, realWorkUnderWay)
  const weather: Weather = { lose: 0, double: 0, delay: 0, longest: 3000 }
  const result: SimulationResult = { seed: options.seed, operations: 0, answers: {}, deaths: 0, agent_deaths: 0, api_deaths: 0, failures: 0, cloud_ms: 0, broken: [] }
  const storm: Storm = { on: false, told: result }
  const deathsOfApi = apiDeaths(seededRandom(options.seed ^ 0x9e3779b9), storm)
  let bus: MemoryBus | undefined
  const cloud = await startCloud({
    port: null,
    world: { clock, random: seededRandom(options.seed ^ 0x5bd1e995) },
    bus: (world) => (bus = memoryBus(world, randomFaults(seededRandom(options.seed ^ 0x1b873593), weather))),
    config: { 'nova.agent.hosts': options.hosts, 'swift.driver': 'memory' },
    flowFaults: { ...flowStorm(random, storm), started: deathsOfApi.started },
    doorStorm: deathsOfApi.doorStorm,
    driverStorm: bytesStorm(seededRandom(options.seed ^ 0x85ebca6b), storm, options.harsh ? driverStorm(seededRandom(options.seed ^ 0x2545f491), storm) : undefined),
    host: 'sim',
  })
  try {
    await clock.advance(60_000)
    const users: User[] = []
    for (let i = 0; i < options.users; i++) users.push(await openUser(Object.create(cloud, { fetch: { value: deathsOfApi.mortal(cloud.fetch) } }) as Cloud, i, seededRandom(options.seed * 31 + i)))
    storm.on = true
    Object.assign(weather, { lose: 0.02, double: 0.02, delay: 0.1 })
    const deaths = options.harsh ? agentDeaths(seededRandom(options.seed ^ 0x6c078965), storm, bus!) : () => {}
    await live(options, clock, random, users, result, deaths)
    for (const { hands } of users) result.operations += hands.shelf.more
    storm.on = false
    Object.assign(weather, { lose: 0, double: 0, delay: 0 })
    await settle(cloud, clock)
    result.broken.push(...(await meanwhile(clock, checkInvariants(cloud, users))), ...(await meanwhile(clock, checkObjects(cloud, users))))
  } finally {
    result.cloud_ms = clock.now() - START
    await closeSimulated(cloud, clock)
  }
  return result
}

/** Time goes on while somebody waits: a process in which nothing moves any more ends without a word. */
async function meanwhile<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let open = true
  const ended = work.finally(() => (open = false))
  ended.catch(() => {})
  while (open) await clock.advance(1)
  return ended
}

/** What is closed may wait for calls and leases, each for its time. */
export async function closeSimulated(cloud: Cloud, clock: VirtualClock): Promise<void> {
  let open = true
  const closing = cloud.close().finally(() => (open = false))
  closing.catch(() => {})
  for (let minutes = 0; open; minutes++) {
    if (minutes >= 600) throw new Error('The simulated cloud cannot be closed: something in it waits for ever')
    await clock.advance(60_000)
  }
  await closing
}

/** Operations begin at random moments and run beside each other, as users do. */
async function live(options: SimulationOptions, clock: VirtualClock, random: Random, users: readonly User[], result: SimulationResult, deaths: () => void): Promise<void> {
  const open = new Set<Promise<void>>()
  while (result.operations < options.operations) {
    const burst = 1 + random.below(4)
    for (let i = 0; i < burst; i++) {
      result.operations++
      const going = users[random.below(users.length)]!
        .act()
        .then(({ status, text }) => {
          const kind = status < 300 ? '2xx' : String(status)
          result.answers[kind] = (result.answers[kind] ?? 0) + 1
          // A driver that fails while its user waits is the one good reason for a 500.
          if (status === 500 && !text.includes('as simulated')) result.broken.push(`a user was answered 500: ${text.slice(0, 300)}`)
        })
        .finally(() => open.delete(going))
      open.add(going)
    }
    deaths()
    await clock.advance(random.below(1500))
  }
  for (let waited = 0; open.size > 0; waited += 5000) {
    if (waited >= 86_400_000) throw new Error(`${open.size} requests of users were never answered`)
    await clock.advance(5000)
  }
}

/** Time for every flow to end by its deadline, leases to be taken over, and reconcilers to have their rounds. */
async function settle(cloud: Cloud, clock: VirtualClock): Promise<void> {
  for (let minutes = 0; minutes < 120; minutes += 2) {
    await clock.advance(120_000)
    const live = await cloud.db.as<{ flows: { state: string } }>().query.selectFrom('flows').select('state').where('state', 'in', ['queued', 'running', 'unwinding']).limit(1).execute()
    if (live.length === 0 && minutes >= 10) return
  }
}
