import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { all, bytesConformance, pattern, pieces, type Subject } from '../drivers/conformance.ts'
import { memoryBytes } from '../drivers/fake/memory-bytes.ts'
import { fileBytes } from '../drivers/files/file-bytes.ts'
import { budget } from '../drivers/s3/budget.ts'
import { s3Bytes } from '../drivers/s3/s3-bytes.ts'
import type { HeldBelow } from '../core/policies.ts'
import { realClock, VirtualClock } from '#base/clock.ts'
import { isFault } from '#base/fault.ts'
import { type FakeStore, fakeStore } from './s3-store.maker.ts'

const hexId = (): string => randomUUID().replaceAll('-', '')

bytesConformance('memory', async () => {
  const driver = memoryBytes(() => 1)
  return { driver, rot: async (id) => driver.rot(id), later: () => 2, close: async () => {} }
})
for (const durability of ['safe', 'fast'] as const) bytesConformance(`files, ${durability}`, () => files(durability))
bytesConformance('s3', s3)

async function s3(): Promise<Subject & { store: FakeStore }> {
  const store = await fakeStore()
  const driver = s3Bytes({ url: store.url, bucket: 'bytes', region: 'us-east-1', access_key: 'key', secret_key: 'secret' }, realClock, hexId)
  return {
    store, driver, later: () => Date.now() + 60_000, close: () => store.close(),
    async rot(id) {
      const { bytes } = [...store.objects].find(([key]) => key.endsWith(id.split('-')[1]!))![1]
      bytes[Math.min(300_000, bytes.length >> 1)]! ^= 1
    },
  }
}

test('a store that is away, lies or breaks off acknowledges nothing', async () => {
  const { store, driver, close, later } = await s3()
  try {
    const away = (thrown: unknown): boolean => isFault(thrown, 'unavailable') && thrown.data.retry_after === 5
    const id = await driver.write(pieces(pattern(1000)), 1000)
    store.lying = true
    await assert.rejects(driver.write(pieces(pattern(1000)), 1000), away)
    await assert.rejects(driver.write(pieces(pattern(9 << 20)), undefined), away)
    store.lying = false
    store.failing = 503
    await assert.rejects(driver.write(pieces(pattern(1000)), 1000), away)
    await assert.rejects(driver.read(id, 0, 9), away)
    store.failing = undefined
    assert.equal((await all(driver, id, 0, 999)).length, 1000)
    const long = await driver.write(pieces(pattern(20 << 20)), undefined)
    assert.deepEqual((await all(driver, long, (5 << 20) - 5, (5 << 20) + 5)), pattern(20 << 20).subarray((5 << 20) - 5, (5 << 20) + 6))
    assert.equal(store.uploads.size, 0)
    const damaged = [...store.objects].find(([key]) => key.endsWith(long.split('-')[1]!))![1].bytes
    damaged[10 << 20]! ^= 1
    await assert.rejects(all(driver, long, 0, (20 << 20) - 1), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'swift.bad_bytes')
    assert.equal((await all(driver, long, 12 << 20, 15 << 20)).length, (3 << 20) + 1)
    assert.equal(await driver.verify(long), 'bad')
    await driver.sweep(later())
  } finally {
    await driver.close()
    await close()
  }
})

test('files of before, with the CRC-32 of 256 KiB each behind them, are read and judged as ever', async () => {
  const subject = await files('fast')
  const { driver, dir } = subject
  try {
    const bytes = pattern(600_001)
    const table = Buffer.concat([0, 1, 2].map((i) => {
      const sum = Buffer.alloc(4)
      sum.writeUInt32LE(crc32(bytes.subarray(i << 18, (i + 1) << 18)))
      return sum
    }))
    const name = `${'ab'.repeat(16)}-${(600_001).toString(36)}`
    await mkdir(join(dir, 'ab'))
    await writeFile(join(dir, 'ab', name), Buffer.concat([bytes, table]))
    const id = `f-${name}`
    assert.deepEqual(await all(driver, id, 0, 600_000), bytes)
    assert.deepEqual(await all(driver, id, 262_100, 524_300), bytes.subarray(262_100, 524_301))
    for await (const one of driver.list(subject.later())) assert.equal(one, id)
    assert.equal(await driver.verify(id), 'good')
    await subject.rot!(id)
    assert.equal(await driver.verify(id), 'bad')
    await assert.rejects(all(driver, id, 270_000, 270_001), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'swift.bad_bytes')
    assert.equal((await all(driver, id, 0, 9)).length, 10)
    await driver.quarantine(id)
    assert.equal(await driver.verify(id), 'missing')
  } finally {
    await subject.close()
  }
})

