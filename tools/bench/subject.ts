/** A server in a process of its own, and requests to it over kept connections. */
import { fork } from 'node:child_process'
import { Agent, request } from 'node:http'

export interface Usage {
  cpu_ms: number
  rss_mib: number
}

export interface Subject {
  ready: Record<string, string | number>
  usage(): Promise<Usage>
  tell(message: string): Promise<Record<string, unknown>>
  stop(): Promise<void>
}

/** What the command `ondol` sets. */
const AS_ONDOL = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072' }

export async function startSubject(module: string, env: Record<string, string> = {}): Promise<Subject> {
  const child = fork(new URL(module, import.meta.url).pathname, { execArgv: ['--disable-warning=ExperimentalWarning', ...((env.BENCH_NODE ?? process.env.BENCH_NODE)?.split(' ').filter((one) => one !== '') ?? [])], env: { ...AS_ONDOL, ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const next = (): Promise<Record<string, string | number>> =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`${module} ended with ${code}`))
      child.once('exit', onExit)
      child.once('message', (message) => {
        child.off('exit', onExit)
        resolve(message as Record<string, string | number>)
      })
    })
  const ready = await next()
  let stopping = false
  child.once('exit', (code, signal) => stopping || process.stderr.write(`${module} ended by itself with ${code ?? signal}\n`))
  return {
    ready,
    async usage() {
      child.send('usage')
      return (await next()) as unknown as Usage
    },
    async tell(message) {
      child.send(message)
      return next()
    },
    stop: () =>
      new Promise((resolve) => {
        stopping = true
        child.once('exit', () => resolve())
        child.send('stop')
      }),
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

export function send(method: string, url: string, headers: Record<string, string> = {}, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent, headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) } }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) }))
      incoming.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

export function closeConnections(): void {
  agent.destroy()
}

export interface Measured {
  operations: number
  wall_ms: number
  cpu_ms_per_op: number
  per_second: number
  p50_ms: number
  p99_ms: number
}

/** Runs `work` `count` times with `concurrency` at once, and reads the subject's CPU around it. */
export async function measure(subject: Subject, count: number, concurrency: number, work: (i: number) => Promise<void>): Promise<Measured> {
  for (let i = 0; i < Math.min(50, count); i++) await work(-1 - i)
  const before = await subject.usage()
  const began = performance.now()
  const times: number[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let i = next++; i < count; i = next++) {
        const at = performance.now()
        await work(i)
        times.push(performance.now() - at)
      }
    }),
  )
  const wall_ms = performance.now() - began
  const after = await subject.usage()
  times.sort((a, b) => a - b)
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
  return { operations: count, wall_ms, cpu_ms_per_op: (after.cpu_ms - before.cpu_ms) / count, per_second: (count / wall_ms) * 1000, p50_ms: at(0.5), p99_ms: at(0.99) }
}
