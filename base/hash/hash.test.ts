import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { arena, giveSlab, SMALL, slabsTaken, takeSlab } from './arena.ts'
import { slabMd5 } from './md5.ts'
import { sumInto, sumIs } from './xxh3.ts'

/** The same for every run. */
function noise(size: number, seed: number): Buffer {
  const out = Buffer.alloc(size)
  for (let i = 0, x = seed | 1; i < size; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0
    out[i] = x >>> 24
  }
  return out
}

/** As an upload does it; `step` says how much each slab gets. */
async function md5Of(bytes: Buffer, step: () => number): Promise<string> {
  const slab = takeSlab()!
  const md5 = slabMd5()
  try {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + step() * 64)
      slab.bytes.set(part)
      md5.arrived()
      await md5.update(slab, part.length)
      // Whatever comes into it now must not matter any more.
      slab.bytes.fill(0xee, 0, part.length)
      at += part.length
      if (step() % 3 === 0) await new Promise(setImmediate)
    }
    return md5.digest()
  } finally {
    md5.end()
    giveSlab(slab)
  }
}

test('MD5 of any number of messages at once is that of each alone, at every length and however they are cut', async () => {
  let x = 7
  const next = (below: number): number => (x = (x * 48_271) % 0x7fffffff) % below
  for (const together of [1, 2, 3, 7, 8, 9, 12, 13, 40]) {
    const messages = Array.from({ length: together }, (_, i) => noise(i < 3 ? next(200) : next(100_000), together * 100 + i))
    const found = await Promise.all(messages.map((bytes) => md5Of(bytes, () => 1 + next(next(4) === 0 ? 1024 : 20))))
    assert.deepEqual(found, messages.map((bytes) => createHash('md5').update(bytes).digest('hex')), `${together} at once`)
  }
  for (let size = 0; size <= 193; size++) {
    const bytes = noise(size, size)
    assert.equal(await md5Of(bytes, () => 1024), createHash('md5').update(bytes).digest('hex'), `${size} bytes`)
  }
  assert.equal(slabsTaken(), 0)
})

test('the sum is XXH3, wherever the bytes lie', () => {
  // `xxhsum -H3` gives these.
  const known: [number, string][] = [
    [241, '26e9736a24776423'], [256, '62c55a6ff7001aa0'], [257, '58d300ade41d5ea2'], [320, '07a947c60a8df8ba'], [1023, '04fbdea655573fdf'],
    [1024, 'a0e10d3bec7fb6e0'], [1025, 'bd5f05134a9153c3'], [1088, 'cd045b5b331a90f0'], [1089, 'ffac407ffc36c1e5'], [2048, '839505181ea1d8c8'],
    [2049, '637c2324e08913ef'], [5000, '6fd22d69b71c4a48'], [65472, 'ca7f6b21f9b5fc17'], [65535, 'b63a5d11849d96d5'], [65536, '86de2532a2352ad9'],
  ]
  const slab = takeSlab()!
  for (const [size, hex] of known) {
    const bytes = noise(size, size)
    const table = Buffer.alloc(16)
    sumInto(table, 3, bytes)
    assert.equal(table.readBigUInt64LE(3).toString(16).padStart(16, '0'), hex, `${size} bytes`)
    slab.bytes.set(bytes, 5)
    assert.ok(sumIs(table, 3, slab.bytes.subarray(5, 5 + size)))
  }
  giveSlab(slab)
})

test('no changed bit has the same sum', () => {
  for (const size of [1, 8, 240, 241, 300, 1024, 1025, 4000]) {
    const bytes = noise(size, size)
    const table = Buffer.alloc(8)
    sumInto(table, 0, bytes)
    for (let bit = 0; bit < size * 8; bit += size > 500 ? 37 : 1) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      assert.ok(!sumIs(table, 0, bytes), `bit ${bit} of ${size} bytes`)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
  }
})

test('slabs are large as long as there are few, then small, then none, and come back', () => {
  const slabs = []
  for (let slab = takeSlab(); slab; slab = takeSlab()) slabs.push(slab)
  assert.equal(slabs.length, 404)
  assert.equal(new Set(slabs.map(({ at }) => at)).size, 404)
  assert.equal(slabs.at(-1)!.bytes.length, SMALL)
  assert.ok(slabs.every(({ at, bytes }) => at + bytes.length <= arena().bytes.length))
  for (const slab of slabs) giveSlab(slab)
  assert.equal(slabsTaken(), 0)
})
