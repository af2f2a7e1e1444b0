import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALGORITHMS, checksum, checksumHeader, combined, composite } from './checksums.ts'

/** Of the nine digits, as the catalogues of checksums print them. */
const CHECK: Readonly<Record<(typeof ALGORITHMS)[number], string>> = {
  CRC32: 'cbf43926', CRC32C: 'e3069283', CRC64NVME: 'ae8b14860a799888', SHA1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441', SHA256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
}

test('each algorithm gives its known value, however the bytes are cut', () => {
  const long = Buffer.alloc(1003, 'Ondol ')
  for (const algorithm of ALGORITHMS) {
    for (const cut of [1, 3, 9]) {
      const sum = checksum(algorithm)
      sum.update(Buffer.from('123456789').subarray(0, cut))
      sum.update(Buffer.from('123456789').subarray(cut))
      assert.equal(Buffer.from(sum.digest(), 'base64').toString('hex'), CHECK[algorithm], algorithm)
    }
    const [whole, bytewise] = [checksum(algorithm), checksum(algorithm)]
    whole.update(long)
    for (let i = 0; i < long.length; i++) bytewise.update(long.subarray(i, i + 1))
    assert.equal(whole.digest(), bytewise.digest(), algorithm)
  }
})

test('headers name their algorithm, and impossible values are refused', () => {
  assert.equal(checksumHeader('x-amz-checksum-crc32', 'NhCmhg=='), 'CRC32')
  assert.equal(checksumHeader('x-amz-checksum-mode', 'ENABLED'), undefined)
  assert.equal(checksumHeader('content-type', 'x'), undefined)
  assert.throws(() => checksumHeader('x-amz-checksum-sha256', 'NhCmhg=='))
  assert.match(composite('SHA256', ['NhCmhg==', 'NhCmhg==']), /^[A-Za-z0-9+/]+=-2$/)
})

test('checksums of parts make that of the whole', () => {
  const whole = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251))
  const cuts = [0, 1, 1, 1200, 2400, 4999, 5000]
  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    const sumOf = (bytes: Buffer): string => {
      const sum = checksum(algorithm)
      sum.update(bytes)
      return sum.digest()
    }
    const parts = cuts.slice(1).map((end, i) => ({ sum: sumOf(whole.subarray(cuts[i], end)), size: end - cuts[i]! }))
    assert.equal(combined(algorithm, parts), sumOf(whole), algorithm)
  }
})
