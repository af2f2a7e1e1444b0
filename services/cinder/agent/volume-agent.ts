/** One backend's side of `contract/volume-rpc.ts`: everything ensures, nothing is remembered but what the backend itself keeps. */
import { Fault, invalid, isFault, notImplemented } from '#base/fault.ts'
import type { MessageInfo } from '#base/bus/interface.ts'
import type { RpcServer } from '#base/bus/topic.ts'
import type { VolumeRpc, WishedSource } from '../contract/volume-rpc.ts'
import type { VolumeDriver, VolumeSource } from '../drivers/interface.ts'
import type { BackupStore } from './backup-store.ts'
import type { ImageBytes } from './image-bytes.ts'
import type { ChunkReader } from './chunk-reader.ts'

export interface VolumeAgentParts {
  driver: VolumeDriver
  images: ImageBytes
  backups: BackupStore
  chunks: ChunkReader
  /** The bytes of a volume of another backend, here or on another host. */
  readElsewhere(host: string, volumeId: string): AsyncIterable<Uint8Array>
  report(): Promise<void>
}

export function volumeAgent(parts: VolumeAgentParts): RpcServer<VolumeRpc> {
  const { driver, images, backups, chunks } = parts

  /** Data that comes as a stream goes into a blank volume; one that came only in part is no volume. */
  async function fill(volume_id: string, size_gb: number, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number }> {
    const { backupable } = need(driver, 'backupable', 'take data over')
    const made = await driver.ensureVolume({ volume_id, size_gb, source: { from: 'blank' } })
    try {
      await backupable.writeVolume(volume_id, bytes)
    } catch (thrown) {
      await driver.ensureNoVolume(volume_id)
      throw thrown
    }
    return made
  }

  async function create(volume_id: string, size_gb: number, source: WishedSource, signal: AbortSignal): Promise<{ size: number }> {
    if (source.from === 'backup') return fill(volume_id, size_gb, backups.read(source.backup_id))
    if (source.from !== 'image') return driver.ensureVolume({ volume_id, size_gb, source: source satisfies VolumeSource })
    return images.withImage(source.image_id, (path) => driver.ensureVolume({ volume_id, size_gb, source: { from: 'image', path, format: source.format } }), signal)
  }

  return {
    createVolume: ({ volume_id, size_gb, source }, info: MessageInfo) => create(volume_id, size_gb, source, info.signal),
    async deleteVolume({ volume_id }) {
      try {
        await driver.ensureNoVolume(volume_id)
      } catch (thrown) {
        if (!isFault(thrown, 'conflict') || thrown.code !== 'volume.connected') throw thrown
        const held = (await driver.list()).find((one) => one.volume_id === volume_id)
        for (const id of held?.connection_ids ?? []) await driver.disconnect(volume_id, id)
        await driver.ensureNoVolume(volume_id)
      }
    },
    createSnapshot: (snapshot) => driver.ensureSnapshot(snapshot),
    async createSnapshots({ snapshots }) {
      if (driver.groupSnapshotable) await driver.groupSnapshotable.ensureGroupSnapshot(snapshots)
      else for (const one of snapshots) await driver.ensureSnapshot(one)
    },
    deleteSnapshot: (snapshot) => driver.ensureNoSnapshot(snapshot),
    extend: ({ volume_id, size_gb }) => driver.extend(volume_id, size_gb),
    connect: ({ volume_id, connector }) => driver.connect(volume_id, connector),
    disconnect: ({ volume_id, connection_id }) => driver.disconnect(volume_id, connection_id),
    revert: (snapshot) => need(driver, 'revertable', 'revert volumes to snapshots').revertable.revertToSnapshot(snapshot),
    async reimage({ volume_id, image_id, format, size_gb }, info) {
      // A fresh volume in the old one's place: a half-written one would be neither.
      await images.withImage(
        image_id,
        async (path) => {
          const held = (await driver.list()).find((one) => one.volume_id === volume_id)
          if (held && held.connection_ids.length > 0) throw new Fault('conflict', `Volume ${volume_id} is connected.`)
          await driver.ensureNoVolume(volume_id)
          await driver.ensureVolume({ volume_id, size_gb, source: { from: 'image', path, format } })
        },
        info.signal,
      )
    },
    uploadImage: ({ volume_id, image_id, format }) => images.upload(image_id, (path) => need(driver, 'imageWritable', 'write images').imageWritable.writeImage({ volume_id }, { path, format })),
    async retype({ volume_id, specs }) {
      if (driver.retypable) await driver.retypable.retype(volume_id, specs)
    },
    async migrateIn({ volume_id, size_gb, from }) {
      await fill(volume_id, size_gb, parts.readElsewhere(from, volume_id))
    },
    readChunk: ({ volume_id, session, index }) => chunks.read(session, index, () => need(driver, 'backupable', 'be read').backupable.readVolume({ volume_id })),
    listManageable: async () => ({ volumes: await need(driver, 'manageable', 'take volumes over').manageable.listManageable() }),
    async manage({ volume_id, source_name }) {
      if (source_name === '') throw invalid('reference must contain source-name.', { field: 'ref' })
      return need(driver, 'manageable', 'take volumes over').manageable.ensureManaged(volume_id, source_name)
    },
    unmanage: ({ volume_id }) => need(driver, 'manageable', 'give volumes back').manageable.ensureUnmanaged(volume_id),
    listSnapshots: async ({ volume_id }) => ({ snapshot_ids: await driver.listSnapshots(volume_id) }),
    backup: ({ backup_id, volume_id, snapshot_id, parent_id }) =>
      backups.write(backup_id, need(driver, 'backupable', 'be backed up').backupable.readVolume(snapshot_id === undefined ? { volume_id } : { volume_id, snapshot_id }), parent_id),
    async restore({ volume_id, backup_id }) {
      await need(driver, 'backupable', 'be restored').backupable.writeVolume(volume_id, backups.read(backup_id))
    },
    deleteBackup: ({ backup_id }) => backups.remove(backup_id),
    report: () => parts.report(),
  }
}

type Ability = 'revertable' | 'imageWritable' | 'backupable' | 'manageable'

function need<A extends Ability>(driver: VolumeDriver, ability: A, what: string): Required<Pick<VolumeDriver, A>> {
  if (!driver[ability]) throw notImplemented(`This storage backend cannot ${what}.`)
  return driver as unknown as Required<Pick<VolumeDriver, A>>
}
