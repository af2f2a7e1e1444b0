/** Whom a silence is laid to: a machine, or the message broker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '#base/clock.ts'
import { world } from '#base/world.ts'
import { novaDefaults } from '../config.ts'
import { HostDirectory } from './host-directory.ts'

test('a machine is down when it is silent, and not when the broker was', () => {
  let now = 1_000_000
  const config = { ...novaDefaults, report_interval: 10_000, service_down_time: 60_000 }
  const hosts = new HostDirectory({ db: undefined as never, world: world({ clock: { now: () => now } as Clock }), config })
  const seen = (last_seen_at: number, forced_down = 0) => hosts.isUp({ last_seen_at, forced_down })
  const pass = (ms: number, broker: boolean): void => {
    for (const end = now + ms; now < end; ) {
      now += 2_500
      if (broker) hosts.brokerAnswered()
    }
  }
  pass(100_000, true)
  assert.equal(seen(now - 59_000), true)
  assert.equal(seen(now - 61_000), false)
  assert.equal(seen(now, 1), false)
  const [fresh, dead] = [now, now - 61_000]
  pass(300_000, false)
  assert.equal(seen(fresh), true, 'the broker is away: what was known counts')
  assert.equal(seen(dead), false)
  pass(30_000, true)
  assert.equal(seen(fresh), true, 'it is back: machines have their time to be heard')
  assert.equal(seen(dead), false)
  pass(40_000, true)
  assert.equal(seen(fresh), false)
  assert.equal(seen(now - 1_000), true)
})
