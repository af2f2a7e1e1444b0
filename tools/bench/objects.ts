/** Figures of the object store. By default the cloud is a temporary one and its durability `fast`; `node tools/bench/objects.ts safe` measures with syncs. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Figure, Session } from './figures.ts'
import { openSession } from './session.ts'
import { startNginx } from './nginx.ts'
import { closeConnections, measure, send, startSubject, type Subject } from './subject.ts'

const MIB = 2 ** 20

async function box(session: Session, name: string): Promise<string> {
  const url = `${session.url}/v1/${await account(session)}/${name}`
  const made = await send('PUT', url, { 'x-auth-token': session.token, 'content-length': '0' })
  if (made.status >= 300) throw new Error(`${url} answered ${made.status}`)
  return url
}

async function account(session: Session): Promise<string> {
  const answer = await send('GET', `${session.url}/identity/v3/auth/tokens`, { 'x-auth-token': session.token, 'x-subject-token': session.token })
  return `AUTH_${(JSON.parse(answer.body.toString()) as { token: { project: { id: string } } }).token.project.id}`
}

const put = (label: string, size: number, count: number, concurrency: number): Figure => ({
  name: `object put ${label} c${concurrency}`,
  async run(session) {
    const url = await box(session, 'bench')
    const bytes = Buffer.alloc(size, 7)
    const headers = { 'x-auth-token': session.token, 'content-type': 'application/octet-stream' }
    const found = await measure(session.cloud, count, concurrency, async (i) => {
      const answer = await send('PUT', `${url}/${label.replace(' ', '')}-${concurrency}-${i}`, headers, bytes)
      if (answer.status !== 201) throw new Error(`put answered ${answer.status}`)
    })
    return { ...found, note: `${((found.per_second * size) / MIB).toFixed(0)} MiB/s, ${((found.cpu_ms_per_op * 1024 * MIB) / size / 1000).toFixed(2)} CPU s per GiB` }
  },
})

const get = (label: string, size: number, count: number, concurrency: number): Figure => ({
  name: `object get ${label} c${concurrency}`,
  async run(session) {
    const url = await box(session, 'bench')
    const headers = { 'x-auth-token': session.token }
    await send('PUT', `${url}/get-${size}`, { ...headers, 'content-type': 'application/octet-stream' }, Buffer.alloc(size, 7))
    const found = await measure(session.cloud, count, concurrency, async () => {
      const answer = await send('GET', `${url}/get-${size}`, headers)
      if (answer.body.length !== size) throw new Error(`get answered ${answer.status} with ${answer.body.length} bytes`)
    })
    return { ...found, note: `${((found.per_second * size) / MIB).toFixed(0)} MiB/s, ${((found.cpu_ms_per_op * 1024 * MIB) / size / 1000).toFixed(2)} CPU s per GiB` }
  },
})

export const objectFigures: readonly Figure[] = [
  put('1 KiB', 1024, 1500, 16),
  get('1 KiB', 1024, 2000, 16),
  put('64 KiB', 65_536, 600, 16),
  get('64 KiB', 65_536, 1000, 16),
  put('16 MiB', 16 * MIB, 12, 1),
  get('16 MiB', 16 * MIB, 20, 1),
  {
    name: 'object listing 10000',
    async run(session) {
      const url = await box(session, 'list')
      const headers = { 'x-auth-token': session.token, 'content-type': 'text/plain' }
      let next = 0
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          for (let i = next++; i < 10_000; i = next++) await send('PUT', `${url}/object-${String(i).padStart(8, '0')}`, headers, 'x')
        }),
      )
      return measure(session.cloud, 10, 1, async () => {
        const answer = await send('GET', `${url}?format=json`, headers)
        if (answer.status !== 200) throw new Error(`listing answered ${answer.status}`)
      })
    },
  },
]

const LIMITS = [16, 64] as const

/** Nginx and the cloud in turns, three times, with the same files by the same client; the best turn of each counts, for others use this machine, too. */
export async function besideNginx(session: Session, say: (line: string) => void): Promise<Record<string, unknown> | undefined> {
  const nginx = await startNginx()
  if (!nginx) {
    say('nginx is not installed: apt-get install nginx-light')
    return undefined
  }
  const found: Record<string, number> = {}
  try {
    const url = await box(session, 'beside')
    const token = { 'x-auth-token': session.token, 'content-type': 'application/octet-stream' }
    for (const mib of LIMITS) {
      const bytes = Buffer.alloc(mib * MIB, 7)
      const count = Math.ceil(384 / mib)
      const turns: [string, Pick<Subject, 'usage'>, (i: number) => Promise<void>][] = [
        ['put nginx', nginx, async (i) => good(await send('PUT', `${nginx.url}/o${mib}-${i}`, {}, bytes), 201, 204)],
        ['put ondol', session.cloud, async (i) => good(await send('PUT', `${url}/o${mib}-${i}`, token, bytes), 201)],
        ['get nginx', nginx, async () => good(await send('GET', `${nginx.url}/o${mib}-0`), 200)],
        ['get nginx, no sendfile', nginx, async () => good(await send('GET', `${nginx.url}/copied/o${mib}-0`), 200)],
        ['get ondol', session.cloud, async () => good(await send('GET', `${url}/o${mib}-0`, token), 200)],
      ]
      const best = new Map<string, number>()
      for (let turn = 0; turn < 3; turn++) {
        for (const [name, subject, work] of turns) {
          const { cpu_ms_per_op: ms } = await measure(subject as Subject, count, 1, work)
          best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, ms))
        }
      }
      for (const [name, ms] of best) {
        const of = name.replace('ondol', 'nginx')
        found[`${mib} MiB ${name}`] = ms
        say(`${`${mib} MiB ${name}`.padEnd(32)} ${ms.toFixed(2).padStart(8)} ms CPU  ${((mib * 1000) / ms).toFixed(0).padStart(6)} MiB per CPU s${of === name ? '' : `  ${((best.get(of)! / ms) * 100).toFixed(0)} % of nginx${name.startsWith('get') ? `, ${((best.get('get nginx, no sendfile')! / ms) * 100).toFixed(0)} % of nginx without sendfile` : ''}`}`)
      }
    }
    return found
  } finally {
    await nginx.stop()
  }
}

