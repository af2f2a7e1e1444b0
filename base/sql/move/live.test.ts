import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { after, test } from 'node:test'
import { isFault } from '../../fault.ts'
import type { Database } from '../database.ts'
import { movable } from '../movable.ts'
import { openDatabase } from '../open.ts'
import { migrate } from '../table.ts'
import { testDatabase } from '../test/database.ts'
import { type LiveOptions, moveLive } from './live.ts'
import { releaseSource, sourceMove } from './source.ts'
import { clearTarget, targetMove } from './target.ts'
import { Keeper, seeded, shop, type ShopTables } from './test/shop.ts'

const dir = await mkdtemp(join(tmpdir(), 'ondol-live-'))
after(() => rm(dir, { recursive: true, force: true }))
let files = 0

async function shopIn(boxes: number, steps: number, seed: number): Promise<{ url: string; home: ReturnType<typeof movable>; keepers: Keeper[] }> {
  const url = `sqlite:${join(dir, `${files++}.db`)}`
  const home = movable(await openDatabase({ url, durability: 'none' }))
  await migrate(home.database, [shop], 0)
  const random = seeded(seed)
  const keepers = Array.from({ length: boxes }, (_, i) => new Keeper(home.database, `box-${i}`, random))
  for (const keeper of keepers) {
    await keeper.begin()
    for (let i = 0; i < steps; i++) await keeper.step()
  }
  return { url, home, keepers }
}

const common = (url: string): LiveOptions => ({ move: { id: 'm1', place: 'there' }, now: () => 1, batch: 20, next: () => openDatabase({ url, durability: 'none' }), left: async () => {} })

for (const seed of [1, 2, 3]) {
  test(`a database moves while it is written: every acknowledged change is there (seed ${seed})`, { timeout: 120_000 }, async () => {
    const { home, keepers, url: sourceUrl } = await shopIn(4, 150, seed)
    const { db: target, url, close } = await testDatabase()
    try {
      let over = false
      let steps = 0
      const phases = new Set<string>()
      // Held from before the move, as some do.
      const { query } = home.database.as<ShopTables>()
      const writing = Promise.all(keepers.map(async (keeper) => {
        for (; !over; steps++) {
          await keeper.step()
          await nextTurn()
        }
      }))
      writing.catch(() => {})
      const moved = await moveLive(home, target, [shop], { ...common(url), report: ({ phase }) => void phases.add(phase) })
      assert.ok(moved && moved.find((one) => one.table === 'shop_goods')!.rows > 10)
      assert.deepEqual([...phases], ['preparing', 'copying', 'following', 'comparing', 'switching'])
      const written = steps
      for (; steps < written + 60; ) await nextTurn()
      over = true
      await writing
      for (const keeper of keepers) {
        const [has, wants] = await keeper.both(home.database.as<ShopTables>())
        assert.deepEqual(has, wants)
        assert.deepEqual((await keeper.both(target.as<ShopTables>()))[0], wants)
        assert.deepEqual((await keeper.both({ engine: home.database.engine, query }))[0], wants)
      }
      assert.equal((await targetMove(target))?.ended_at, 1)
      // Whoever comes to the old place is told.
      const old = await openDatabase({ url: sourceUrl })
      assert.equal((await sourceMove(old))?.moved_at, 1)
      await assert.rejects(old.as<ShopTables>().query.updateTable('shop_boxes').set({ goods: 0 }).execute(), (thrown) => isFault(thrown, 'unavailable') && /has moved/.test(thrown.message))
      await old.close()
    } finally {
      await home.database.close()
      await close()
    }
  })
}

