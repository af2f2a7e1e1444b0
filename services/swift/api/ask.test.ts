import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isoMicros } from './ask.ts'

test('an instant in a list is written as Date writes it', () => {
  for (const ms of [0, 1, 999, 59_999, 3_599_999, 86_399_999, 86_400_000, 951_782_399_001, 951_782_400_000, 1_700_000_000_123, 4_102_444_799_999, -1, 1_700_000_000_123, 1_700_000_000_123.7]) {
    assert.equal(isoMicros(ms), `${new Date(ms).toISOString().slice(0, 23)}000`)
    assert.equal(isoMicros(String(ms) as never), isoMicros(ms))
  }
})
