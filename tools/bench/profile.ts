/**
 * Where the time of single reads goes: `node tools/bench/profile.ts [name …]` prints each beside a bare server, and with `--top` the functions
 * that took the time themselves. `BENCH_PROFILE=file` keeps the profile for a viewer, `BENCH_COUNT` is the number of requests of a round,
 * `BENCH_QUIET=1` leaves log and trace out.
 */
import { load } from './loader.ts'
import { openSession } from './session.ts'
import { COUNT, singleReads } from './single-reads.ts'
import { closeConnections, startSubject } from './subject.ts'

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const cloud = await startSubject('cloud-process.ts')
const bare = await startSubject('bare-process.ts')
const session = await openSession(cloud, bare)
await singleReads(
  session,
  (line) => console.log(line),
  (name) => words.length === 0 || words.some((word) => name.includes(word)),
  async (target) => {
    if (!process.argv.includes('--top')) return
    await cloud.tell('profile')
    await load(target, COUNT)
    const { top } = (await cloud.tell('profile')) as unknown as { top: { name: string; share: number }[] }
    for (const { name, share } of top) console.log(`   ${share.toFixed(1).padStart(5)} %  ${name}`)
  },
)
closeConnections()
await Promise.all([cloud.stop(), bare.stop()])