test('a move that is stopped after every few slices goes on, also past a start of the process', { timeout: 120_000 }, async () => {
  const { home: first, keepers, url: sourceUrl } = await shopIn(3, 200, 7)
  const { db: target, url, close } = await testDatabase()
  let home = first
  try {
    let runs = 0
    for (let moved; moved === undefined; runs++) {
      const stop = new AbortController()
      let slices = 0
      moved = await moveLive(home, target, [shop], { ...common(url), signal: stop.signal, at: async (step) => {
        // Behind the door nobody writes.
        if (!['shut', 'applied', 'left', 'noted'].includes(step)) for (const keeper of keepers) await keeper.step()
        if (++slices === 3 + runs && step !== 'switched') stop.abort()
      } })
      if (moved === undefined && runs % 2 === 1) {
        await home.database.close()
        home = movable(await openDatabase({ url: sourceUrl, durability: 'none' }))
        for (const keeper of keepers) keeper.movedTo(home.database)
      }
    }
    assert.ok(runs > 3, `${runs}`)
    for (const keeper of keepers) {
      await keeper.step()
      const [has, wants] = await keeper.both(home.database.as<ShopTables>())
      assert.deepEqual(has, wants)
    }
  } finally {
    await home.database.close()
    await close()
  }
})

test('while something does not end, the door opens again, and the move ends later', { timeout: 120_000 }, async () => {
  const { home } = await shopIn(1, 20, 5)
  const { db: target, url, close } = await testDatabase()
  try {
    let end!: () => void
    const ended = new Promise<void>((resolve) => (end = resolve))
    let tries = 0
    const others: Promise<unknown>[] = []
    await moveLive(home, target, [shop], { ...common(url), door: { wait: 20, work: 60_000 },
      at: (step) => {
        if (step === 'compared') others.push(home.database.transaction(() => ended))
      },
      report: ({ phase }) => {
        if (phase !== 'switching') return
        tries++
        if (tries === 2) others.push(home.database.as<ShopTables>().query.insertInto('shop_boxes').values({ id: 'late', goods: 3 }).execute())
        if (tries === 3) end()
      },
    })
    await Promise.all(others)
    assert.ok(tries >= 3)
    assert.equal((await target.as<ShopTables>().query.selectFrom('shop_boxes').selectAll().where('id', '=', 'late').executeTakeFirstOrThrow()).goods, 3)
  } finally {
    await home.database.close()
    await close()
  }
})

test('a move is given up: nothing is written down any more, and another goes elsewhere', { timeout: 120_000 }, async () => {
  const { home, keepers } = await shopIn(2, 50, 9)
  const { db: target, url, close } = await testDatabase()
  try {
    const stop = new AbortController()
    assert.equal(await moveLive(home, target, [shop], { ...common(url), signal: stop.signal, at: (step) => void (step === 'copied' && stop.abort()) }), undefined)
    await assert.rejects(moveLive(home, target, [shop], { ...common(url), move: { id: 'm2', place: 'elsewhere' } }), (thrown) => isFault(thrown, 'conflict'))
    assert.equal(await clearTarget(home.current, target, 'm2'), false)
    assert.equal(await clearTarget(home.current, target, 'm1'), true)
    await releaseSource(home.current)
    assert.equal(await sourceMove(home.current), undefined)
    for (const keeper of keepers) await keeper.step()
    assert.ok(await moveLive(home, target, [shop], { ...common(url), move: { id: 'm2', place: 'elsewhere' } }))
    for (const keeper of keepers) {
      const [has, wants] = await keeper.both(home.database.as<ShopTables>())
      assert.deepEqual(has, wants)
    }
  } finally {
    await home.database.close()
    await close()
  }
})

test('a copy that is not what it should be is found, and the source goes on', { timeout: 120_000 }, async () => {
  const { home, keepers } = await shopIn(1, 60, 11)
  const { db: target, url, close } = await testDatabase()
  try {
    const spoil = async (db: Database): Promise<void> => void (await db.as<ShopTables>().query.updateTable('shop_goods').set({ body: 'spoilt' }).execute())
    await assert.rejects(moveLive(home, target, [shop], { ...common(url), at: (step) => (step === 'copied' ? spoil(target) : undefined) }), (thrown) => isFault(thrown, 'conflict') && /shop_goods is another in the target/.test(thrown.message))
    for (let i = 0; i < 5; i++) await keepers[0]!.step()
    assert.equal(home.database.engine, 'sqlite')
    assert.equal((await sourceMove(home.current))?.moved_at, null)
  } finally {
    await home.database.close()
    await close()
  }
})
