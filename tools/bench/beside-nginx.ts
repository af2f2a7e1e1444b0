/**
 * Objects of four sizes, one and sixteen at a time: this cloud, which syncs every object (`safe`, as Swift does) and which does not (`fast`, as nginx does), nginx with the
 * same files on the same file system, and what Swift Zed took. Subjects take turns, and the best turn of each counts, for others use this machine, too.
 */
import type { Nginx } from './nginx.ts'
import { type Store, transfer } from './store.ts'
import type { Subject } from './subject.ts'
import { ZED_OBJECTS } from './zed.ts'

const MIB = 2 ** 20

interface Size { label: string; bytes: number; /** Requests of a turn, one and sixteen at a time. */ count: [number, number]; turns: number }

export const SIZES: readonly Size[] = [
  { label: '1KiB', bytes: 1024, count: [600, 2000], turns: 3 },
  { label: '64KiB', bytes: 65_536, count: [400, 1200], turns: 3 },
  { label: '16MiB', bytes: 16 * MIB, count: [24, 48], turns: 4 },
  { label: '128MiB', bytes: 128 * MIB, count: [4, 16], turns: 2 },
]

export interface Row {
  operation: 'put' | 'get'
  size: string
  concurrency: number
  /** Milliseconds of CPU of one request, by subject. */
  cpu_ms: Record<string, number>
  zed_cpu_ms?: number
}

type Work = { subject: string; operation: 'put' | 'get'; usage: Pick<Subject, 'usage'>; run: (i: number) => Promise<void> }

export async function besideNginx({ fast, safe, nginx }: { fast: Store; safe: Store; nginx: Nginx | undefined }, say: (line: string) => void, wanted: (label: string) => boolean): Promise<Row[]> {
  const rows: Row[] = []
  for (const { label, bytes, count, turns } of SIZES.filter((size) => wanted(size.label))) {
    const body = Buffer.alloc(bytes, 7)
    for (const [at, concurrency] of [1, 16].entries()) {
      const name = (i: number): string => `${label}-${concurrency}-${i}`
      const of = (subject: string, usage: Pick<Subject, 'usage'>, url: string, headers: Record<string, string>, only?: 'get'): Work[] => [
        ...(only ? [] : [{ subject, operation: 'put' as const, usage, run: async (i: number) => void (await transfer('PUT', `${url}/${name(i)}`, headers, body)) }]),
        {
          subject, operation: 'get', usage,
          async run(i) {
            const got = await transfer('GET', `${url}/${name(i)}`, headers)
            if (got !== bytes) throw new Error(`${subject} gave ${got} bytes of ${bytes}`)
          },
        },
      ]
      const works = [
        ...of('fast', fast.cloud, fast.url, fast.headers),
        ...of('safe', safe.cloud, safe.url, safe.headers),
        ...(nginx ? [...of('nginx', nginx, nginx.url, {}), ...of('nginx without sendfile', nginx, `${nginx.url}/copied`, {}, 'get')] : []),
      ]
      const best: Record<'put' | 'get', Record<string, number>> = { put: {}, get: {} }
      for (let turn = 0; turn < turns; turn++) {
        for (const { subject, operation, usage, run } of works) {
          if (turn === 0) await many(Math.min(count[at]!, 24), concurrency, run)
          const before = await usage.usage()
          await many(count[at]!, concurrency, run)
          const ms = ((await usage.usage()).cpu_ms - before.cpu_ms) / count[at]!
          best[operation][subject] = Math.min(best[operation][subject] ?? Number.POSITIVE_INFINITY, ms)
        }
      }
      for (const operation of ['put', 'get'] as const) {
        const zed = ZED_OBJECTS[`${operation} ${label} c${concurrency}`]
        const row: Row = { operation, size: label, concurrency, cpu_ms: best[operation], ...(zed === undefined ? {} : { zed_cpu_ms: zed }) }
        rows.push(row)
        say(lineOf(row))
      }
    }
  }
  return rows
}

async function many(count: number, concurrency: number, run: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: concurrency }, async () => {
    for (let i = next++; i < count; i = next++) await run(i)
  }))
}

function lineOf({ operation, size, concurrency, cpu_ms, zed_cpu_ms }: Row): string {
  const [fast, safe] = [cpu_ms.fast!, cpu_ms.safe!]
  const ms = (value: number): string => value.toFixed(value < 1 ? 3 : value < 10 ? 2 : 1)
  const beside = Object.entries(cpu_ms).filter(([name]) => name.startsWith('nginx')).map(([name, value]) => `${name} ${ms(value)} (${((value / fast) * 100).toFixed(0)} %)`)
  return [`${operation.toUpperCase()} ${size} c${concurrency}`.padEnd(15), `fast ${ms(fast)}`.padEnd(12), `safe ${ms(safe)}`.padEnd(12), ...beside, ...(zed_cpu_ms === undefined ? [] : [`Zed ${zed_cpu_ms}: ${(zed_cpu_ms / safe).toFixed(1)} ×`])].join('  ')
}
