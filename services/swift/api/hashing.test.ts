import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { giveSlab, LARGE, type Slab, slabsTaken, takeSlab } from '#base/hash/arena.ts'
import { hashing } from './hashing.ts'

const bytes = (size: number): Buffer => Buffer.alloc(size, Buffer.from([...Array(251).keys()]))

async function* cut(whole: Buffer, by: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += by) yield whole.subarray(at, at + by)
}

async function through(whole: Buffer, by: number, length: number | undefined): Promise<{ same: boolean; md5: string; counted: number }> {
  let md5 = ''
  let counted = 0
  const kept: Buffer[] = []
  const count = (chunk: Uint8Array): Uint8Array => ((counted += chunk.length), chunk)
  for await (const piece of hashing(cut(whole, by), length, count, (hex) => (md5 = hex))) kept.push(Buffer.from(piece))
  return { same: Buffer.concat(kept).equals(whole), md5, counted }
}

test('what passes is what came, with its MD5, also when others have all the slabs', async () => {
  const sizes = [0, 1, 70_000, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE + 77]
  const all = async (): Promise<void> => {
    const found = await Promise.all(sizes.flatMap((size) => [through(bytes(size), 65_536, size), through(bytes(size), 7001, undefined)]))
    for (const [i, { same, md5, counted }] of found.entries()) {
      const size = sizes[i >> 1]!
      assert.ok(same, `${size} bytes`)
      assert.equal(counted, size)
      assert.equal(md5, createHash('md5').update(bytes(size)).digest('hex'), `${size} bytes`)
    }
  }
  await all()
  assert.equal(slabsTaken(), 0)
  const others: Slab[] = []
  for (let slab = takeSlab(); slab; slab = takeSlab()) others.push(slab)
  await all()
  for (const slab of others) giveSlab(slab)
})

async function drained(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of source);
}

test('an upload that breaks off, or that nobody takes, gives its slab back', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield bytes(LARGE + 5)
    throw new Error('gone')
  }
  const ignore = (): void => {}
  await assert.rejects(drained(hashing(broken(), undefined, (chunk) => chunk, ignore)), /gone/)
  assert.equal(slabsTaken(), 0)
  for await (const _ of hashing(cut(bytes(4 * LARGE), 65_536), 4 * LARGE, (chunk) => chunk, ignore)) break
  assert.equal(slabsTaken(), 0)
  const refuse = (): never => {
    throw new Error('too much')
  }
  await assert.rejects(drained(hashing(cut(bytes(LARGE), 65_536), LARGE, refuse, ignore)), /too much/)
  assert.equal(slabsTaken(), 0)
})
