import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pace, timeText } from '../src/transfers/pace.ts'
import { beside } from '../src/transfers/kept-both.ts'

test('a name beside a taken one keeps its folder and its ending', () => {
  const names: Record<string, string> = { 'a.txt': 'a (2).txt', 'x/y.tar.gz': 'x/y (2).tar.gz', '.profile': '.profile (2)', 'a.b/c': 'a.b/c (2)', 'v1. final notes': 'v1. final notes (2)', '보고서.hwp': '보고서 (2).hwp', 'a/.x.y': 'a/.x (2).y' }
  for (const [name, other] of Object.entries(names)) assert.equal(beside(name, 2), other)
})

test('a pace is judged by the last seconds, and a new beginning is none', () => {
  const meter = pace()
  assert.equal(meter.measure(0, 0), undefined)
  assert.equal(meter.measure(2000, 4000), 2000)
  for (let at = 3000; at <= 20_000; at += 1000) meter.measure(at, 4000 + (at - 2000) / 10)
  assert.equal(Math.round(meter.measure(20_000, 5800)!), 100)
  assert.equal(meter.measure(21_000, 0), undefined)
  assert.deepEqual([timeText(40, 'en'), timeText(600, 'ko'), timeText(7000, 'en')], ['40 seconds', '10분', '2 hours'])
})
