import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { VirtualClock } from '../clock.ts'
import type { Database } from '../sql/database.ts'
import { type TestDatabase, testDatabase } from '../sql/test/database.ts'
import { migrate } from '../sql/table.ts'
import { world } from '../world.ts'
import { defineFlow, type Flow } from './definition.ts'
import { FlowEngine, type FlowFaults, ROOM } from './engine.ts'
import { flowMigrations, listFlows, type FlowTables } from './journal.ts'
import { eachCrash, eachFailure, eachRelapse, type Trial } from './kit.ts'

let place: TestDatabase
let db: Database
let serial = 0

before(async () => {
  place = await testDatabase()
  db = place.db
  await migrate(db, [{ house: 'base', migrations: flowMigrations }], 0)
})
after(() => place.close())

interface Building extends Trial {
  made: Set<string>
  failed: string[]
  id: string
}

/** A flow of three steps that make things in a set, and its world. */
async function building(): Promise<Building> {
  const clock = new VirtualClock()
  const made = new Set<string>()
  const failed: string[] = []
  const flow: Flow<{ id: string }> = defineFlow(
    'build',
    { deadline: 60_000, failed: async (_p, fault) => void failed.push(fault.message) },
    async (f) => {
      for (const name of ['walls', 'roof', 'door']) await f.step(name, () => void made.add(name), () => made.delete(name))
    },
  )
  const id = `house-${serial++}`
  return {
    made,
    failed,
    id,
    async run(faults: FlowFaults) {
      const house = `h${serial++}`
      const make = (owner: string): FlowEngine => new FlowEngine({ house, db, world: world({ clock }), owner, faults }, [flow as Flow<never>])
      const first = make('first')
      const second = make('second')
      second.open()
      await db.transaction((tx) => first.start(tx as never, flow, { id }, { resource_kind: 'house', resource_id: id }))
      for (let i = 0; i < 60 && (await live(id)) > 0; i++) await clock.advance(1000)
      await Promise.all([first.close(), second.close()])
    },
  }
}

async function live(id: string): Promise<number> {
  return (await listFlows(db.as<FlowTables>(), { live: true, resource_id: id, limit: 10 })).length
}

test('a flow that fails at any step is undone whole and says so', () =>
  eachFailure('build', building, async (trial, step) => {
    const { made, failed, id } = trial as Building
    assert.deepEqual([...made], [])
    assert.equal(failed.length, 1)
    const [view] = await listFlows(db.as<FlowTables>(), { resource_id: id, limit: 1 })
    assert.equal(view?.state, 'failed')
    assert.match(view?.error?.message ?? '', new RegExp(step))
  }))

test('a flow whose process dies at any step is taken over and finished', () =>
  eachCrash('build', building, async (trial) => {
    const { made, failed, id } = trial as Building
    assert.deepEqual([...made].sort(), ['door', 'roof', 'walls'])
    assert.deepEqual(failed, [])
    const [view] = await listFlows(db.as<FlowTables>(), { resource_id: id, limit: 1 })
    assert.equal(view?.state, 'done')
    assert.equal(view?.attempts, 2)
  }))

test('a flow that fails where an earlier owner died is undone whole', () =>
  eachRelapse('build', building, async (trial) => {
    const { made, failed } = trial as Building
    assert.deepEqual([...made], [])
    assert.equal(failed.length, 1)
  }))

test('past the point of no return a flow goes on until it is done, and what concluded is never undone', async () => {
  const clock = new VirtualClock()
  const seen: string[] = []
  const flow = defineFlow<{ id: string }>('leap', { deadline: 5_000, failed: async () => void seen.push('failed') }, async (f) => {
    await f.step('leap', () => void seen.push('leap'), () => void seen.push('undone'))
    await f.must('land', () => {
      seen.push('land')
      if (seen.length < 8) throw new Error('not yet')
    })
    await f.must('end', async () => {
      await db.transaction(async (tx) => f.conclude(tx))
      throw new Error('after the end')
    })
  })
  const id = `leap-${serial++}`
  const engine = new FlowEngine({ house: `h${serial++}`, db, world: world({ clock }), owner: 'one' }, [flow as Flow<never>])
  engine.open()
  await db.transaction((tx) => engine.start(tx as never, flow, { id }, { resource_kind: 'house', resource_id: id }))
  for (let i = 0; i < 200 && (await live(id)) > 0; i++) await clock.advance(1000)
  assert.deepEqual(seen, ['leap', ...Array(7).fill('land')])
  const [view] = await listFlows(db.as<FlowTables>(), { resource_id: id, limit: 1 })
  assert.equal(view?.state, 'done')
  assert.ok(clock.now() > view.deadline_at, 'beyond its deadline')
  await engine.close()
})

