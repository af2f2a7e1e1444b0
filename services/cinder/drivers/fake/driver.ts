/**
 * The fake volume driver: the specification of every other. It has every ability that can be had without hardware, keeps the same order
 * per volume, and makes and reads real image files, so that the whole cloud runs on it.
 */
import { open, readFile, stat, writeFile } from 'node:fs/promises'
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import type { Backupable, GroupSnapshotable, ImageWritable, Manageable, Revertable, SnapshotRef, VolumeDriver, VolumeSource } from '../interface.ts'
import { GIB, checkConnectionId, checkConnector, checkSizeGb, checkSnapshot, checkVolumeId, checkWish, volumeLine } from '../names.ts'
import { type Blocks, type FakeVerb, type FakeVolume, type FakeVolumeBackend, readBlocks, writeBlocks } from './backend.ts'
import { qcow2File } from './qcow2-file.ts'

export type FakeVolumeDriver = VolumeDriver & {
  readonly revertable: Revertable
  readonly imageWritable: ImageWritable
  readonly backupable: Backupable
  readonly manageable: Manageable
  readonly groupSnapshotable: GroupSnapshotable
}

const MIB = 2 ** 20
const ZEROS = Buffer.alloc(4 * MIB)

function isZero(chunk: Uint8Array): boolean {
  return chunk.length <= ZEROS.length && ZEROS.compare(chunk, 0, chunk.length, 0, chunk.length) === 0
}

