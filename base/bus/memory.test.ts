import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../clock.ts'
import { isFault } from '../fault.ts'
import { seededRandom } from '../random.ts'
import { world } from '../world.ts'
import { type BusFaults, randomFaults } from './faults.ts'
import { memoryBus } from './memory.ts'
import { busConformance } from './test/conformance.ts'

busConformance({ name: 'memory', distinct: false, open: async (here, sender) => memoryBus(here, undefined, sender) })

const under = (deliver: BusFaults['deliver']) => {
  const clock = new VirtualClock()
  return { clock, bus: memoryBus(world({ clock, random: seededRandom(7) }), { deliver }) }
}

test('a lost call is a timeout by the World’s clock', async () => {
  const { clock, bus } = under(() => 'lose')
  await bus.serve('t', { any: () => 1 })
  const call = bus.call('t', 'any', {}, { timeout: 5_000 })
  const failed = assert.rejects(call, (thrown) => isFault(thrown, 'timeout'))
  await clock.advance(5_000)
  await failed
  assert.equal(clock.pending, 0)
})

test('a doubled cast is handled twice under one id, a doubled call once', async () => {
  const { clock, bus } = under(() => 'double')
  const ids: string[] = []
  await bus.serve('t', { any: (_body: unknown, info: { id: string }) => ids.push(info.id) })
  assert.equal(await bus.call('t', 'any', {}), 1)
  await bus.cast('t', 'any', {})
  await clock.advance(0)
  assert.equal(ids.length, 3)
  assert.equal(new Set(ids).size, 2)
})

test('a call that arrives after its deadline is not handled', async () => {
  const { clock, bus } = under(() => 3_000)
  let handled = 0
  await bus.serve('t', { any: () => handled++ })
  const failed = assert.rejects(bus.call('t', 'any', {}, { timeout: 2_000 }), (thrown) => isFault(thrown, 'timeout'))
  await clock.advance(10_000)
  await failed
  assert.equal(handled, 0)
})

test('the same seed brings the same weather', async () => {
  const story = async (seed: number): Promise<string> => {
    const clock = new VirtualClock()
    const random = seededRandom(seed)
    const bus = memoryBus(world({ clock, random }), randomFaults(random, { lose: 0.2, double: 0.2, delay: 0.5 }))
    const seen: string[] = []
    await bus.serve('t', { at: (body: { n: number }) => seen.push(`${body.n}@${clock.now() % 1e6}`) })
    for (let n = 0; n < 50; n++) await bus.cast('t', 'at', { n })
    await clock.advance(2_000)
    return seen.join(' ')
  }
  assert.equal(await story(1), await story(1))
  assert.notEqual(await story(1), await story(2))
})
