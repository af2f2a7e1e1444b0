/** PostgreSQL and MariaDB, started by this test; each is skipped where it is not installed. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { isFault } from '../fault.ts'
import { openDatabase } from './open.ts'
import { sqlConformance } from './test/conformance.ts'
import { startMariadb } from './test/mariadb.ts'
import { startPostgres } from './test/postgres.ts'

for (const [name, start] of [
  ['postgres', startPostgres],
  ['mariadb', startMariadb],
] as const) {
  const server = await start()
  if (!server) {
    test(`${name} is not installed`, { skip: true }, () => {})
    continue
  }
  console.log(`${name} came up in ${server.startedIn} ms`)
  sqlConformance({
    name,
    open: async () => ({ url: await server.createDatabase() }),
    connect: (url) => openDatabase({ url, durability: 'fast' }),
  })
  test(`${name}: a server that is gone is unavailable, not a crash`, async () => {
    const db = await openDatabase({ url: await server.createDatabase() })
    await db.transaction(async () => {})
    await server.kill()
    // A backend of PostgreSQL outlives its killed parent for a moment, and may answer once more.
    const ask = (): Promise<unknown> => db.query.selectFrom('nothing' as never).selectAll().execute()
    for (let turn = 0; turn < 1000; turn++) if (await ask().then(() => false, (thrown: unknown) => isFault(thrown, 'unavailable'))) break
    for (const _ of [1, 2]) await assert.rejects(ask(), (thrown) => isFault(thrown, 'unavailable'))
    await db.close()
  })
  after(() => server.stop())
}
