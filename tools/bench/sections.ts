/** Parts of the bench that need a cloud of their own: many boots on SQLite and on PostgreSQL, decisions over many hosts. Each says its figures as lines. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startRabbitmq } from '#base/bus/test/rabbitmq.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import { measureKeystone } from './keystone.ts'
import { broker } from './broker.ts'
import { boots, type Boots, saidOf } from './boots.ts'
import { realBoot } from './real.ts'
import { measureObjects } from './objects.ts'
import { openSession } from './session.ts'
import { closeConnections, startSubject, type Subject } from './subject.ts'
import { takeover } from './takeover.ts'

export interface Section {
  name: string
  what: string
  run(say: (line: string) => void): Promise<Record<string, unknown>>
}

export const sections: readonly Section[] = [
  { name: 'create', what: 'boots per second on SQLite in one process, and a burst of 1,000 over 1,000 hosts', run: create },
  { name: 'postgres', what: 'the same with two control processes on PostgreSQL and RabbitMQ', run: postgres },
  { name: 'schedule', what: 'a schedule decision over 10,000 hosts', run: schedule },
  { name: 'keystone', what: 'identity: CPU and SQL statements per operation, logins beside their hash, long lists', run: measureKeystone },
  { name: 'takeover', what: 'after the death of a worker, its flows go on elsewhere', run: takeover },
  { name: 'objects', what: 'objects of many sizes, beside nginx with the same files', run: (say) => measureObjects(say) },
  { name: 'broker', what: 'after RabbitMQ was killed and is back, everything is running again', run: broker },
  { name: 'real', what: 'a real guest by the driver, beside bare QEMU with the same command line', run: real },
]

async function create(say: (line: string) => void): Promise<Record<string, unknown>> {
  const one = process.env.H ? undefined : await withClouds([{}], say, 'SQLite, one process, one host', 1000)
  const many = await withClouds([{ hosts: Number(process.env.H ?? 1000) }], say, 'SQLite, one process, 1,000 hosts', 1000)
  return { one, many }
}

async function postgres(say: (line: string) => void): Promise<Record<string, unknown>> {
  const server = await startPostgres()
  // One process plays a thousand hosts, each with channels of its own.
  const rabbit = await startRabbitmq(undefined, ['channel_max = 16000'])
  const shared = await mkdtemp(join(tmpdir(), 'ondol-bench-shared-'))
  try {
    if (!server || !rabbit) {
      say('PostgreSQL or RabbitMQ is not installed: apt-get install postgresql rabbitmq-server')
      return { skipped: true }
    }
    const run = async (hosts: number, what: string, servers: number): Promise<unknown> => {
      const config = { 'database.url': await server.createDatabase(), 'bus.url': rabbit.url, shared_dir: shared, 'database.connections': 20 }
      // The first also plays the hosts; the second is API and workers alone.
      const second = { ...config, 'seed.enabled': false, 'agents.compute': 'none', 'agents.network': 'none', 'agents.volume': 'none' }
      return withClouds([{ hosts, config }, { config: second }], say, what, servers)
    }
    const sustained = await run(10, 'PostgreSQL and RabbitMQ, two processes, 10 hosts', 2000)
    const burst = await run(1000, 'PostgreSQL and RabbitMQ, two processes, 1,000 hosts', 1000)
    return { sustained, burst }
  } finally {
    await Promise.all([server?.stop(), rabbit?.stop()])
    await rm(shared, { recursive: true, force: true })
  }
}

/** Sustained: sixteen creations under way at a time. Burst: ten requests for a hundred servers each, all at once. */
async function withClouds(wishes: readonly { hosts?: number; config?: object }[], say: (line: string) => void, what: string, count: number): Promise<{ sustained: Boots; burst: Boots }> {
  const clouds: Subject[] = []
  const bare = await startSubject('bare-process.ts')
  try {
    for (const { hosts = 1, config = {} } of wishes) clouds.push(await startSubject('cloud-process.ts', { BENCH_HOSTS: String(hosts), BENCH_CONFIG: JSON.stringify(config) }))
    const session = await openSession(clouds[0]!, bare)
    const urls = clouds.map((one) => String(one.ready.url))
    await boots(session, urls, { count: 100, at_once: 8 })
    const before = await cpuOf(clouds)
    const sustained = await boots(session, urls, { count, at_once: 16 })
    say(`${what}, sustained: ${saidOf(sustained)}; ${(((await cpuOf(clouds)) - before) / count).toFixed(1)} ms CPU of the cloud per boot and delete`)
    const burst = await boots(session, urls, { count: 1000, at_once: 10, bulk: 100 })
    say(`${what}, burst of 1,000: ${saidOf(burst)}`)
    return { sustained, burst }
  } finally {
    closeConnections()
    await Promise.all([...clouds.toReversed(), bare].map((one) => one.stop()))
  }
}

async function cpuOf(clouds: readonly Subject[]): Promise<number> {
  let sum = 0
  for (const cloud of clouds) sum += (await cloud.usage()).cpu_ms
  return sum
}

async function schedule(say: (line: string) => void): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'schedule.ts')])
  const found = JSON.parse(stdout) as Record<'hosts' | 'decisions' | 'places' | 'p50_ms' | 'p99_ms' | 'max_ms' | 'cpu_ms', number>
  say(`a decision over ${found.hosts} hosts: p50 ${found.p50_ms.toFixed(1)} ms, p99 ${found.p99_ms.toFixed(1)} ms, ${found.cpu_ms.toFixed(1)} ms CPU (${found.decisions} decisions, ${found.places} hosts taken)`)
  return found
}

async function real(say: (line: string) => void): Promise<Record<string, unknown>> {
  const found = await realBoot()
  if ('skipped' in found) say(`skipped: ${found.skipped}`)
  else say(`a guest running by the driver: ${found.driver_ms.toFixed(0)} ms; bare QEMU with the same command line: ${found.bare_ms.toFixed(0)} ms; ours: ${(found.driver_ms - found.bare_ms).toFixed(0)} ms (${found.accelerator}; without the wiring of cards)`)
  return { ...found }
}
