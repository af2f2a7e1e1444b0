/**
 * What every volume driver must do, whatever is behind it: the fake and the real ones run the same tests. A driver's test file gives
 * a bench, which stands in for the hosts that use the volumes.
 *
 *     volumeDriverConformance('fake', async () => fakeBench())
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isFault, type FaultKind } from '#base/fault.ts'
import type { ConnectionInfo, VolumeDriver, VolumeSource } from './interface.ts'

export interface VolumeBench {
  /** A new driver on the same backend, as after a restart of our process. */
  open(): Promise<VolumeDriver>
  /** As the host of a guest does; rejects when the connection was cut off. Offsets and lengths are multiples of 512. */
  write(connection: ConnectionInfo, offset: number, bytes: Buffer): Promise<void>
  read(connection: ConnectionInfo, offset: number, length: number): Promise<Buffer>
  /** Puts a raw disk where the driver finds manageable ones; absent where the driver cannot manage. */
  placeManageable?(name: string, bytes: Buffer): Promise<void>
  /** An empty folder for image files. */
  folder: string
  /** Ends everything. */
  dispose(): Promise<void>
}

const GIB = 2 ** 30
const BLOCK = 4096

const filled = (letter: string): Buffer => Buffer.alloc(BLOCK, letter)

async function rejects(kind: FaultKind, work: () => Promise<unknown>): Promise<void> {
  await assert.rejects(work, (thrown) => {
    if (!isFault(thrown, kind)) throw thrown
    return true
  })
}

