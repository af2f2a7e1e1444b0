/** What every driver of bytes must do; `make` gives an empty one. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { isFault } from '#base/fault.ts'
import type { BytesDriver } from './interface.ts'

export interface Subject {
  driver: BytesDriver
  /** Changes a byte behind the driver's back; absent where that cannot be done. */
  rot?(id: string): Promise<void>
  /** Milliseconds; whatever is older than this and not held may be listed. */
  later(): number
  close(): Promise<void>
}


export function bytesConformance(name: string, make: () => Promise<Subject>): void {
  const each = (what: string, run: (subject: Subject) => Promise<void>): void =>
    void test(`${name}: ${what}`, async () => {
      const subject = await make()
      try {
        await run(subject)
      } finally {
        await subject.driver.close()
        await subject.close()
      }
    })

  // Around the edges of blocks, packs and parts.
  const SIZES = [0, 1, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_500_000]

  each('what was written is read, whole and in part', async ({ driver }) => {
    for (const size of SIZES) {
      const bytes = pattern(size)
      for (const length of [size, undefined]) {
        const id = await driver.write(pieces(bytes), length)
        assert.ok(id.length <= 160)
        if (size === 0) continue
        assert.equal(sum(await all(driver, id, 0, size - 1)), sum(bytes), `${size} bytes`)
        for (const [start, end] of [[0, 0], [size - 1, size - 1], [size >> 1, size - 1], [Math.floor(size / 3), Math.floor(size / 2)]] as const) {
          assert.equal(sum(await all(driver, id, start, end)), sum(bytes.subarray(start, end + 1)), `${start}-${end} of ${size}`)
        }
        assert.equal(await driver.verify(id), 'good')
      }
    }
  })

  each('many at once keep apart', async ({ driver }) => {
    const ids = await Promise.all(Array.from({ length: 60 }, (_, i) => driver.write(pieces(pattern(1000 * i + 1, i)), undefined)))
    assert.equal(new Set(ids).size, 60)
    await Promise.all(ids.map(async (id, i) => assert.equal(sum(await all(driver, id, 0, 1000 * i)), sum(pattern(1000 * i + 1, i)))))
  })

  each('a source that fails leaves nothing, and its error comes out', async ({ driver, later }) => {
    for (const after of [10, 400_000]) {
      const broken = async function* (): AsyncGenerator<Buffer> {
        yield pattern(after)
        throw new Error('the client went away')
      }
      await assert.rejects(driver.write(broken(), undefined), /the client went away/)
    }
    await driver.sweep(later())
    assert.deepEqual(await idsOf(driver, later()), [])
  })

  each('what was removed is gone, and removing it again does no harm', async ({ driver }) => {
    for (const size of [10, 300_000]) {
      const id = await driver.write(pieces(pattern(size)), size)
      await driver.remove([id, id])
      await driver.remove([id])
    }
    const large = await driver.write(pieces(pattern(300_000)), 300_000)
    await driver.remove([large])
    assert.equal(await driver.verify(large), 'missing')
    await assert.rejects(all(driver, large, 0, 9), (thrown) => isFault(thrown, 'unavailable'))
  })

  each('what nothing holds can be found', async ({ driver, later }) => {
    const large = await driver.write(pieces(pattern(300_000)), 300_000)
    assert.deepEqual(await idsOf(driver, later()), [large])
    assert.deepEqual(await idsOf(driver, 0), [])
  })

  each('a bit that turned is never served, is told, and is put aside', async ({ driver, rot }) => {
    if (!rot) return
    for (const size of [500, 600_000]) {
      const id = await driver.write(pieces(pattern(size)), size)
      await rot(id)
      assert.equal(await driver.verify(id), 'bad')
      await assert.rejects(all(driver, id, 0, size - 1), (thrown) => isFault(thrown, 'unavailable'))
      await driver.quarantine(id)
    }
  })

  each('a name of its own making opens nothing', async ({ driver }) => {
    for (const id of ['../../etc/passwd', 'f-../../../etc/passwd-1', `p-${'.'.repeat(32)}-0-1-0`, '', 'f-', '/etc/passwd']) {
      await assert.rejects(all(driver, id, 0, 0), id)
    }
  })
}

export function pattern(size: number, seed = 7): Buffer {
  const out = Buffer.allocUnsafe(size)
  let value = (seed * 2_654_435_761) >>> 0
  for (let i = 0; i < size; i++) {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0
    out[i] = value >>> 24
  }
  return out
}

export async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_001) yield bytes.subarray(at, at + 50_001)
}

async function idsOf(driver: BytesDriver, before: number): Promise<string[]> {
  const ids: string[] = []
  for await (const id of driver.list(before)) ids.push(id)
  return ids
}

const sum = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')

export async function all(driver: BytesDriver, id: string, start: number, end: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of await driver.read(id, start, end)) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
