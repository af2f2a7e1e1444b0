import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isFault } from '../fault.ts'
import type { Database } from './database.ts'
import { openSqlite } from './sqlite.ts'
import { id, int, migrate, type Migrator, string } from './table.ts'

interface Tables {
  thing: { id: string; name: string; size: number }
}
let dir: string
let db: Database<Tables>

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-sql-'))
  db = openSqlite<Tables>({ path: join(dir, 'test.db'), durability: 'fast' })
  const houses = [{ house: 'thing', migrations: [{ name: '0001', up: (m: Migrator) => m.createTable('thing', { id: id(), name: string(), size: int() }, { primary: ['id'], unique: [['name']] }) }] }]
  assert.deepEqual(await migrate(db.as(), houses, 1), ['thing/0001'])
  assert.deepEqual(await migrate(db.as(), houses, 1), [])
})
after(async () => {
  await db.close()
  await rm(dir, { recursive: true })
})

test('a transaction that throws leaves nothing, and afterCommit does not run', async () => {
  let told = 0
  await assert.rejects(
    db.transaction(async (tx) => {
      tx.afterCommit(() => told++)
      await tx.query.insertInto('thing').values({ id: '1', name: 'a', size: 1 }).execute()
      throw new Error('no')
    }),
    /no/,
  )
  assert.equal(told, 0)
  assert.equal((await db.query.selectFrom('thing').selectAll().execute()).length, 0)
})

test('readers outside a transaction neither wait for it nor see its rows', async () => {
  await db.transaction(async (tx) => {
    await tx.query.insertInto('thing').values({ id: '2', name: 'b', size: 1 }).execute()
    assert.equal((await db.query.selectFrom('thing').selectAll().execute()).length, 0)
    assert.equal((await tx.query.selectFrom('thing').selectAll().execute()).length, 1)
  })
  assert.equal((await db.query.selectFrom('thing').selectAll().execute()).length, 1)
})

test('a duplicate is a conflict, and the writer is free afterwards', async () => {
  await assert.rejects(
    db.transaction((tx) => tx.query.insertInto('thing').values({ id: '3', name: 'b', size: 1 }).execute()),
    (thrown) => isFault(thrown, 'conflict'),
  )
  await db.query.updateTable('thing').set({ size: 7 }).where('id', '=', '2').execute()
  assert.equal((await db.query.selectFrom('thing').select('size').executeTakeFirstOrThrow()).size, 7)
})

test('transactions queue and each sees the one before', async () => {
  const bump = () =>
    db.transaction(async (tx) => {
      const row = await tx.query.selectFrom('thing').select('size').where('id', '=', '2').executeTakeFirstOrThrow()
      await new Promise((resolve) => setImmediate(resolve))
      await tx.query.updateTable('thing').set({ size: row.size + 1 }).where('id', '=', '2').execute()
    })
  await Promise.all(Array.from({ length: 20 }, bump))
  assert.equal((await db.query.selectFrom('thing').select('size').executeTakeFirstOrThrow()).size, 27)
})

test('a write beside the transaction around it is refused, not waited for', async () => {
  await assert.rejects(
    db.transaction(() => db.query.updateTable('thing').set({ size: 0 }).execute()),
    /pass the transaction on/,
  )
})

test('a statement that was made before a column was added answers it', async () => {
  const rows = () => db.as<{ grown: Record<string, unknown> }>().query.selectFrom('grown').selectAll().execute()
  const step = (name: string, up: (m: Migrator) => Promise<void>) => migrate(db.as(), [{ house: 'grown', migrations: [{ name, up }] }], 1)
  await step('0001', async (m) => {
    await m.createTable('grown', { id: id() }, { primary: ['id'] })
    await m.query.insertInto('grown').values({ id: 'a' }).execute()
  })
  assert.deepEqual(await rows(), [{ id: 'a' }])
  await step('0002', (m) => m.addColumn('grown', 'size', { ...int(), default: 7 }))
  assert.deepEqual(await rows(), [{ id: 'a', size: 7 }])
})
