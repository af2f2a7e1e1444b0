/**
 * Where the time of single reads goes: `node tools/bench/profile.ts [name …]` prints for each its requests per second, beside a bare server's
 * with the same bytes, and with `--top` the functions that took the time themselves. `BENCH_PROFILE=file` keeps the profile for a viewer.
 */
import { load } from './loader.ts'
import { openSession } from './session.ts'
import { closeConnections, send, startSubject } from './subject.ts'
import { singleTargets } from './targets.ts'

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
  await load(target, 3000)
  await load(at, 3000)
  const before = await cloud.usage()
  const own = await load(target, count)
  const after = await cloud.usage()
  const bareBefore = await bare.usage()
  const other = await load(at, count)
  const bareAfter = await bare.usage()
  const cpu = ((after.cpu_ms - before.cpu_ms) / count) * 1000
  const bareCpu = ((bareAfter.cpu_ms - bareBefore.cpu_ms) / count) * 1000
  console.log(`${target.name.padEnd(18)} ${own.per_second.toFixed(0).padStart(6)}/s  bare ${other.per_second.toFixed(0).padStart(6)}/s  ${((own.per_second / other.per_second) * 100).toFixed(0)} %   cpu ${cpu.toFixed(1)} µs, bare ${bareCpu.toFixed(1)} µs, ${((bareCpu / cpu) * 100).toFixed(0)} %   ${first.body.length} bytes`)
  if (top) {
    await cloud.tell('profile')
    await load(target, count)
    const { top: found } = (await cloud.tell('profile')) as unknown as { top: { name: string; share: number }[] }
    for (const { name, share } of found) console.log(`   ${share.toFixed(1).padStart(5)} %  ${name}`)
  }
}
closeConnections()
await Promise.all([cloud.stop(), bare.stop()])
