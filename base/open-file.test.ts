import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openFile, pace, type Pace } from './open-file.ts'

test('a disk that was slow is left to the threads for fifty times as long; a busy processor or a machine that stands still is no slow disk', async () => {
  let now = 0
  let queued = 1000
  let yields = 5
  const disk = pace({ now: () => now, waits: () => ({ queued, yields }) })
  const where = (ms: number, inQueue = 0, yielded = 1): Promise<string> => Promise.resolve(disk.run(() => ((now += ms), (queued += inQueue), (yields += yielded), 'here'), () => Promise.resolve('there')))
  assert.equal(await where(2), 'here')
  // After this one it is looked what the next ones wait for.
  assert.equal(await where(10), 'here')
  assert.equal(await where(20, 19), 'here')
  assert.equal(await where(20, 0, 0), 'here')
  assert.equal(await where(10, 1), 'here')
  assert.equal(await where(0), 'there')
  now += 499
  assert.equal(await where(0), 'there')
  now += 2
  assert.equal(await where(0), 'here')
  now += 2000
  const broken = (): void => assert.throws(() => disk.run(() => ((now += 3), yields++, assert.fail('EIO')), () => Promise.resolve()), /EIO/)
  broken()
  assert.equal(await where(0), 'here')
  broken()
  assert.equal(await where(0), 'there')
})

test('files are the same whoever reads and writes them', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-open-file-'))
  try {
    let turn = 0
    const here: Pace = { run: (one) => one() }
    const there: Pace = { run: (_, one) => one() }
    const mixed: Pace = { run: (one, other) => (turn++ % 2 === 0 ? one() : other()) }
    for (const [i, disk] of [here, there, mixed].entries()) {
      const path = join(dir, String(i))
      const file = await openFile(path, 'wx', disk)
      await file.write(Buffer.from('behind'), 5)
      await file.write(Buffer.from('first'), 0)
      await file.close()
      assert.equal(await readFile(path, 'utf8'), 'firstbehind')
      await assert.rejects(openFile(path, 'wx', disk), { code: 'EEXIST' })
      const again = await openFile(path, 'r', disk)
      const buffer = Buffer.alloc(20)
      assert.equal(await again.read(buffer, 4, 3), 4)
      assert.equal(buffer.toString('latin1', 0, 4), 'stbe')
      assert.equal(await again.read(buffer, 20, 9), 2)
      await again.close()
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
