/** What every engine must do alike. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import { isFault } from '../../fault.ts'
import type { Database } from '../database.ts'
import { big, bytes, double, flag, id, int, json, migrate, type Migrator, nullable, string, text, withDefault } from '../table.ts'

export interface EngineUnderTest {
  readonly name: string
  /** An empty database. */
  open(): Promise<{ url: string; remove?: () => Promise<void> }>
  connect(url: string): Promise<Database>
  /** The database belongs to one process: the tests have no second connection to it. */
  alone?: boolean
}

interface Tables {
  test_thing: { id: string; name: string; size: number }
  test_wide: { id: string; key: string; order: string; body: string; int: number; big: number; double: number; flag: number; bytes: Uint8Array; maybe: string | null; late: number }
  test_quota: { id: string; project_id: string }
}

const duplicate = (thrown: unknown): boolean => isFault(thrown, 'conflict') && thrown.code === 'sql.duplicate'
/** Rows of SQLite have no prototype. */
const plain = (rows: unknown): unknown => JSON.parse(JSON.stringify(rows))
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const houses = [
  {
    house: 'test',
    migrations: [
      {
        name: '0001',
        async up(m: Migrator) {
          await m.createTable('test_thing', { id: id(), name: string(), size: withDefault(int(), 5) }, { primary: ['id'], unique: [['name']], index: [['size', 'id']] })
          await m.createTable('test_quota', { id: id(), project_id: id() }, { primary: ['id'], index: [['project_id']] })
        },
      },
      {
        name: '0002',
        async up(m: Migrator) {
          const columns = { id: id(), key: string(), order: string(40), body: json(), int: int(), big: big(), double: double(), flag: flag(), bytes: bytes(), maybe: nullable(text()) }
          await m.createTable('test_wide', columns, { primary: ['id', 'key'], index: [['order']] })
          await m.addColumn('test_wide', 'late', withDefault(big(), 7))
          await m.createIndex('test_wide', ['big', 'late'], true)
          await m.query.insertInto('test_thing').values({ id: 'seed', name: 'seed' }).execute()
        },
      },
    ],
  },
]

