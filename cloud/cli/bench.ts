/** `ondol bench`: what this cloud takes on this machine, beside what the real OpenStack Zed took. */
import { invalid } from '#base/fault.ts'
import { figures } from '../../tools/bench/figures.ts'
import { sections } from '../../tools/bench/sections.ts'
import { openSession } from '../../tools/bench/session.ts'
import { singleReads } from '../../tools/bench/single-reads.ts'
import { closeConnections, startSubject } from '../../tools/bench/subject.ts'
import { ZED_CPU_MS } from '../../tools/bench/zed.ts'
import { table } from './table.ts'

const REQUESTS = 'requests'

/** `names`: sections, all when there are none. */
export async function bench(names: readonly string[], options: { json?: boolean; only?: string }): Promise<void> {
  const known = [REQUESTS, ...sections.map((one) => one.name)]
  for (const name of names) if (!known.includes(name)) throw invalid(`There is no section ${name}: ${known.join(', ')}`)
  const wanted = (name: string): boolean => (names.length > 0 ? names.includes(name) : options.only === undefined || name === REQUESTS)
  const say = (line: string): void => void (options.json ? undefined : process.stdout.write(`${line}\n`))
  const results: Record<string, unknown> = {}
  if (wanted(REQUESTS)) results[REQUESTS] = await requests(options.only, say)
  for (const { name, what, run } of sections) {
    if (!wanted(name)) continue
    say(`\n${name}: ${what}`)
    try {
      results[name] = await run(say)
    } catch (thrown) {
      results[name] = { error: thrown instanceof Error ? thrown.message : String(thrown) }
      say(`failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    }
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 1)}\n`)
}

async function requests(only: string | undefined, say: (line: string) => void): Promise<unknown> {
  const words = only?.split(',').map((word) => word.trim())
  const wanted = (name: string): boolean => !words || words.some((word) => name.includes(word))
  const chosen = figures.filter((figure) => wanted(figure.name))
  const cloud = await startSubject('cloud-process.ts')
  const bare = await startSubject('bare-process.ts')
  const idle = await cloud.usage()
  say(`start to a full catalog, seed included: ${Number(cloud.ready.since_start).toFixed(0)} ms from process start; idle memory ${idle.rss_mib.toFixed(0)} MiB`)
  const session = await openSession(cloud, bare)
  const results: Record<string, unknown>[] = [{ name: 'start', ms: cloud.ready.since_start }, { name: 'idle rss', mib: idle.rss_mib }]
  const rows: unknown[][] = []
  for (const figure of chosen) {
    try {
      const found = await figure.run(session)
      const zed = ZED_CPU_MS[figure.name]
      results.push({ name: figure.name, ...found, ...(zed ? { zed_cpu_ms: zed, ratio: zed / found.cpu_ms_per_op } : {}) })
      rows.push([figure.name, found.operations, found.cpu_ms_per_op.toFixed(3), zed ? `${(zed / found.cpu_ms_per_op).toFixed(0)} ×` : '', found.per_second.toFixed(0), found.p50_ms.toFixed(2), found.p99_ms.toFixed(2), found.note ?? ''])
    } catch (thrown) {
      results.push({ name: figure.name, error: thrown instanceof Error ? thrown.message : String(thrown) })
      rows.push([figure.name, '', '', '', '', '', '', `failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`])
    }
  }
  const after = await cloud.usage()
  say(`${table(['FIGURE', 'N', 'CPU ms/op', 'ZED/OURS', '/s', 'p50 ms', 'p99 ms', 'NOTE'], rows)}memory after: ${after.rss_mib.toFixed(0)} MiB`)
  const reads = await singleReads(session, say, wanted)
  closeConnections()
  await Promise.all([cloud.stop(), bare.stop()])
  return { figures: results, reads }
}
