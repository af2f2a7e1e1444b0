import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openFile, pace, type Pace } from './open-file.ts'

test('a disk that was slow is left to the threads for fifty times as long; a processor that was busy is no slow disk', async () => {
  for (const tells of [true, false]) {
    let now = 0
    let queued = 1000
    const disk = pace({ now: () => now, queued: () => (tells ? queued : undefined) })
    const where = (ms: number, inQueue = 0): Promise<string> => Promise.resolve(disk.run(() => ((now += ms), (queued += inQueue), 'here'), () => Promise.resolve('there')))
    assert.equal(await where(2), 'here')
    assert.equal(await where(10), 'here')
    if (tells) {
      // It is only watched from now on.
      assert.equal(await where(20, 19), 'here')
      assert.equal(await where(10, 1), 'here')
    }
    assert.equal(await where(0), 'there')
    now += 499
    assert.equal(await where(0), 'there')
    now += 2
    assert.equal(await where(0), 'here')
    now += 2000
    const broken = (): void => assert.throws(() => disk.run(() => ((now += 3), assert.fail('EIO')), () => Promise.resolve()), /EIO/)
    broken()
    if (tells) broken()
    assert.equal(await where(0), 'there')
  }
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
