/**
 * What every store of image bytes must do, whatever is behind it.
 *
 *     storeConformance('memory', async () => ({ open: async () => store, dispose: async () => {} }))
 */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { buffer } from 'node:stream/consumers'
import { isFault } from '#base/fault.ts'
import type { StoreDriver } from './interface.ts'

export interface StoreBench {
  /** The driver on this bench; again: as after a restart of our process, where the bytes outlive it. */
  open(): Promise<StoreDriver>
  /** Leaves what a write that was killed leaves, and says how the driver may be seen to have it still; absent where nothing can be left. */
  killedWrite?(): Promise<{ left(): Promise<boolean> }>
  dispose(): Promise<void>
}

async function* chunks(parts: readonly Uint8Array[], then?: Error): AsyncIterable<Uint8Array> {
  yield* parts
  if (then) throw then
}

export function storeConformance(name: string, makeBench: () => Promise<StoreBench>): void {
  describe(`image store ${name}`, () => {
    let bench: StoreBench
    let store: StoreDriver
    before(async () => {
      bench = await makeBench()
      store = await bench.open()
    })
    after(() => bench.dispose())

    const read = async (id: string, range?: { start: number; end?: number }): Promise<Buffer> => buffer((await store.read(id, range)).stream)
    const holding = async (...parts: Uint8Array[]): Promise<string> => {
      const id = randomUUID()
      await store.write(id, chunks(parts))
      return id
    }
    const refused = (kind: Parameters<typeof isFault>[1], work: () => Promise<unknown>): Promise<void> => assert.rejects(work, (thrown) => isFault(thrown, kind))

    test('gives back what it was given, in whole and in ranges', async () => {
      const bytes = randomBytes(3 << 20)
      const id = randomUUID()
      assert.equal(await store.write(id, chunks([bytes.subarray(0, 7), bytes.subarray(7, 2 << 20), bytes.subarray(2 << 20)])), bytes.length)
      assert.equal(await store.size(id), bytes.length)
      assert.ok((await read(id)).equals(bytes))
      const { size, stream } = await store.read(id)
      assert.equal(size, bytes.length)
      stream.destroy()
      assert.ok((await read(id, { start: 5, end: 5 })).equals(bytes.subarray(5, 6)))
      assert.ok((await read(id, { start: 100, end: (1 << 20) + 3 })).equals(bytes.subarray(100, (1 << 20) + 4)))
      assert.ok((await read(id, { start: bytes.length - 9 })).equals(bytes.subarray(-9)))
    })

    test('an image of no bytes is there', async () => {
      const id = await holding()
      assert.equal(await store.size(id), 0)
      assert.equal((await read(id)).length, 0)
    })

    test('a source may use its buffer again', async () => {
      const shared = Buffer.alloc(4)
      const id = randomUUID()
      await store.write(
        id,
        (async function* () {
          for (const letter of 'abc') yield shared.fill(letter)
        })(),
      )
      assert.equal((await read(id)).toString(), 'aaaabbbbcccc')
    })

    test('a write that its source breaks off is not there, and does not touch what was', async () => {
      const absent = randomUUID()
      await assert.rejects(store.write(absent, chunks([randomBytes(10)], new Error('lost'))), /lost/)
      assert.equal(await store.size(absent), undefined)
      await refused('not_found', () => store.read(absent))
      const id = await holding(Buffer.from('whole'))
      await assert.rejects(store.write(id, chunks([Buffer.from('ha')], new Error('lost'))), /lost/)
      assert.equal((await read(id)).toString(), 'whole')
    })

    test('written again, the last word holds', async () => {
      const id = await holding(Buffer.from('first and long'))
      await store.write(id, chunks([Buffer.from('second')]))
      assert.equal((await read(id)).toString(), 'second')
    })

    test('what goes is gone, as often as it is asked', async () => {
      const id = await holding(Buffer.from('x'))
      await store.ensureNo(id)
      await store.ensureNo(id)
      assert.equal(await store.size(id), undefined)
      await refused('not_found', () => store.read(id))
    })

    test('a reader that has begun reads to its end when the image goes', async () => {
      const bytes = randomBytes(2 << 20)
      const id = await holding(bytes)
      const { stream } = await store.read(id)
      await store.ensureNo(id)
      assert.ok((await buffer(stream)).equals(bytes))
    })

    test('moves bytes to another id', async () => {
      const from = await holding(Buffer.from('moved'))
      const staged = `${randomUUID()}.staged`
      await store.move(from, staged)
      assert.equal(await store.size(from), undefined)
      assert.equal((await read(staged)).toString(), 'moved')
    })

    test('lists what there is, and when it was written', async () => {
      const id = await holding(Buffer.from('seven..'))
      const found = (await store.list()).find((each) => each.id === id)
      assert.equal(found?.size, 7)
      assert.ok(Number.isFinite(found?.written_at) && found!.written_at > 0)
    })

    test('takes no name that is not an id', async () => {
      for (const id of ['../x', '', 'x', `${randomUUID()}/../x`, `${randomUUID()}.part`, `${randomUUID()}.staged.x`]) {
        await refused('invalid', () => store.write(id, chunks([])))
        await refused('invalid', () => store.read(id))
        await refused('invalid', () => store.ensureNo(id))
      }
    })

    test('what a killed write left is not listed, and is swept once it is old', async (t) => {
      const left = await bench.killedWrite?.()
      if (!left) return t.skip('nothing can be left')
      const listed = await store.list()
      await store.sweep(0)
      assert.equal(await left.left(), true)
      await store.sweep(Number.MAX_SAFE_INTEGER)
      assert.equal(await left.left(), false)
      assert.deepEqual(await store.list(), listed)
    })

    test('another driver on the same bench finds what was written', async () => {
      const id = await holding(Buffer.from('still here'))
      const again = await bench.open()
      assert.equal((await buffer((await again.read(id)).stream)).toString(), 'still here')
    })
  })
}
