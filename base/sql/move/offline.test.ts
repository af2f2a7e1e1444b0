import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isFault } from '../../fault.ts'
import type { Database } from '../database.ts'
import { moveDatabase } from './offline.ts'
import { openDatabase } from '../open.ts'
import { big, bytes, type HouseMigrations, id, int, json, migrate, name, nullable, string } from '../table.ts'
import { testDatabase } from '../test/database.ts'

interface Tables { kit_things: { box: string; name: string; number: number; body: string | null; raw: Uint8Array }; kit_counts: { number: number; at: number } }
const kit: HouseMigrations = {
  house: 'kit',
  migrations: [{ name: '0001', up: async (m) => {
    await m.createTable('kit_things', { box: id(), name: name(512), number: big(), body: nullable(json()), raw: bytes() }, { primary: ['box', 'name'], index: [['number']] })
    await m.createTable('kit_counts', { number: int(), at: big() }, { primary: ['number'] })
    // A row that the migration itself makes.
    await m.query.insertInto('kit_counts').values({ number: 3, at: 23 }).execute()
    await m.createTable('kit_empty', { id: string(8) }, { primary: ['id'] })
  } }],
}

const dir = await mkdtemp(join(tmpdir(), 'ondol-move-'))
after(() => rm(dir, { recursive: true, force: true }))
let files = 0
const move = { id: 'first', place: 'elsewhere' }

async function full(): Promise<Database> {
  const database = await openDatabase({ url: `sqlite:${join(dir, `${files++}.db`)}` })
  const db = database.as<Tables>()
  await migrate(database, [kit], 0)
  for (let i = 0; i < 230; i++) await db.query.insertInto('kit_things').values({ box: `b${i % 3}`, name: `é ${String(i)} \u{1f600}`, number: 2 ** 52 + i, body: i % 2 ? null : '{"a":"ü"}', raw: Buffer.from([0, i % 256, 255]) }).execute()
  for (let i = 0; i < 70; i++) if (i !== 23) await db.query.insertInto('kit_counts').values({ number: i - 20, at: i }).execute()
  return database
}

const all = async (db: Database<Tables>) => ({
  things: (await db.query.selectFrom('kit_things').selectAll().orderBy('box').orderBy('name').execute()).map((row) => ({ ...row, number: Number(row.number), raw: Buffer.from(row.raw).toString('hex') })),
  counts: (await db.query.selectFrom('kit_counts').selectAll().orderBy('number').execute()).map((row) => ({ number: Number(row.number), at: Number(row.at) })),
})

test('a database moves into another, stopped after every batch and begun again', async () => {
  const source = await full()
  const { db: target, close } = await testDatabase()
  try {
    let runs = 0
    for (let done = false; !done; runs++) {
      const stop = new AbortController()
      done = (await moveDatabase(source, target, [kit], { move, now: () => 1, batch: 40, signal: stop.signal, report: () => stop.abort() })) !== undefined
    }
    assert.ok(runs >= 8, `${runs}`)
    assert.deepEqual(await all(target.as()), await all(source.as()))
    // Done is done: once more changes nothing.
    const again = await moveDatabase(source, target, [kit], { move, now: () => 1 })
    assert.deepEqual(again, [{ table: 'kit_counts', rows: 70 }, { table: 'kit_empty', rows: 0 }, { table: 'kit_things', rows: 230 }])
    // And back again, out of whatever engine this is.
    const third = await openDatabase({ url: `sqlite:${join(dir, 'third.db')}` })
    await moveDatabase(target, third, [kit], { move: { id: 'second', place: 'there' }, now: () => 1, batch: 40 })
    assert.deepEqual(await all(third.as()), await all(source.as()))
    await third.close()
    await source.as<Tables>().query.deleteFrom('kit_counts').where('number', '=', 3).execute()
    await assert.rejects(moveDatabase(source, target, [kit], { move, now: () => 1 }), (thrown) => isFault(thrown, 'conflict') && /kit_counts has 70 rows in the target and 69/.test(thrown.message))
  } finally {
    await source.close()
    await close()
  }
})

test('a target with tables of its own is refused', async () => {
  const source = await full()
  const { db, close } = await testDatabase()
  try {
    await migrate(db, [kit], 0)
    await assert.rejects(moveDatabase(source, db, [kit], { move, now: () => 1 }), /not empty: it has the table kit_/)
  } finally {
    await source.close()
    await close()
  }
})
