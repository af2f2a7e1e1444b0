import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unavailable } from '#base/fault.ts'
import type { Clock } from '#base/clock.ts'
import { world } from '#base/world.ts'
import { untilTaken } from './until-taken.ts'

test('a wake-up waits for the broker, not for a closed bus, and not for ever', async () => {
  let slept = 0
  const here = world({ clock: { now: () => 0, sleep: async () => void slept++ } as unknown as Clock })
  let sent = 0
  const failing = (times: number, code: string) => async (): Promise<void> => {
    if (++sent <= times) throw unavailable('away', { code })
  }
  await untilTaken(here, failing(7, 'bus.disconnected'))
  assert.deepEqual([sent, slept], [8, 7])
  sent = 0
  await assert.rejects(untilTaken(here, failing(1, 'bus.closed')))
  assert.equal(sent, 1)
  sent = 0
  await assert.rejects(untilTaken(here, failing(1_000, 'bus.disconnected')))
  assert.equal(sent, 60)
})