function good(answer: { status: number }, ...statuses: number[]): void {
  if (!statuses.includes(answer.status)) throw new Error(`answered ${answer.status}`)
}

/** Milliseconds of CPU of Swift's own processes for the same, one replica, from the same run as the other figures of Zed. */
export const ZED_OBJECTS: Readonly<Record<string, number>> = { 'object put 1 KiB c16': 7.57, 'object get 1 KiB c16': 3.4, 'object put 64 KiB c16': 8.1, 'object get 64 KiB c16': 3.88, 'object put 16 MiB c1': 56.7, 'object get 16 MiB c1': 71.7, 'object listing 10000': 168 }

/** Every figure, or those whose name holds one of `only`; `nginx` is what is beside it. */
export async function measureObjects(session: Session, say: (line: string) => void, only: readonly string[] = []): Promise<Record<string, unknown>> {
  const out: Record<string, unknown> = {}
  for (const figure of objectFigures.filter((one) => only.length === 0 || only.some((word) => one.name.includes(word)))) {
    const found = await figure.run(session)
    const zed = ZED_OBJECTS[figure.name]
    out[figure.name] = { ...found, ...(zed ? { zed_cpu_ms: zed } : {}) }
    say(`${figure.name.padEnd(24)} ${found.cpu_ms_per_op.toFixed(3).padStart(9)} ms CPU  ${found.per_second.toFixed(0).padStart(6)}/s  p50 ${found.p50_ms.toFixed(2)}  p99 ${found.p99_ms.toFixed(2)} ms${zed ? `  Zed ${zed} ms: ${(zed / found.cpu_ms_per_op).toFixed(1)} ×` : ''}  ${found.note ?? ''}`)
  }
  if (only.length === 0 || only.includes('nginx')) out.nginx = await besideNginx(session, say)
  return out
}

if (import.meta.main) {
  const safe = process.argv.includes('safe')
  const dir = await mkdtemp(join(tmpdir(), 'ondol-bench-'))
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  try {
    const cloud = await startSubject('cloud-process.ts', safe ? { BENCH_DATA: dir } : {})
    say(`durability: ${safe ? 'safe' : 'fast'}`)
    await measureObjects(await openSession(cloud, cloud), say, process.argv.slice(2).filter((word) => word !== 'safe'))
    say(`memory: ${(await cloud.usage()).rss_mib.toFixed(0)} MiB`)
    closeConnections()
    await cloud.stop()
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
