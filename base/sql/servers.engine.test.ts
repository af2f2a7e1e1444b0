/** PostgreSQL and MariaDB, started by this test; each is skipped where it is not installed. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { isFault } from '../fault.ts'
import { openDatabase } from './open.ts'
import { id, int, migrate, type Migrator, withDefault } from './table.ts'
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
  test(`${name}: a column that another process adds disturbs nobody`, async () => {
    const url = await server.createDatabase()
    const [db, other] = [(await openDatabase({ url, connections: 1 })).as<{ test_grown: { id: string } }>(), await openDatabase({ url })]
    const migrations = [{ name: '0001', up: (m: Migrator) => m.createTable('test_grown', { id: id() }, { primary: ['id'] }) }]
    await migrate(other, [{ house: 'test', migrations }], 1)
    await db.query.insertInto('test_grown').values({ id: 'a' }).execute()
    const read = (through: Pick<typeof db, 'query'>): Promise<object[]> => through.query.selectFrom('test_grown').selectAll().where('id', '=', 'a').execute()
    for (const round of [1, 2]) {
      // Often enough that a plan of it is kept.
      for (let turn = 0; turn < 3; turn++) await read(db)
      migrations.push({ name: `0002-${round}`, up: (m: Migrator) => m.addColumn('test_grown', `late_${round}`, withDefault(int(), 7)) })
      await migrate(other, [{ house: 'test', migrations }], 2)
      const [row] = round === 1 ? await read(db) : await db.transaction((tx) => read(tx))
      assert.equal((row as Record<string, unknown>)[`late_${round}`], 7)
    }
    await Promise.all([db.close(), other.close()])
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
