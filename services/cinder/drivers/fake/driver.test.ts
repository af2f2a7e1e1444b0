import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { unavailable } from '#base/fault.ts'
import { seededRandom } from '#base/random.ts'
import { world } from '#base/world.ts'
import { volumeDriverConformance } from '../conformance.ts'
import { fakeVolumeBackend, readBlocks, writeBlocks } from './backend.ts'
import { fakeVolumeDriver } from './driver.ts'

volumeDriverConformance('fake', async () => {
  const backend = fakeVolumeBackend()
  const folder = await mkdtemp(join(tmpdir(), 'ondol-volumes-fake-'))
  return {
    folder,
    open: async () => fakeVolumeDriver(backend, world({ random: seededRandom(1) })),
    write: async (connection, offset, bytes) => backend.write(connection, offset, bytes),
    read: async (connection, offset, length) => backend.read(connection, offset, length),
    async placeManageable(name, bytes) {
      const blocks = new Map<number, Uint8Array>()
      writeBlocks(blocks, 0, bytes)
      backend.manageable.set(name, { size: bytes.length, blocks })
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
})

const VOLUME = '11111111-1111-4111-8111-111111111111'

test('the fake fails and is slow when told to', async () => {
  const clock = new VirtualClock()
  const backend = fakeVolumeBackend()
  const driver = fakeVolumeDriver(backend, world({ clock }))
  backend.fail('ensureVolume', unavailable('The array does not answer.'))
  const wish = { volume_id: VOLUME, size_gb: 1, source: { from: 'blank' as const } }
  await assert.rejects(driver.ensureVolume(wish), /array/)
  backend.slow('ensureVolume', 60_000)
  let done = false
  const made = driver.ensureVolume(wish).then(() => (done = true))
  await clock.advance(59_000)
  assert.equal(done, false)
  await clock.advance(1_000)
  await made
  assert.equal(backend.volumes.size, 1)
})

test('blocks keep what was written across their borders, and forget zeros', () => {
  const blocks = new Map<number, Uint8Array>()
  writeBlocks(blocks, 3584, Buffer.alloc(1024, 'x'))
  assert.deepEqual(readBlocks(blocks, 3072, 2048).toString('latin1'), '\0'.repeat(512) + 'x'.repeat(1024) + '\0'.repeat(512))
  writeBlocks(blocks, 0, Buffer.alloc(8192))
  assert.equal(blocks.size, 0)
})
