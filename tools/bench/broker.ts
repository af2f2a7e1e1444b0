/**
 * After RabbitMQ was killed for three seconds under load: how soon what was asked for before, during and after it is running, made by two control
 * processes on PostgreSQL over ten hosts.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRabbitmq } from '#base/bus/test/rabbitmq.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import { openSession } from './session.ts'
import { closeConnections, send, startSubject, type Subject } from './subject.ts'

const AWAY_MS = 3_000
const PATIENCE_MS = 120_000
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export async function broker(say: (line: string) => void): Promise<Record<string, unknown>> {
  const server = await startPostgres()
  const rabbit = await startRabbitmq()
  const shared = await mkdtemp(join(tmpdir(), 'ondol-bench-broker-'))
  const subjects: Subject[] = []
  try {
    if (!server || !rabbit) {
      say('PostgreSQL or RabbitMQ is not installed: apt-get install postgresql rabbitmq-server')
      return { skipped: true }
    }
    const config = { 'database.url': await server.createDatabase(), 'bus.url': rabbit.url, shared_dir: shared, 'database.connections': 20 }
    subjects.push(await startSubject('bare-process.ts'))
    subjects.push(await startSubject('cloud-process.ts', { BENCH_HOSTS: '10', BENCH_CONFIG: JSON.stringify(config) }))
    subjects.push(await startSubject('cloud-process.ts', { BENCH_HOSTS: '0', BENCH_CONFIG: JSON.stringify({ ...config, 'seed.enabled': false, 'agents.compute': 'none', 'agents.network': 'none', 'agents.volume': 'none' }) }))
    const [bare, ...clouds] = subjects as [Subject, Subject, Subject]
    const session = await openSession(clouds[0], bare)
    const urls = clouds.map((one) => String(one.ready.url))
    const ids: string[] = []
    const create = async (i: number): Promise<string> => {
      const body = JSON.stringify({ server: { name: 'broker', flavorRef: '42', imageRef: session.image, networks: [{ uuid: session.network }], security_groups: [{ name: 'bench' }] } })
      const answer = await send('POST', `${urls[i % urls.length]!}/compute/v2.1/servers`, session.headers, body)
      if (answer.status !== 202) throw new Error(`a creation answered ${answer.status}: ${answer.body.toString().slice(0, 300)}`)
      const { id } = (JSON.parse(answer.body.toString()) as { server: { id: string } }).server
      ids.push(id)
      return id
    }
    const statusOf = async (id: string): Promise<string> => (JSON.parse((await send('GET', `${urls[0]!}/compute/v2.1/servers/${id}`, session.headers)).body.toString()) as { server: { status: string } }).server.status
    const many = (count: number): Promise<string[]> => Promise.all(Array.from({ length: count }, (_, i) => create(i)))
    await many(20)
    await rabbit.kill()
    const during = many(20)
    await pause(AWAY_MS)
    await rabbit.start()
    const began = performance.now()
    await during
    await many(20)
    const states: Record<string, number> = {}
    for (const id of ids) {
      let status = await statusOf(id)
      for (; status === 'BUILD' && performance.now() - began < PATIENCE_MS; status = await statusOf(id)) await pause(50)
      states[status] = (states[status] ?? 0) + 1
    }
    const back_ms = performance.now() - began
    say(`RabbitMQ was away for ${AWAY_MS / 1000} s and is back: ${ids.length} servers asked for before, during and after that are ${Object.entries(states).map(([state, n]) => `${n} ${state}`).join(', ')} after ${(back_ms / 1000).toFixed(1)} s (asked: 5 s)`)
    return { servers: ids.length, states, back_ms }
  } finally {
    closeConnections()
    await Promise.all(subjects.toReversed().map((one) => one.stop()))
    await Promise.all([server?.stop(), rabbit?.stop()])
    await rm(shared, { recursive: true, force: true })
  }
}