export function fakeVolumeDriver(backend: FakeVolumeBackend, world: World): FakeVolumeDriver {
  const { volumes } = backend
  const line = volumeLine()
  const doing = <T>(verb: FakeVerb, volumeId: string, work: () => Promise<T> | T): Promise<T> =>
    line(volumeId, async () => {
      await backend.enter(verb, world.clock)
      return work()
    })

  function need(volumeId: string): FakeVolume {
    const volume = volumes.get(volumeId)
    if (!volume) throw notFound(`Volume ${volumeId} could not be found.`)
    return volume
  }
  function needSnapshot({ volume_id, snapshot_id }: SnapshotRef): { size: number; blocks: Blocks } {
    const snapshot = need(volume_id).snapshots.get(snapshot_id)
    if (!snapshot) throw notFound(`Snapshot ${snapshot_id} could not be found.`)
    return snapshot
  }
  function needIdle(volumeId: string, volume: FakeVolume): void {
    if (volume.connections.size > 0) throw conflict(`Volume ${volumeId} is connected.`, { code: 'volume.connected' })
    if (volume.snapshots.size > 0) throw conflict(`Volume ${volumeId} has snapshots.`, { code: 'volume.has_snapshots' })
  }
  function take({ volume_id, snapshot_id }: SnapshotRef): void {
    const volume = need(volume_id)
    if (!volume.snapshots.has(snapshot_id)) volume.snapshots.set(snapshot_id, { size: volume.size, blocks: new Map(volume.blocks) })
  }
  const contents = (of: { volume_id: string; snapshot_id?: string }): { size: number; blocks: Blocks } =>
    of.snapshot_id === undefined ? need(of.volume_id) : needSnapshot({ volume_id: of.volume_id, snapshot_id: of.snapshot_id })

  async function fill(source: VolumeSource): Promise<{ size: number; blocks: Blocks }> {
    if (source.from === 'blank') return { size: 0, blocks: new Map() }
    if (source.from === 'image') return readImage(source.path, source.format)
    const { size, blocks } = contents(source.from === 'volume' ? { volume_id: source.volume_id } : source)
    return { size, blocks: new Map(blocks) }
  }

  return {
    async facts() {
      await backend.enter('facts', world.clock)
      const provisioned = [...volumes.values()].reduce((sum, volume) => sum + volume.size / GIB, 0)
      return {
        pool_name: backend.pool_name,
        storage_protocol: 'fake',
        vendor_name: 'Ondol',
        driver_version: '1.0',
        total_capacity_gb: backend.total_gb,
        free_capacity_gb: Math.max(0, backend.total_gb - provisioned),
        provisioned_capacity_gb: provisioned,
        thin_provisioning_support: true,
        multiattach: true,
        online_extend_support: true,
      }
    },
    async list() {
      await backend.enter('list', world.clock)
      return [...volumes].map(([volume_id, volume]) => ({ volume_id, size: volume.size, connection_ids: [...volume.connections.keys()] }))
    },
    async listSnapshots(volumeId) {
      checkVolumeId(volumeId)
      return doing('listSnapshots', volumeId, () => [...need(volumeId).snapshots.keys()])
    },
    async ensureVolume(wish) {
      const size = checkWish(wish)
      return doing('ensureVolume', wish.volume_id, async () => {
        const present = volumes.get(wish.volume_id)
        if (present) return { size: present.size }
        const filled = await fill(wish.source)
        if (filled.size > size) throw invalid(`The volume must be at least ${Math.ceil(filled.size / GIB)} GiB for what it is made from.`, { field: 'size' })
        volumes.set(wish.volume_id, { size, blocks: filled.blocks, snapshots: new Map(), connections: new Map() })
        return { size }
      })
    },
    async ensureNoVolume(volumeId) {
      checkVolumeId(volumeId)
      await doing('ensureNoVolume', volumeId, () => {
        const volume = volumes.get(volumeId)
        if (!volume) return
        needIdle(volumeId, volume)
        volumes.delete(volumeId)
      })
    },
    async ensureSnapshot(snapshot) {
      checkSnapshot(snapshot)
      await doing('ensureSnapshot', snapshot.volume_id, () => take(snapshot))
    },
    async ensureNoSnapshot(snapshot) {
      checkSnapshot(snapshot)
      await doing('ensureNoSnapshot', snapshot.volume_id, () => {
        volumes.get(snapshot.volume_id)?.snapshots.delete(snapshot.snapshot_id)
      })
    },
    async extend(volumeId, sizeGb) {
      checkVolumeId(volumeId)
      const size = checkSizeGb(sizeGb)
      return doing('extend', volumeId, () => {
        const volume = need(volumeId)
        if (volume.size > size) throw invalid(`Volume ${volumeId} has ${volume.size / GIB} GiB; it cannot become smaller.`, { field: 'new_size' })
        volume.size = size
        return { size }
      })
    },
    async connect(volumeId, connector) {
      checkVolumeId(volumeId)
      checkConnector(connector)
      return doing('connect', volumeId, () => {
        const { connections } = need(volumeId)
        const { connection_id, host } = connector
        const mode = connections.get(connection_id)?.mode ?? connector.mode ?? 'rw'
        connections.set(connection_id, { host, mode })
        return { driver_volume_type: 'fake', data: { volume_id: volumeId, connection_id, format: 'raw', access_mode: mode, serial: volumeId, encrypted: false, qos_specs: null } }
      })
    },
    async disconnect(volumeId, connectionId) {
      checkVolumeId(volumeId)
      checkConnectionId(connectionId)
      await doing('disconnect', volumeId, () => {
        volumes.get(volumeId)?.connections.delete(connectionId)
      })
    },
    async close() {},

    revertable: {
      async revertToSnapshot(snapshot) {
        checkSnapshot(snapshot)
        await doing('revertToSnapshot', snapshot.volume_id, () => {
          const { blocks } = needSnapshot(snapshot)
          const volume = need(snapshot.volume_id)
          if (volume.connections.size > 0) throw conflict(`Volume ${snapshot.volume_id} is connected.`, { code: 'volume.connected' })
          volume.blocks = new Map(blocks)
        })
      },
    },
    imageWritable: {
      /** A raw file ends after the last MiB that was written to: the rest of a fake disk costs nothing. */
      async writeImage(of, target) {
        checkVolumeId(of.volume_id)
        const { size, blocks } = await doing('writeImage', of.volume_id, () => {
          const found = contents(of)
          return { size: found.size, blocks: new Map(found.blocks) }
        })
        if (target.format === 'qcow2') await writeFile(target.path, qcow2File(size, blocks))
        else await writeRaw(target.path, size, blocks)
        return { size: (await stat(target.path)).size, virtual_size: size }
      },
    },
    backupable: {
      async *readVolume(of) {
        checkVolumeId(of.volume_id)
        const { size, blocks } = await doing('readVolume', of.volume_id, () => {
          const found = contents(of)
          return { size: found.size, blocks: new Map(found.blocks) }
        })
        for (let at = 0; at < size; at += 4 * MIB) yield blocks.size === 0 ? ZEROS.subarray(0, Math.min(4 * MIB, size - at)) : readBlocks(blocks, at, Math.min(4 * MIB, size - at))
      },
      async writeVolume(volumeId, bytes) {
        checkVolumeId(volumeId)
        const size = await doing('writeVolume', volumeId, () => {
          needIdle(volumeId, need(volumeId))
          return need(volumeId).size
        })
        const blocks: Blocks = new Map()
        let at = 0
        for await (const chunk of bytes) {
          if (at + chunk.length > size) throw invalid('The data is larger than the volume.', { field: 'size' })
          // Most of a fake disk was never written.
          if (!isZero(chunk)) writeBlocks(blocks, at, chunk)
          at += chunk.length
        }
        await line(volumeId, async () => {
          needIdle(volumeId, need(volumeId))
          need(volumeId).blocks = blocks
        })
      },
    },
    manageable: {
      async listManageable() {
        return [...backend.manageable].map(([source_name, { size }]) => ({ source_name, size_gb: Math.max(1, Math.ceil(size / GIB)), safe_to_manage: true }))
      },
      async ensureManaged(volumeId, sourceName) {
        checkVolumeId(volumeId)
        if (!/^[\w][\w.-]*$/.test(sourceName)) throw invalid('A manageable disk is named by a plain name.', { field: 'source-name' })
        return doing('ensureManaged', volumeId, () => {
          const present = volumes.get(volumeId)
          if (present) return { size_gb: present.size / GIB }
          const source = backend.manageable.get(sourceName)
          if (!source) throw notFound(`There is no manageable disk ${sourceName}.`)
          backend.manageable.delete(sourceName)
          const size_gb = Math.max(1, Math.ceil(source.size / GIB))
          volumes.set(volumeId, { size: size_gb * GIB, blocks: source.blocks, snapshots: new Map(), connections: new Map() })
          return { size_gb }
        })
      },
      async ensureUnmanaged(volumeId) {
        checkVolumeId(volumeId)
        await doing('ensureUnmanaged', volumeId, () => {
          const volume = volumes.get(volumeId)
          if (!volume) return
          needIdle(volumeId, volume)
          backend.manageable.set(`volume-${volumeId}`, { size: volume.size, blocks: volume.blocks })
          volumes.delete(volumeId)
        })
      },
    },
    groupSnapshotable: {
      async ensureGroupSnapshot(snapshots) {
        for (const each of snapshots) checkSnapshot(each)
        await backend.enter('ensureGroupSnapshot', world.clock)
        for (const each of snapshots) need(each.volume_id)
        for (const each of snapshots) take(each)
      },
    },
  }
}

/** Of a raw image its bytes; of any other format what its size says: the fake reads no tables. */
async function readImage(path: string, format: string): Promise<{ size: number; blocks: Blocks }> {
  const blocks: Blocks = new Map()
  if (format === 'qcow2') return { size: Number((await readFile(path)).readBigUInt64BE(24)), blocks }
  const { size } = await stat(path)
  if (format !== 'raw') return { size, blocks }
  const handle = await open(path, 'r')
  try {
    const chunk = Buffer.alloc(MIB)
    for (let at = 0; at < size; at += MIB) {
      const { bytesRead } = await handle.read(chunk, 0, MIB, at)
      writeBlocks(blocks, at, chunk.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
  return { size, blocks }
}

async function writeRaw(path: string, size: number, blocks: Blocks): Promise<void> {
  const last = Math.max(0, ...blocks.keys())
  const handle = await open(path, 'w', 0o600)
  try {
    await handle.truncate(Math.min(size, (Math.floor(last / MIB) + 1) * MIB))
    for (const [offset, block] of blocks) await handle.write(block, 0, block.length, offset)
  } finally {
    await handle.close()
  }
}
