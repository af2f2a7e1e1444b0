/**
 * Figures of the object store: `./ondol bench objects`, or `node tools/bench/objects.ts [1KiB|64KiB|16MiB|128MiB|listing …] [--flame folder]`, which draws where the time of
 * PUT and GET of 16 MiB goes instead.
 */
import { besideNginx } from './beside-nginx.ts'
import { drawFlames } from './flames.ts'
import { startNginx } from './nginx.ts'
import { closeTransfers, openStore, type Store, transfer } from './store.ts'
import { closeConnections, measure, send } from './subject.ts'
import { ZED_OBJECTS } from './zed.ts'

/** A page of 10,000, the best of some turns. */
async function listings({ cloud, session, url, headers }: Store, say: (line: string) => void): Promise<Record<string, number>> {
  const list = url.replace(/bench$/, 'list')
  await transfer('PUT', list, headers, Buffer.alloc(0))
  let next = 0
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (let i = next++; i < 10_000; i = next++) await transfer('PUT', `${list}/object-${String(i).padStart(8, '0')}`, headers, Buffer.alloc(1))
    }),
  )
  const found: Record<string, number> = {}
  for (const format of ['json', 'plain', 'xml']) {
    let best = Number.POSITIVE_INFINITY
    for (let turn = 0; turn < 4; turn++) {
      const { cpu_ms_per_op: ms } = await measure(cloud, 20, 1, async () => {
        const answer = await send('GET', `${list}?format=${format}`, { 'x-auth-token': session.token })
        if (answer.status !== 200) throw new Error(`listing answered ${answer.status}`)
      })
      best = Math.min(best, ms)
    }
    const zed = ZED_OBJECTS[`listing 10000 ${format}`]
    found[format] = best
    say(`listing of 10,000, ${format}: ${best.toFixed(1)} ms${zed === undefined ? '' : `  Zed ${zed}: ${(zed / best).toFixed(1)} ×`}`)
  }
  return found
}

/** `words`: sizes, and `listing`; all when there are none. */
export async function measureObjects(say: (line: string) => void, words: readonly string[] = []): Promise<Record<string, unknown>> {
  const wanted = (word: string): boolean => words.length === 0 || words.includes(word)
  const nginx = await startNginx()
  if (!nginx) say('nginx is not installed: apt-get install nginx-light')
  const [fast, safe] = [await openStore('fast'), await openStore('safe')]
  try {
    say('Milliseconds of CPU of one request, one (c1) or sixteen (c16) at a time. fast: nothing is synced, as with nginx, of which it is a share; safe: objects and rows are, as with Swift Zed.')
    const rows = await besideNginx({ fast, safe, nginx }, say, wanted)
    const listing = wanted('listing') ? await listings(safe, say) : undefined
    const rss = (await safe.cloud.usage()).rss_mib
    say(`memory after all of it: ${rss.toFixed(0)} MiB`)
    return { rows, listing, rss_mib: rss }
  } finally {
    closeConnections()
    closeTransfers()
    await Promise.all([fast.stop(), safe.stop(), nginx?.stop()])
  }
}

if (import.meta.main) {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const flame = process.argv.indexOf('--flame')
  if (flame >= 0) await drawFlames(process.argv[flame + 1] ?? '.', say)
  else await measureObjects(say, process.argv.slice(2))
}
