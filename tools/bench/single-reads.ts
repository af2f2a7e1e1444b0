/** Single reads beside a bare server that answers the same bytes, each alone: requests per second and CPU time. */
import type { Session } from './figures.ts'
import { load, type Prepared } from './loader.ts'
import { send, type Subject } from './subject.ts'
import { singleTargets, type Target } from './targets.ts'

export interface SingleRead {
  name: string
  per_second: number
  bare_per_second: number
  cpu_us: number
  bare_cpu_us: number
  bytes: number
}

interface Round {
  per_second: number
  cpu_us: number
}

export async function singleReads(session: Session, say: (line: string) => void, wanted: (name: string) => boolean = () => true, then?: (target: Target) => Promise<void>): Promise<SingleRead[]> {
  const out: SingleRead[] = []
  for (const target of await singleTargets(session)) {
    if (!wanted(target.name)) continue
    const read = await singleRead(session, target)
    out.push(read)
    const share = (part: number, whole: number): string => `${((part / whole) * 100).toFixed(0)} %`
    say(`${read.name.padEnd(16)} ${read.per_second.toFixed(0).padStart(6)}/s, bare ${read.bare_per_second.toFixed(0).padStart(6)}/s: ${share(read.per_second, read.bare_per_second)}   cpu ${read.cpu_us.toFixed(1)} µs, bare ${read.bare_cpu_us.toFixed(1)} µs: ${share(read.bare_cpu_us, read.cpu_us)}   ${read.bytes} bytes`)
    await then?.(target)
  }
  return out
}

export const COUNT = Number(process.env.BENCH_COUNT ?? '20000')

async function singleRead({ cloud, bare }: Session, target: Target): Promise<SingleRead> {
  const first = await send('GET', target.url, target.headers)
  await bare.tell(first.body.toString())
  const at = { url: String(bare.ready.url), headers: target.headers }
  await load(target, 10_000)
  await load(at, 10_000)
  const rounds: { own: Round; other: Round }[] = []
  for (let i = 0; i < 3; i++) rounds.push({ own: await round(cloud, target), other: await round(bare, at) })
  const own = middle(rounds.map((one) => one.own))
  const other = middle(rounds.map((one) => one.other))
  return { name: target.name, per_second: own.per_second, bare_per_second: other.per_second, cpu_us: own.cpu_us, bare_cpu_us: other.cpu_us, bytes: first.body.length }
}

async function round(subject: Subject, request: Prepared): Promise<Round> {
  const before = await subject.usage()
  const { per_second } = await load(request, COUNT)
  const after = await subject.usage()
  return { per_second, cpu_us: ((after.cpu_ms - before.cpu_ms) / COUNT) * 1000 }
}

/** Of three rounds the one in the middle: neither the luckiest nor the one that other load disturbed. */
function middle(rounds: readonly Round[]): Round {
  return rounds.toSorted((a, b) => a.per_second - b.per_second)[rounds.length >> 1]!
}
