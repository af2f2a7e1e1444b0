/** How long a page of 1,000 takes in a container of many objects, by key, anywhere in it: `node tools/bench/listing.ts [rows] [sqlite|postgres|mariadb]`, a million on SQLite by default. A server is started for it, and removed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { openDatabase } from '#base/sql/open.ts'
import { startMariadb } from '#base/sql/test/mariadb.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import { migrate } from '#base/sql/table.ts'
import { plate } from '#swift/service.ts'
import { listPage } from '#swift/core/listing.ts'
import { leapsIn, objectsIn } from '#swift/store/listings.ts'
import type { SwiftTables } from '#swift/store/tables.ts'

const rows = Number(process.argv[2] ?? 1_000_000)
const engine = process.argv[3] ?? 'sqlite'
const server = engine === 'postgres' ? await startPostgres() : engine === 'mariadb' ? await startMariadb() : undefined
const dir = await mkdtemp(join(tmpdir(), 'ondol-listing-'))
try {
  const whole = await openDatabase({ url: server ? await server.createDatabase() : `sqlite:${join(dir, 'ondol.db')}`, durability: 'fast' })
  await migrate(whole, [plate.migrations], 0)
  const db = whole.as<SwiftTables>()
  const nameOf = (i: number): string => `photos/${String(i % 1000).padStart(4, '0')}/${String(i).padStart(9, '0')}.jpg`
  const began = performance.now()
  for (let at = 0; at < rows; at += 20_000) {
    await db.transaction(async (tx) => {
      for (let from = at; from < Math.min(at + 20_000, rows); from += 500) {
        await tx.query.insertInto('swift_objects').values(Array.from({ length: 500 }, (_, k) => ({ container_id: 'c', name: nameOf(from + k), bytes_id: `p-${'0'.repeat(32)}-${from + k}`, size: 1000, stored: 1000, etag: 'd41d8cd98f00b204e9800998ecf8427e', content_type: 'image/jpeg', metadata: '{}', listing: null, parts: null, secret_id: null, created_at: 1_700_000_000_000, delete_at: null, version_id: null }))).execute()
      }
    })
  }
  process.stdout.write(`${rows} rows in ${((performance.now() - began) / 1000).toFixed(0)} s\n`)
  if (engine === 'postgres') await sql`analyze`.execute(db.query)
  for (const [what, delimiter] of [['names', ''], ['folders', '/']] as const) {
    const times: number[] = []
    for (let i = 0; i < 200; i++) {
      const marker = nameOf(Math.floor((i * 7_919_777) % rows))
      const at = performance.now()
      const lines = await listPage({ limit: 1000, marker: delimiter === '' ? marker : '', end_marker: '', prefix: delimiter === '' ? '' : 'photos/', delimiter, path: undefined, reverse: i % 2 === 1 }, (window) => objectsIn(db, 'c', 1_800_000_000_000, window), leapsIn(db, 'c', 1_800_000_000_000))
      JSON.stringify(lines.map((line) => line.row ?? line))
      times.push(performance.now() - at)
      if (delimiter !== '' && i >= 20) break
    }
    times.sort((a, b) => a - b)
    process.stdout.write(`a page of 1000 ${what}: p50 ${times[times.length >> 1]!.toFixed(1)} ms, p99 ${times[Math.floor(times.length * 0.99)]!.toFixed(1)} ms\n`)
  }
  await db.close()
} finally {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
}