test('a step that never ends is cut at the deadline, and a cancelled flow is undone', async () => {
  for (const how of ['deadline', 'cancel'] as const) {
    const clock = new VirtualClock()
    const made = new Set<string>()
    const flow = defineFlow<{ id: string }>('hang', { deadline: 30_000 }, async (f) => {
      await f.step('make', () => void made.add('x'), () => made.delete('x'))
      await f.step('hang', (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))))
    })
    const id = `hang-${serial++}`
    const engine = new FlowEngine({ house: `h${serial++}`, db, world: world({ clock }), owner: 'one' }, [flow as Flow<never>])
    engine.open()
    await db.transaction((tx) => engine.start(tx as never, flow, { id }, { resource_kind: 'house', resource_id: id }))
    await clock.advance(2000)
    assert.equal(made.size, 1)
    if (how === 'cancel') await engine.cancel(db, 'house', id)
    for (let i = 0; i < 40 && (await live(id)) > 0; i++) await clock.advance(1000)
    assert.equal(made.size, 0)
    const [view] = await listFlows(db.as<FlowTables>(), { resource_id: id, limit: 1 })
    assert.equal(view?.state, how === 'cancel' ? 'cancelled' : 'failed')
    assert.equal(view?.error?.code, how === 'cancel' ? 'flow.cancelled' : 'flow.deadline')
    await engine.close()
  }
})

test('an owner whose lease was taken writes nothing more', async () => {
  const clock = new VirtualClock()
  let entered = 0
  let go = (): void => {}
  const flow = defineFlow<object>('slow', { deadline: 600_000 }, async (f) => {
    await f.step('first', () => {
      entered++
      return entered === 1 ? new Promise<void>((resolve) => (go = resolve)) : undefined
    })
    await f.step('second', () => void entered++)
  })
  const house = `h${serial++}`
  const id = `slow-${serial++}`
  // The first owner stops renewing, as a paused process would.
  const first = new FlowEngine({ house, db, world: world({ clock }), owner: 'first' }, [flow as Flow<never>])
  await db.transaction((tx) => first.start(tx as never, flow, {}, { resource_kind: 'house', resource_id: id }))
  await clock.advance(11_000)
  const second = new FlowEngine({ house, db, world: world({ clock }), owner: 'second' }, [flow as Flow<never>])
  second.open()
  for (let i = 0; i < 20 && (await live(id)) > 0; i++) await clock.advance(1000)
  assert.equal(entered, 3)
  go()
  await clock.advance(1000)
  assert.equal(entered, 3, 'the first owner must not go on to its second step')
  await Promise.all([first.close(), second.close()])
})

test('who begins work waits for room until a flow ends, or until the patience does', async () => {
  const clock = new VirtualClock()
  const gates: (() => void)[] = []
  const flow: Flow<null> = defineFlow('wait', { deadline: 600_000 }, (f) => f.step('gate', () => new Promise<void>((resolve) => gates.push(resolve))))
  const engine = new FlowEngine({ house: `h${serial++}`, db, world: world({ clock }), owner: 'only' }, [flow as Flow<never>])
  const begin = (): Promise<string> => db.transaction((tx) => engine.start(tx as never, flow, null, { resource_kind: 'house', resource_id: `house-${serial++}` }))
  await engine.room()
  while (engine.busy < ROOM) await begin()
  while (gates.length < ROOM) await new Promise((resolve) => setImmediate(resolve))
  const entered: string[] = []
  const [first, second] = ['first', 'second'].map((name) => engine.room(1_000).then(() => entered.push(name)))
  gates.shift()!()
  await first
  assert.deepEqual(entered, ['first'], 'one that ends lets in one')
  await begin()
  await clock.advance(1_000)
  await second
  assert.deepEqual(entered, ['first', 'second'])
  for (const open of gates) open()
  await engine.close()
})
