import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { isFault } from '#base/fault.ts'
import { type LimitFacts, roomOf, unifiedLimits } from '../quota.ts'

const of = (facts: { registered?: Record<string, number>; own?: Record<string, Record<string, number>>; parents?: Record<string, string> }): LimitFacts => ({
  registered: new Map(Object.entries(facts.registered ?? {})),
  own: new Map(Object.entries(facts.own ?? {}).map(([id, limits]) => [id, new Map(Object.entries(limits))])),
  ...(facts.parents ? { parents: new Map(Object.entries(facts.parents)) } : {}),
})
const room = async (facts: LimitFacts, project: string, used: Record<string, number> = {}): Promise<number> => {
  const limits = unifiedLimits(async () => facts, new VirtualClock())
  await limits.fresh()
  const found = await roomOf(limits, project, () => 7, async (projects) => () => projects.reduce((sum, id) => sum + (used[id] ?? 0), 0))
  return found('servers')
}

test('flat: a limit of its own, else the registered one, else what the house has configured', async () => {
  assert.equal(await room(of({ registered: { servers: 5 }, own: { p: { servers: 2 } } }), 'p'), 2)
  assert.equal(await room(of({ registered: { servers: 5 }, own: { p: { other: 2 } } }), 'p'), 5)
  assert.equal(await room(of({ registered: { other: 5 } }), 'p'), 7)
  assert.equal(await room(of({ registered: { servers: 5 }, own: { p: { servers: -1 } } }), 'p'), -1, 'no limit')
  assert.equal(await room(of({ registered: { servers: 0 } }), 'p'), 0)
})

test('two levels: what the others of the tree have used is gone, and the least room counts', async () => {
  const parents = { a: 'domain', b: 'domain', child: 'a', elsewhere: 'other-domain' }
  const facts = of({ registered: { servers: 10 }, own: { domain: { servers: 20 }, a: { servers: 8 } }, parents })
  assert.equal(await room(facts, 'b', { a: 3, child: 2, elsewhere: 9 }), 10, 'its own is less than the 15 that are left of the domain')
  assert.equal(await room(facts, 'b', { a: 8, child: 7 }), 5)
  assert.equal(await room(facts, 'child', { a: 6 }), 2, 'its parent has 8')
  assert.equal(await room(facts, 'a', { child: 6 }), 2, 'what a child uses is used of the parent')
  assert.equal(await room(facts, 'a', { b: 30 }), 0, 'never less than nothing, which would be no limit')
  assert.equal(await room(of({ registered: { servers: 10 }, parents }), 'b', { a: 4 }), 6, 'a domain has the default when nothing was set for it')
})

test('what is known is a second old at most, is read once for all who ask, and is not guessed', async () => {
  const clock = new VirtualClock()
  let reads = 0
  let fails = false
  const limits = unifiedLimits(async () => {
    reads++
    if (fails) throw new Error('away')
    return of({ registered: { servers: reads } })
  }, clock)
  assert.throws(() => limits.levels('p'), (thrown) => isFault(thrown, 'unavailable'))
  await Promise.all([limits.fresh(), limits.fresh()])
  await limits.fresh()
  assert.equal(reads, 1)
  await clock.advance(1_000)
  fails = true
  await assert.rejects(limits.fresh(), (thrown) => isFault(thrown, 'unavailable'))
  fails = false
  await limits.fresh()
  assert.equal(limits.levels('p')[0]!.limit('servers'), 3)
})