async function files(durability: 'safe' | 'fast'): Promise<Subject & { dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-bytes-'))
  return {
    dir,
    driver: fileBytes(dir, durability, hexId),
    later: () => Date.now() + 60_000,
    close: () => rm(dir, { recursive: true, force: true }),
    async rot(id) {
      const [kind, hex, first] = id.split('-') as [string, string, string]
      const path = kind === 'p' ? join(dir, 'packs', hex) : join(dir, hex.slice(0, 2), id.slice(2))
      const file = await open(path, 'r+')
      const at = kind === 'p' ? Number.parseInt(first, 36) + 3 : 300_000
      const byte = Buffer.alloc(1)
      await file.read(byte, 0, 1, at)
      byte[0]! ^= 1
      await file.write(byte, 0, 1, at)
      await file.close()
    },
  }
}

test('a pack that is mostly holes is written anew, and who still knows the old places reads on', async () => {
  const { driver, close, dir, later } = await files('fast')
  try {
    const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => driver.write(pieces(pattern(1000, i)), 1000)))
    await driver.close()
    const next = fileBytes(dir, 'fast', hexId)
    const moved = new Map<string, string>()
    const held = async (prefixes: readonly string[]): Promise<HeldBelow[]> => prefixes.map((prefix) => ({ movable: ids.slice(0, 3).filter((id) => id.startsWith(prefix) && !moved.has(id)), fixed: false }))
    await next.compact!(held, async (from, to) => Boolean(moved.set(from, to)), later())
    assert.deepEqual([...moved.keys()], ids.slice(0, 3))
    for (const [i, id] of ids.slice(0, 3).entries()) {
      assert.deepEqual(await all(next, moved.get(id)!, 0, 999), pattern(1000, i))
    }
    // The old pack went at the end of the round, because it was old already.
    assert.equal((await readdir(join(dir, 'packs'))).length, 1)
    await next.close()
  } finally {
    await close()
  }
})

test('uploads to an S3 store hold a bounded memory together, and none waits for ever', async () => {
  const clock = new VirtualClock()
  const room = budget(100, clock)
  const [a, b, c, d] = [{}, {}, {}, {}] as const
  const order: string[] = []
  const take = (name: string, who: object, bytes: number, held: number): Promise<void> => room.take(who, bytes, held).then(() => void order.push(name))
  await take('a', a, 60, 0)
  // Nobody is sending, so one goes on beyond the limit, and that one alone.
  await take('b', b, 50, 20)
  const waits = [take('c', c, 50, 10), take('d', d, 50, 40)]
  await take('b again', b, 10, 70)
  assert.deepEqual(order, ['a', 'b', 'b again'])
  // It falls silent: the one that holds the most is next.
  await clock.advance(1000)
  assert.deepEqual(order, ['a', 'b', 'b again', 'd'])
  room.sending(d)
  await clock.advance(5000)
  assert.equal(order.length, 4, 'while room is on its way back, the others wait for it')
  room.give(d, 90, true)
  await waits[0]
  for (const [who, bytes] of [[a, 60], [b, 20], [c, 50]] as const) room.give(who, bytes, false)
  assert.equal(room.used, 0)

  const { store, driver, close } = await s3()
  try {
    // Far more than may be held, some of them breaking off in the middle.
    const many = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => driver.write((async function* () {
      for (let n = 0; n < 30; n++) {
        if (i % 8 === 0 && n === 20) throw new Error('gone')
        yield pattern(100_000, i)
      }
    })(), undefined)))
    assert.equal(many.filter((one) => one.status === 'fulfilled').length, 35)
    assert.equal(store.uploads.size, 0)
  } finally {
    await driver.close()
    await close()
  }
})
