/**
 * Where the time of single reads goes: `node tools/bench/profile.ts [name …]` prints for each its requests per second, beside a bare server's
 * with the same bytes, and with `--top` the functions that took the time themselves. `BENCH_PROFILE=file` keeps the profile for a viewer.
 */
import { load, type Prepared } from './loader.ts'
import { openSession } from './session.ts'
import { closeConnections, send, startSubject, type Subject } from './subject.ts'
import { singleTargets } from './targets.ts'

interface Round {
  per_second: number
  cpu_us: number
}

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const top = process.argv.includes('--top')
const count = Number(process.env.BENCH_COUNT ?? '20000')
const cloud = await startSubject('cloud-process.ts')
const bare = await startSubject('bare-process.ts')
const session = await openSession(cloud, bare)
for (const target of await singleTargets(session)) {
  if (words.length > 0 && !words.some((word) => target.name.includes(word))) continue
  const first = await send('GET', target.url, target.headers)
  await bare.tell(first.body.toString())
  const at = { url: String(bare.ready.url), headers: target.headers }
  await load(target, 10_000)
  await load(at, 10_000)
  const rounds: { own: Round; other: Round }[] = []
  for (let i = 0; i < 3; i++) rounds.push({ own: await round(cloud, target), other: await round(bare, at) })
  const own = middle(rounds.map((one) => one.own))
  const other = middle(rounds.map((one) => one.other))
  const share = (part: number, whole: number): string => `${((part / whole) * 100).toFixed(0)} %`
  console.log(`${target.name.padEnd(16)} ${own.per_second.toFixed(0).padStart(6)}/s, bare ${other.per_second.toFixed(0).padStart(6)}/s: ${share(own.per_second, other.per_second)}   cpu ${own.cpu_us.toFixed(1)} µs, bare ${other.cpu_us.toFixed(1)} µs: ${share(other.cpu_us, own.cpu_us)}   ${first.body.length} bytes`)
  if (top) {
    await cloud.tell('profile')
    await load(target, count)
    const { top: found } = (await cloud.tell('profile')) as unknown as { top: { name: string; share: number }[] }
    for (const { name, share } of found) console.log(`   ${share.toFixed(1).padStart(5)} %  ${name}`)
  }
}
closeConnections()
await Promise.all([cloud.stop(), bare.stop()])

async function round(subject: Subject, request: Prepared): Promise<Round> {
  const before = await subject.usage()
  const { per_second } = await load(request, count)
  const after = await subject.usage()
  return { per_second, cpu_us: ((after.cpu_ms - before.cpu_ms) / count) * 1000 }
}

/** Of three rounds the one in the middle: neither the luckiest nor the one that other load disturbed. */
function middle(rounds: readonly Round[]): Round {
  return rounds.toSorted((a, b) => a.per_second - b.per_second)[rounds.length >> 1]!
}
