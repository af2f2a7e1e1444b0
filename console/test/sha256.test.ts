import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { hmacSha256, sha256 } from '../src/api/sha256.ts'

test('digests and signatures are those of everyone', () => {
  // Around the lengths where padding takes another block.
  for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 1000]) {
    const message = Uint8Array.from({ length }, (_, i) => (i * 37) % 256)
    assert.equal(Buffer.from(sha256(message)).toString('hex'), createHash('sha256').update(message).digest('hex'), String(length))
  }
  for (const key of ['', 'key', 'k'.repeat(64), '열쇠'.repeat(40)]) {
    const message = 'GET\n1800000000\n/v1/AUTH_p/상자/사진 1.png'
    assert.equal(hmacSha256(key, message), createHmac('sha256', key).update(message).digest('hex'), key)
  }
})
