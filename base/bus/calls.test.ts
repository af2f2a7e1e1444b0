/** Calls in bad weather: lost requests, lost answers, doubles, servers that die. Time is virtual. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../clock.ts'
import { isFault } from '../fault.ts'
import { world } from '../world.ts'
import type { BusFaults } from './faults.ts'
import type { Bus } from './interface.ts'
import { memoryBus } from './memory.ts'
import { signal } from './test/conformance.ts'

type Fate = ReturnType<BusFaults['deliver']>

/** `fates` of requests and of what comes back, each in its turn; then good weather. */
function inWeather(fates: { call?: Fate[]; answer?: Fate[] }): { bus: Bus; clock: VirtualClock } {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  return { clock, bus: memoryBus(world({ clock }), { deliver: (_topic, _method, kind) => (kind === 'call' || kind === 'answer' ? fates[kind]?.shift() : undefined) ?? 0 }) }
}

const HOUR = 3_600_000

test('a lost request is sent again within seconds, whatever the limit', async () => {
  const { bus, clock } = inWeather({ call: ['lose', 'lose'] })
  let done = 0
  await bus.serve('t', { work: () => ++done })
  const call = bus.call('t', 'work', {}, { timeout: 10 * HOUR })
  await clock.advance(5_000)
  assert.equal(done, 0)
  await clock.advance(10_000)
  assert.equal(await call, 1)
})

test('a lost answer is given again, and the work is not done again', async () => {
  const { bus, clock } = inWeather({ answer: ['lose'] })
  let done = 0
  await bus.serve('t', { work: () => ++done })
  const call = bus.call('t', 'work', {}, { timeout: HOUR })
  await clock.advance(6_000)
  assert.equal(await call, 1)
  assert.equal(done, 1)
})

test('a doubled request is done once; one that takes long is not asked for again while it gives signs', async () => {
  const { bus, clock } = inWeather({ call: ['double'] })
  const free = signal()
  let begun = 0
  await bus.serve('t', {
    async work() {
      begun++
      await free.promise
      return 'done'
    },
  })
  const call = bus.call('t', 'work', {}, { timeout: 10 * HOUR })
  for (let i = 0; i < 60; i++) await clock.advance(60_000)
  free.resolve()
  assert.equal(await call, 'done')
  assert.equal(begun, 1)
})

test('a server that is gone without a word is noticed within seconds, and the next one does its work', async () => {
  // Nothing that the first says comes back: to its caller it is dead.
  const { bus, clock } = inWeather({ answer: ['lose', 'lose', 'lose', 'lose'] })
  const dying = await bus.serve('t', { work: () => new Promise(() => {}) })
  const patient = bus.call('t', 'work', {}, { timeout: HOUR, wait: 60_000 })
  const impatient = assert.rejects(bus.call('t', 'work', {}, { timeout: HOUR }), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'bus.nobody')
  void dying.close()
  await clock.advance(6_000)
  await impatient
  await bus.serve('t', { work: () => 'the next one' })
  await clock.advance(10_000)
  assert.equal(await patient, 'the next one')
})

test('its own limit and its caller still end a call', async () => {
  const { bus, clock } = inWeather({ call: Array.from({ length: 100 }, () => 'lose' as const) })
  await bus.serve('t', { work: () => 1 })
  const limited = assert.rejects(bus.call('t', 'work', {}, { timeout: 30_000 }), (thrown) => isFault(thrown, 'timeout') && thrown.code === 'bus.timeout')
  const stop = new AbortController()
  const given = assert.rejects(bus.call('t', 'work', {}, { timeout: HOUR, signal: stop.signal }), /enough/)
  await clock.advance(31_000)
  await limited
  stop.abort(new Error('enough'))
  await given
})