export function volumeDriverConformance(name: string, makeBench: () => Promise<VolumeBench>, options: { skip?: string | false } = {}): void {
  describe(`volume driver ${name}`, { skip: options.skip ?? false }, () => {
    let bench: VolumeBench
    let driver: VolumeDriver
    before(async () => {
      bench = await makeBench()
      driver = await bench.open()
    })
    after(async () => {
      await driver?.close()
      await bench?.dispose()
    })

    const makeVolume = async (size_gb = 1, source: VolumeSource = { from: 'blank' }): Promise<string> => {
      const volume_id = randomUUID()
      await driver.ensureVolume({ volume_id, size_gb, source })
      return volume_id
    }
    const connect = (volumeId: string, connection_id = 'a1'): Promise<ConnectionInfo> => driver.connect(volumeId, { connection_id, host: 'compute-1' })
    const readAll = async (volumeId: string, offset = 0): Promise<string> => {
      const info = await connect(volumeId, 'reading')
      const bytes = await bench.read(info, offset, BLOCK)
      await driver.disconnect(volumeId, 'reading')
      return bytes.toString('latin1')
    }
    const holding = async (letter: string, source?: VolumeSource, size_gb = 1): Promise<string> => {
      const volumeId = await makeVolume(size_gb, source)
      const info = await connect(volumeId, 'writing')
      await bench.write(info, 0, filled(letter))
      await driver.disconnect(volumeId, 'writing')
      return volumeId
    }
    const sizeOf = async (volumeId: string): Promise<number | undefined> => (await driver.list()).find((each) => each.volume_id === volumeId)?.size

    test('facts are true in themselves', async () => {
      const facts = await driver.facts()
      assert.ok(facts.total_capacity_gb > 0)
      assert.ok(facts.free_capacity_gb >= 0 && facts.free_capacity_gb <= facts.total_capacity_gb)
      const before_ = facts.provisioned_capacity_gb
      await makeVolume(3)
      assert.equal(Math.round((await driver.facts()).provisioned_capacity_gb - before_), 3)
    })

    test('a volume is blank, has its size, and is made once', async () => {
      const volumeId = randomUUID()
      const wish = { volume_id: volumeId, size_gb: 2, source: { from: 'blank' as const } }
      assert.equal((await driver.ensureVolume(wish)).size, 2 * GIB)
      const info = await connect(volumeId)
      assert.equal((await bench.read(info, 2 * GIB - BLOCK, BLOCK)).toString('latin1'), '\0'.repeat(BLOCK))
      await bench.write(info, 2 * GIB - BLOCK, filled('a'))
      assert.equal((await driver.ensureVolume(wish)).size, 2 * GIB)
      assert.deepEqual(await bench.read(info, 2 * GIB - BLOCK, BLOCK), filled('a'))
      await driver.disconnect(volumeId, 'a1')
    })

    test('connecting is the same twice, disconnecting cuts off one and not the others', async () => {
      const volumeId = await makeVolume()
      const one = await connect(volumeId, 'one')
      const two = await connect(volumeId, 'two')
      assert.deepEqual(await connect(volumeId, 'one'), one)
      assert.notDeepEqual(one.data, two.data)
      assert.equal(one.data.volume_id, volumeId)
      await bench.write(one, 0, filled('x'))
      assert.deepEqual(await bench.read(two, 0, BLOCK), filled('x'))
      assert.deepEqual((await driver.list()).find((each) => each.volume_id === volumeId)?.connection_ids.toSorted(), ['one', 'two'])
      await driver.disconnect(volumeId, 'one')
      await driver.disconnect(volumeId, 'one')
      await assert.rejects(bench.write(one, 0, filled('y')))
      assert.deepEqual(await bench.read(two, 0, BLOCK), filled('x'))
      await driver.disconnect(volumeId, 'two')
      await assert.rejects(bench.read(two, 0, BLOCK))
    })

    test('a connection for reading cannot write', async () => {
      const volumeId = await holding('r')
      const info = await driver.connect(volumeId, { connection_id: 'ro', host: 'compute-1', mode: 'ro' })
      assert.equal(info.data.access_mode, 'ro')
      await assert.rejects(bench.write(info, 0, filled('w')))
      assert.deepEqual(await bench.read(info, 0, BLOCK), filled('r'))
      await driver.disconnect(volumeId, 'ro')
    })

    test('a volume is deleted once nobody needs it', async () => {
      const volumeId = await makeVolume()
      const snapshot = { volume_id: volumeId, snapshot_id: randomUUID() }
      await driver.ensureSnapshot(snapshot)
      await connect(volumeId)
      await rejects('conflict', () => driver.ensureNoVolume(volumeId))
      await driver.disconnect(volumeId, 'a1')
      await rejects('conflict', () => driver.ensureNoVolume(volumeId))
      await driver.ensureNoSnapshot(snapshot)
      await driver.ensureNoVolume(volumeId)
      await driver.ensureNoVolume(volumeId)
      assert.equal(await sizeOf(volumeId), undefined)
      await driver.ensureNoSnapshot(snapshot)
      await driver.disconnect(volumeId, 'a1')
      await rejects('not_found', () => connect(volumeId))
    })

    test('a snapshot of a connected volume is taken at one moment, once', async () => {
      const volumeId = await makeVolume()
      const info = await connect(volumeId)
      await bench.write(info, 0, filled('1'))
      const snapshot = { volume_id: volumeId, snapshot_id: randomUUID() }
      await driver.ensureSnapshot(snapshot)
      await bench.write(info, 0, filled('2'))
      await driver.ensureSnapshot(snapshot)
      assert.deepEqual(await driver.listSnapshots(volumeId), [snapshot.snapshot_id])
      const made = await makeVolume(2, { from: 'snapshot', ...snapshot })
      assert.equal(await readAll(made), '1'.repeat(BLOCK))
      assert.equal(await sizeOf(made), 2 * GIB)
      assert.deepEqual(await bench.read(info, 0, BLOCK), filled('2'))
      await driver.ensureNoSnapshot(snapshot)
      await driver.ensureNoSnapshot(snapshot)
      assert.deepEqual(await driver.listSnapshots(volumeId), [])
      assert.equal(await readAll(made), '1'.repeat(BLOCK))
      await rejects('not_found', () => makeVolume(1, { from: 'snapshot', ...snapshot }))
      await driver.disconnect(volumeId, 'a1')
    })

    test('a volume is made from another that is connected, and does not depend on it', async () => {
      const source = await makeVolume()
      const info = await connect(source)
      await bench.write(info, 8 * BLOCK, filled('s'))
      const made = await makeVolume(1, { from: 'volume', volume_id: source })
      await bench.write(info, 8 * BLOCK, filled('t'))
      await driver.disconnect(source, 'a1')
      await driver.ensureNoVolume(source)
      assert.equal(await readAll(made, 8 * BLOCK), 's'.repeat(BLOCK))
      assert.deepEqual(await driver.listSnapshots(made), [])
      await rejects('not_found', () => makeVolume(1, { from: 'volume', volume_id: source }))
    })

    test('a volume is made from an image, and is no smaller', async () => {
      const path = join(bench.folder, 'small.raw')
      await writeFile(path, Buffer.concat([filled('i'), filled('j')]))
      const made = await makeVolume(1, { from: 'image', path, format: 'raw' })
      assert.equal(await readAll(made), 'i'.repeat(BLOCK))
      assert.equal(await readAll(made, BLOCK), 'j'.repeat(BLOCK))
      const large = await makeVolume(2)
      await rejects('invalid', () => makeVolume(1, { from: 'volume', volume_id: large }))
    })

    test('a wish that failed leaves nothing', async () => {
      const volume_id = randomUUID()
      await rejects('not_found', () => driver.ensureVolume({ volume_id, size_gb: 1, source: { from: 'volume', volume_id: randomUUID() } }))
      assert.equal(await sizeOf(volume_id), undefined)
      await rejects('not_found', () => connect(volume_id))
      await driver.ensureVolume({ volume_id, size_gb: 1, source: { from: 'blank' } })
      assert.equal(await sizeOf(volume_id), GIB)
    })

    test('a volume grows, connected or not, and never shrinks', async () => {
      const volumeId = await holding('g')
      await driver.ensureSnapshot({ volume_id: volumeId, snapshot_id: randomUUID() })
      assert.equal((await driver.extend(volumeId, 2)).size, 2 * GIB)
      assert.equal((await driver.extend(volumeId, 2)).size, 2 * GIB)
      const info = await connect(volumeId)
      assert.equal((await driver.extend(volumeId, 3)).size, 3 * GIB)
      await bench.write(info, 3 * GIB - BLOCK, filled('z'))
      assert.deepEqual(await bench.read(info, 3 * GIB - BLOCK, BLOCK), filled('z'))
      assert.deepEqual(await bench.read(info, 0, BLOCK), filled('g'))
      await rejects('invalid', () => driver.extend(volumeId, 1))
      assert.equal(await sizeOf(volumeId), 3 * GIB)
      await driver.disconnect(volumeId, 'a1')
    })

    test('what a guest writes is never taken for a description of a disk', async () => {
      const header = Buffer.alloc(BLOCK)
      header.write('QFI\xfb', 0, 'latin1')
      header.writeUInt32BE(3, 4)
      header.writeBigUInt64BE(512n, 8)
      header.writeUInt32BE(11, 16)
      header.writeUInt32BE(16, 20)
      header.writeBigUInt64BE(BigInt(7 * GIB), 24)
      header.write('/etc/passwd', 512)
      const volumeId = await makeVolume()
      const info = await connect(volumeId)
      await bench.write(info, 0, header)
      const snapshot = { volume_id: volumeId, snapshot_id: randomUUID() }
      await driver.ensureSnapshot(snapshot)
      await driver.extend(volumeId, 2)
      const copies = [await makeVolume(2, { from: 'volume', volume_id: volumeId }), await makeVolume(2, { from: 'snapshot', ...snapshot })]
      for (const copy of copies) {
        assert.equal(await sizeOf(copy), 2 * GIB)
        assert.equal(await readAll(copy), header.toString('latin1'))
      }
      if (driver.imageWritable) {
        const path = join(bench.folder, 'trick.raw')
        await driver.imageWritable.writeImage({ volume_id: volumeId }, { path, format: 'raw' })
        const again = await makeVolume(2, { from: 'image', path, format: 'raw' })
        assert.equal(await readAll(again), header.toString('latin1'))
      }
      await driver.disconnect(volumeId, 'a1')
    })

    test('calls at the same time for one volume bring about one thing', async () => {
      const volumeId = randomUUID()
      const wish = { volume_id: volumeId, size_gb: 1, source: { from: 'blank' as const } }
      await Promise.all([driver.ensureVolume(wish), driver.ensureVolume(wish)])
      const snapshot = { volume_id: volumeId, snapshot_id: randomUUID() }
      const [one, two] = await Promise.all([connect(volumeId), connect(volumeId), driver.ensureSnapshot(snapshot), driver.ensureSnapshot(snapshot), driver.extend(volumeId, 2)])
      assert.deepEqual(one, two)
      await bench.write(one, 0, filled('c'))
      await Promise.all([driver.disconnect(volumeId, 'a1'), driver.disconnect(volumeId, 'a1'), driver.ensureNoSnapshot(snapshot)])
      await Promise.all([driver.ensureNoVolume(volumeId), driver.ensureNoVolume(volumeId)])
      assert.equal(await sizeOf(volumeId), undefined)
    })

    test('a new driver finds everything, and what was connected stayed so', async () => {
      const volumeId = await makeVolume()
      const snapshot = { volume_id: volumeId, snapshot_id: randomUUID() }
      const info = await connect(volumeId)
      await bench.write(info, 0, filled('k'))
      await driver.ensureSnapshot(snapshot)
      await driver.close()
      assert.deepEqual(await bench.read(info, 0, BLOCK), filled('k'))
      await bench.write(info, 0, filled('l'))
      driver = await bench.open()
      assert.deepEqual(await bench.read(info, 0, BLOCK), filled('l'))
      assert.deepEqual(await connect(volumeId), info)
      assert.deepEqual(await driver.listSnapshots(volumeId), [snapshot.snapshot_id])
      await driver.disconnect(volumeId, 'a1')
      await assert.rejects(bench.read(info, 0, BLOCK))
    })

    test('what is not there or not named rightly is refused', async () => {
      const nobody = randomUUID()
      await rejects('not_found', () => driver.extend(nobody, 2))
      await rejects('not_found', () => connect(nobody))
      await rejects('not_found', () => driver.listSnapshots(nobody))
      await rejects('not_found', () => driver.ensureSnapshot({ volume_id: nobody, snapshot_id: randomUUID() }))
      await rejects('invalid', () => driver.ensureVolume({ volume_id: '../../etc', size_gb: 1, source: { from: 'blank' } }))
      await rejects('invalid', () => driver.ensureVolume({ volume_id: nobody, size_gb: 0, source: { from: 'blank' } }))
      await rejects('invalid', () => driver.ensureNoVolume('..'))
      await rejects('invalid', () => connect(nobody, 'a/b'))
    })

    test('ability: revert to a snapshot', async (t) => {
      if (!driver.revertable) return t.skip('the driver has no such ability')
      const volumeId = await holding('o')
      const snapshot = { volume_id: volumeId, snapshot_id: randomUUID() }
      await driver.ensureSnapshot(snapshot)
      await driver.extend(volumeId, 2)
      const info = await connect(volumeId)
      await bench.write(info, 0, filled('n'))
      await rejects('conflict', () => driver.revertable!.revertToSnapshot(snapshot))
      await driver.disconnect(volumeId, 'a1')
      await driver.revertable.revertToSnapshot(snapshot)
      await driver.revertable.revertToSnapshot(snapshot)
      assert.equal(await readAll(volumeId), 'o'.repeat(BLOCK))
      assert.equal(await sizeOf(volumeId), 2 * GIB)
      assert.deepEqual(await driver.listSnapshots(volumeId), [snapshot.snapshot_id])
      await rejects('not_found', () => driver.revertable!.revertToSnapshot({ volume_id: volumeId, snapshot_id: randomUUID() }))
    })

    test('ability: write an image, of a connected volume and of a snapshot', async (t) => {
      if (!driver.imageWritable) return t.skip('the driver has no such ability')
      const volumeId = await makeVolume()
      const info = await connect(volumeId)
      await bench.write(info, BLOCK, filled('p'))
      const snapshot = { volume_id: volumeId, snapshot_id: randomUUID() }
      await driver.ensureSnapshot(snapshot)
      await bench.write(info, BLOCK, filled('q'))
      for (const [of, letter] of [[{ volume_id: volumeId }, 'q'], [snapshot, 'p']] as const) {
        const path = join(bench.folder, `out-${letter}.raw`)
        const facts = await driver.imageWritable.writeImage(of, { path, format: 'raw' })
        assert.equal(facts.virtual_size, GIB)
        assert.equal((await readFile(path)).subarray(BLOCK, 2 * BLOCK).toString(), letter.repeat(BLOCK))
        const qcow2 = { path: join(bench.folder, `out-${letter}.qcow2`), format: 'qcow2' as const }
        assert.ok((await driver.imageWritable.writeImage(of, qcow2)).size < 2 ** 21)
        assert.equal((await readFile(qcow2.path)).toString('latin1', 0, 4), 'QFI\xfb')
        assert.equal((await readFile(qcow2.path)).readBigUInt64BE(24), BigInt(GIB))
      }
      assert.deepEqual(await driver.listSnapshots(volumeId), [snapshot.snapshot_id])
      await driver.disconnect(volumeId, 'a1')
      await rejects('not_found', () => driver.imageWritable!.writeImage({ volume_id: randomUUID() }, { path: join(bench.folder, 'x'), format: 'raw' }))
    })

    test('ability: back up and restore', async (t) => {
      if (!driver.backupable) return t.skip('the driver has no such ability')
      const { backupable } = driver
      const volumeId = await makeVolume()
      const info = await connect(volumeId)
      await bench.write(info, 3 * BLOCK, filled('b'))
      let size = 0
      const kept: Buffer[] = []
      for await (const chunk of backupable.readVolume({ volume_id: volumeId })) {
        assert.ok(chunk.length <= 4 * 2 ** 20)
        if (size < 2 ** 20) kept.push(Buffer.from(chunk))
        size += chunk.length
      }
      assert.equal(size, GIB)
      const first = Buffer.concat(kept)
      await rejects('conflict', () => backupable.writeVolume(volumeId, chunks([first])))
      await driver.disconnect(volumeId, 'a1')
      const target = await holding('old')
      await backupable.writeVolume(target, chunks([first]))
      assert.equal(await readAll(target, 3 * BLOCK), 'b'.repeat(BLOCK))
      assert.equal(await readAll(target), '\0'.repeat(BLOCK))
      assert.equal(await sizeOf(target), GIB)
      await assert.rejects(backupable.writeVolume(target, chunks([filled('!')], new Error('lost'))), /lost/)
      assert.equal(await readAll(target, 3 * BLOCK), 'b'.repeat(BLOCK))
    })

    test('ability: take over a disk and give it back', async (t) => {
      if (!driver.manageable || !bench.placeManageable) return t.skip('the driver has no such ability')
      const { manageable } = driver
      await bench.placeManageable('legacy.raw', Buffer.concat([filled('m'), filled('n')]))
      assert.deepEqual(await manageable.listManageable(), [{ source_name: 'legacy.raw', size_gb: 1, safe_to_manage: true }])
      const volumeId = randomUUID()
      assert.deepEqual(await manageable.ensureManaged(volumeId, 'legacy.raw'), { size_gb: 1 })
      assert.deepEqual(await manageable.listManageable(), [])
      assert.deepEqual(await manageable.ensureManaged(volumeId, 'legacy.raw'), { size_gb: 1 })
      assert.equal(await readAll(volumeId, BLOCK), 'n'.repeat(BLOCK))
      const info = await connect(volumeId)
      await rejects('conflict', () => manageable.ensureUnmanaged(volumeId))
      await bench.write(info, 0, filled('u'))
      await driver.disconnect(volumeId, 'a1')
      await manageable.ensureUnmanaged(volumeId)
      await manageable.ensureUnmanaged(volumeId)
      assert.equal(await sizeOf(volumeId), undefined)
      const [given] = await manageable.listManageable()
      assert.equal(given?.size_gb, 1)
      const again = randomUUID()
      await manageable.ensureManaged(again, given!.source_name)
      assert.equal(await readAll(again), 'u'.repeat(BLOCK))
      await rejects('invalid', () => manageable.ensureManaged(randomUUID(), '../x.raw'))
      await rejects('not_found', () => manageable.ensureManaged(randomUUID(), 'absent.raw'))
    })

    test('ability: snapshots of a group at one moment', async (t) => {
      if (!driver.groupSnapshotable) return t.skip('the driver has no such ability')
      const { groupSnapshotable } = driver
      const one = await holding('1')
      const two = await holding('2')
      const snapshots = [one, two].map((volume_id) => ({ volume_id, snapshot_id: randomUUID() }))
      await groupSnapshotable.ensureGroupSnapshot(snapshots)
      await groupSnapshotable.ensureGroupSnapshot(snapshots.toReversed())
      for (const snapshot of snapshots) assert.deepEqual(await driver.listSnapshots(snapshot.volume_id), [snapshot.snapshot_id])
      const more = [one, randomUUID()].map((volume_id) => ({ volume_id, snapshot_id: randomUUID() }))
      await rejects('not_found', () => groupSnapshotable.ensureGroupSnapshot(more))
      assert.deepEqual(await driver.listSnapshots(one), [snapshots[0]!.snapshot_id])
    })
  })
}

async function* chunks(parts: readonly Buffer[], then?: Error): AsyncIterable<Buffer> {
  yield* parts
  if (then) throw then
}