export function sqlConformance(under: EngineUnderTest): void {
  let db: Database<Tables>
  let other: Database<Tables>
  let place: Awaited<ReturnType<EngineUnderTest['open']>>
  const check = (what: string, run: () => Promise<void>): void => void test(`${under.name}: ${what}`, run)

  before(async () => {
    place = await under.open()
    db = (await under.connect(place.url)).as<Tables>()
    other = under.alone ? db : (await under.connect(place.url)).as<Tables>()
  })
  after(async () => {
    await db?.close()
    if (other !== db) await other?.close()
    await place?.remove?.()
  })

  check('migrations run once, also when two processes begin together', async () => {
    const applied = (await Promise.all([migrate(db.as(), houses, 1), under.alone ? [] : migrate(other.as(), houses, 2)])).flat()
    assert.deepEqual(applied, ['test/0001', 'test/0002'])
    assert.deepEqual(await migrate(db.as(), houses, 3), [])
    assert.deepEqual(plain(await db.query.selectFrom('test_thing').selectAll().execute()), [{ id: 'seed', name: 'seed', size: 5 }])
  })

  check('values come back as they went', async () => {
    const row = {
      id: 'w1',
      key: `O'Brien \\ "quoted" \\' %_`,
      order: '한국어 🐧 ü',
      body: JSON.stringify({ deep: ['\n', '\\n', 'x'.repeat(100_000)] }),
      int: -2147483648,
      big: Number.MAX_SAFE_INTEGER,
      double: 0.1 + 0.2,
      flag: 1,
      bytes: Uint8Array.from([0, 255, 39, 92, 128]),
      maybe: null,
      late: 0,
    }
    await db.query.insertInto('test_wide').values(row).execute()
    const found = await db.query.selectFrom('test_wide').selectAll().where('key', '=', row.key).where('order', '=', row.order).executeTakeFirstOrThrow()
    assert.deepEqual({ ...found, bytes: Uint8Array.from(found.bytes) }, row)
    const { id: _, late: __, ...rest } = row
    await db.query.insertInto('test_wide').values({ ...rest, id: 'w2', big: 2 ** 40, maybe: '' } as never).execute()
    const second = await db.query.selectFrom('test_wide').select(['late', 'maybe', 'big']).where('id', '=', 'w2').executeTakeFirstOrThrow()
    assert.deepEqual(plain(second), { late: 7, maybe: '', big: 2 ** 40 })
  })

  check('counts and sums are numbers', async () => {
    const row = await db.query
      .selectFrom('test_wide')
      .select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number>('late').as('sum'), eb.fn.max('big').as('max'), eb.fn.sum<number>('int').as('ints')])
      .executeTakeFirstOrThrow()
    assert.deepEqual({ ...row }, { count: 2, sum: 7, max: Number.MAX_SAFE_INTEGER, ints: -4294967296 })
  })

  check('a duplicate is one Fault, in a transaction and outside', async () => {
    const insert = (query: Database<Tables>['query'], name: string) => query.insertInto('test_thing').values({ id: `d-${name}`, name, size: 1 }).execute()
    await insert(db.query, 'dup')
    await assert.rejects(insert(db.query, 'dup'), duplicate)
    await assert.rejects(db.query.insertInto('test_thing').values({ id: 'd-other', name: 'dup', size: 1 }).execute(), duplicate)
    await assert.rejects(
      db.transaction((tx) => insert(tx.query, 'dup')),
      duplicate,
    )
  })

  check('after a failed statement a transaction takes no more, and nothing of it stays', async () => {
    const failing = db.transaction(async (tx) => {
      await tx.query.insertInto('test_thing').values({ id: 'f1', name: 'f1', size: 1 }).execute()
      await tx.query
        .insertInto('test_thing')
        .values({ id: 'f2', name: 'f1', size: 1 })
        .execute()
        .catch(() => {})
      await tx.query.insertInto('test_thing').values({ id: 'f3', name: 'f3', size: 1 }).execute()
    })
    await assert.rejects(failing, /failed before/)
    assert.equal((await db.query.selectFrom('test_thing').select('id').where('id', 'in', ['f1', 'f2', 'f3']).execute()).length, 0)
  })

  check('what a transaction did is seen by others after it, and never when it throws', async () => {
    const told: string[] = []
    await assert.rejects(
      db.transaction(async (tx) => {
        tx.afterCommit(() => told.push('never'))
        await tx.query.insertInto('test_thing').values({ id: 't1', name: 't1', size: 1 }).execute()
        throw new Error('no')
      }),
      /no/,
    )
    await db.transaction(async (tx) => {
      tx.afterCommit(() => told.push('after'))
      await tx.query.insertInto('test_thing').values({ id: 't2', name: 't2', size: 1 }).execute()
      assert.equal((await other.query.selectFrom('test_thing').select('id').where('id', 'in', ['t1', 't2']).execute()).length, 0)
      assert.equal((await tx.query.selectFrom('test_thing').select('id').where('id', '=', 't2').execute()).length, 1)
    })
    assert.deepEqual(told, ['after'])
    assert.equal((await other.query.selectFrom('test_thing').select('id').where('id', 'in', ['t1', 't2']).execute()).length, 1)
  })

  check('no update is lost', async () => {
    await db.query.insertInto('test_thing').values({ id: 'bump', name: 'bump', size: 0 }).execute()
    const bump = (through: Database<Tables>) =>
      through.transaction(async (tx) => {
        const row = await tx.query.selectFrom('test_thing').select('size').where('id', '=', 'bump').executeTakeFirstOrThrow()
        await turn()
        await tx.query
          .updateTable('test_thing')
          .set({ size: row.size + 1 })
          .where('id', '=', 'bump')
          .execute()
      })
    await Promise.all(Array.from({ length: 16 }, (_, n) => bump(n % 2 ? db : other)))
    assert.equal((await db.query.selectFrom('test_thing').select('size').where('id', '=', 'bump').executeTakeFirstOrThrow()).size, 16)
  })

  check('what is counted in a transaction still holds at its commit', async () => {
    const take = (through: Database<Tables>, n: number): Promise<boolean> =>
      through.transaction(async (tx) => {
        const { used } = await tx.query
          .selectFrom('test_quota')
          .select((eb) => eb.fn.countAll<number>().as('used'))
          .where('project_id', '=', 'p')
          .executeTakeFirstOrThrow()
        await turn()
        if (used >= 5) return false
        await tx.query.insertInto('test_quota').values({ id: `q${n}`, project_id: 'p' }).execute()
        return true
      })
    const got = await Promise.all(Array.from({ length: 12 }, (_, n) => take(n % 2 ? db : other, n)))
    assert.equal(got.filter(Boolean).length, 5)
    assert.equal((await db.query.selectFrom('test_quota').select('id').execute()).length, 5)
  })

  check('what is counted under a held key still holds at the commit of a guarded transaction', async () => {
    const take = (through: Database<Tables>, n: number): Promise<boolean> =>
      through.transaction(async (tx) => {
        // Something seen before must not be all that is seen after.
        await tx.query.selectFrom('test_quota').select('id').where('project_id', '=', 'none').execute()
        await tx.hold('quota.h')
        const { used } = await tx.query
          .selectFrom('test_quota')
          .select((eb) => eb.fn.countAll<number>().as('used'))
          .where('project_id', '=', 'h')
          .executeTakeFirstOrThrow()
        await turn()
        if (used >= 5) return false
        await tx.query.insertInto('test_quota').values({ id: `h${n}`, project_id: 'h' }).execute()
        return true
      }, { guarded: true })
    const got = await Promise.all(Array.from({ length: 24 }, (_, n) => take(n % 2 ? db : other, n)))
    assert.equal(got.filter(Boolean).length, 5)
    await assert.rejects(db.transaction((tx) => tx.hold('quota.h')), /guarded/)
  })

  check('an update by condition is lost by none of those who meet in guarded transactions', async () => {
    await db.query.insertInto('test_thing').values({ id: 'swap', name: 'swap', size: 0 }).execute()
    const swap = (through: Database<Tables>): Promise<boolean> =>
      through.transaction(async (tx) => {
        const done = await tx.query.updateTable('test_thing').set({ size: 1 }).where('id', '=', 'swap').where('size', '=', 0).executeTakeFirstOrThrow()
        await turn()
        return done.numUpdatedRows === 1n
      }, { guarded: true })
    const won = await Promise.all(Array.from({ length: 16 }, (_, n) => swap(n % 2 ? db : other)))
    assert.equal(won.filter(Boolean).length, 1)
  })

  check('many look aside from their transactions at once', async () => {
    const seen = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? db : other).transaction(async (tx) => (await tx.aside.query.selectFrom('test_thing').select('id').where('id', '=', 'seed').execute()).length)))
    assert.deepEqual(new Set(seen), new Set([1]))
  })

  check('of statements that are said at once, none is done outside of a transaction that failed', async () => {
    const insert = (tx: { query: Database<Tables>['query'] }, name: string, row: string) => tx.query.insertInto('test_thing').values({ id: row, name, size: 1 }).execute()
    for (const [first, second] of [['seed', 'row'], ['row', 'seed']] as const) {
      await assert.rejects(db.transaction((tx) => Promise.all([insert(tx, first, 'r1'), insert(tx, second, 'r2'), insert(tx, 'r3', 'r3'), insert(tx, 'r4', 'r4')])), duplicate)
      await turn()
      assert.deepEqual(await db.query.selectFrom('test_thing').select('id').where('id', 'like', 'r_').execute(), [])
    }
  })

  check('row locks are allowed', async () => {
    const row = await db.transaction((tx) => tx.query.selectFrom('test_thing').select('id').where('id', '=', 'seed').forUpdate().executeTakeFirstOrThrow())
    assert.deepEqual(plain(row), { id: 'seed' })
  })

  check('an update that changes nothing still tells how many rows it found', async () => {
    const same = await db.query.updateTable('test_thing').set({ size: 5 }).where('id', '=', 'seed').executeTakeFirstOrThrow()
    const none = await db.query.updateTable('test_thing').set({ size: 5 }).where('id', '=', 'nobody').executeTakeFirstOrThrow()
    assert.deepEqual([same.numUpdatedRows, none.numUpdatedRows], [1n, 0n])
    const gone = await db.query.deleteFrom('test_thing').where('id', '=', 'nobody').executeTakeFirstOrThrow()
    assert.equal(gone.numDeletedRows, 0n)
  })

  check('insert or nothing tells which, and swallows no other mistake', async () => {
    const insert = (row: { id: string; name: string; size: number }) =>
      db.query
        .insertInto('test_thing')
        .values(row)
        .onConflict((oc) => oc.column('id').doNothing())
        .executeTakeFirstOrThrow()
    assert.equal((await insert({ id: 'c1', name: 'c1', size: 1 })).numInsertedOrUpdatedRows, 1n)
    assert.equal((await insert({ id: 'c1', name: 'c1', size: 2 })).numInsertedOrUpdatedRows, 0n)
    await assert.rejects(insert({ id: 'c2', name: null as never, size: 1 }))
    // In a transaction it is no failure.
    await db.transaction(async (tx) => {
      await tx.query
        .insertInto('test_thing')
        .values({ id: 'c1', name: 'c1', size: 3 })
        .onConflict((oc) => oc.column('id').doNothing())
        .execute()
      await tx.query.insertInto('test_thing').values({ id: 'c3', name: 'c3', size: 3 }).execute()
    })
    await db.query
      .insertInto('test_thing')
      .values([
        { id: 'c1', name: 'c1', size: 4 },
        { id: 'c4', name: 'c4', size: 4 },
      ])
      .onConflict((oc) => oc.column('id').doNothing())
      .execute()
    const rows = await db.query.selectFrom('test_thing').select(['id', 'size']).where('id', 'like', 'c_').orderBy('id').execute()
    assert.deepEqual(
      rows.map((row) => `${row.id}=${row.size}`),
      ['c1=1', 'c3=3', 'c4=4'],
    )
  })

  check('insert or update takes the new values and adds to the old', async () => {
    const put = (size: number) =>
      db.query
        .insertInto('test_thing')
        .values({ id: 'u1', name: 'u1', size })
        .onConflict((oc) => oc.column('id').doUpdateSet((eb) => ({ name: eb.ref('excluded.name'), size: eb('test_thing.size', '+', eb.ref('excluded.size')) })))
        .execute()
    await put(3)
    await put(4)
    assert.equal((await db.query.selectFrom('test_thing').select('size').where('id', '=', 'u1').executeTakeFirstOrThrow()).size, 7)
  })

  check('`returning` is refused rather than silently empty', async () => {
    assert.throws(() => db.query.insertInto('test_thing').values({ id: 'r1', name: 'r1', size: 1 }).returning('id').compile(), /MariaDB/)
  })

  check('text compares and sorts by its bytes, and LIKE of lower case ignores case', async () => {
    for (const name of ['like-a', 'like-B', 'Like_c', 'like%d']) await db.query.insertInto('test_thing').values({ id: name, name, size: 99 }).execute()
    const names = async (condition: ReturnType<typeof sql<boolean>>): Promise<string[]> =>
      (await db.query.selectFrom('test_thing').select('name').where('size', '=', 99).where(condition).orderBy('name').execute()).map((row) => row.name)
    assert.deepEqual(await names(sql<boolean>`1 = 1`), ['Like_c', 'like%d', 'like-B', 'like-a'])
    assert.deepEqual(await names(sql<boolean>`name = ${'LIKE-A'}`), [])
    assert.deepEqual(await names(sql<boolean>`lower(name) like lower(${'LIKE-%'}) escape '\\'`), ['like-B', 'like-a'])
    assert.deepEqual(await names(sql<boolean>`lower(name) like lower(${'like\\%%'}) escape '\\'`), ['like%d'])
    assert.deepEqual(await names(sql<boolean>`lower(name) like lower(${'like\\_%'}) escape '\\'`), ['Like_c'])
    assert.deepEqual(await names(sql<boolean>`"name" = 'like' || '-a'`), ['like-a'])
  })

  check('nulls sort first, and last when going down', async () => {
    const ids = async (direction: 'asc' | 'desc'): Promise<string[]> => (await db.query.selectFrom('test_wide').select('id').orderBy('maybe', direction).execute()).map((row) => row.id)
    assert.deepEqual(await ids('asc'), ['w1', 'w2'])
    assert.deepEqual(await ids('desc'), ['w2', 'w1'])
  })

  check('limits and offsets are values', async () => {
    const rows = await db.query.selectFrom('test_thing').select('id').where('size', '=', 99).orderBy('id').limit(2).offset(1).execute()
    assert.deepEqual(
      rows.map((row) => row.id),
      ['like%d', 'like-B'],
    )
  })
}
