/**
 * Volumes as qcow2 files, served to guests over NBD by one qemu-storage-daemon per backend. Thin; snapshots are inside the file, so that
 * taking one is a matter of milliseconds and works while a guest writes.
 *
 * `openFileDriver` adopts or starts the daemon where somebody is connected, and exports again what is written down as connected; the same
 * happens when the daemon dies under us. A guest's requests wait meanwhile.
 */
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { type Run, run as realRun } from '#base/process/run.ts'
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { makeWhole } from '#host/durable-file.ts'
import { qemuImg } from '#host/qemu-img.ts'
import { StorageDaemon } from '#host/qsd.ts'
import type { Backupable, ConnectionInfo, GroupSnapshotable, ImageWritable, Manageable, Revertable, SnapshotRef, VolumeDriver, VolumeOnBackend } from '../interface.ts'
import { GIB, checkConnectionId, checkConnector, checkSizeGb, checkSnapshot, checkVolumeId, checkWish, volumeLine } from '../names.ts'
import { copying, fileSize, snapshotName } from './copying.ts'
import { managing } from './managing.ts'
import { filePlace } from './place.ts'
import { exportName, nodeName, serving } from './serving.ts'

export interface FileDriverOptions {
  /** Absolute folder of the backend. */
  root: string
  world: World
  /** Default `files`. */
  pool_name?: string
  /** Where the daemon's sockets are; default `<root>/run`. Must be short. */
  run_folder?: string
  /** Serves over TCP, for other hosts; default: a unix socket, for this host. */
  listen?: { host: string; port: number }
  run?: Run
}

export type FileDriver = VolumeDriver & {
  readonly revertable: Revertable
  readonly imageWritable: ImageWritable
  readonly backupable: Backupable
  readonly manageable: Manageable
  readonly groupSnapshotable: GroupSnapshotable
  /** Ends the storage daemon too: guests lose their disks. For tests and for taking a host down. */
  end(): Promise<void>
}

const SNAPSHOT = 'snap-'
const RESTORE_AGAIN = 2_000

export async function openFileDriver(options: FileDriverOptions): Promise<FileDriver> {
  const { world } = options
  const log = world.log.module('cinder.drivers.file')
  const place = filePlace(options.root, world.random)
  const images = qemuImg(options.run ?? realRun)
  const line = volumeLine()
  let closed = false
  const daemon = new StorageDaemon({
    run_folder: options.run_folder ?? join(options.root, 'run'),
    ...(options.listen ? { listen: options.listen } : {}),
    ...(options.run ? { run: options.run } : {}),
    on_lost: () => {
      log.warn('Lost storage daemon')
      restoreLater(0)
    },
  })
  const served = serving(daemon, place, world.random)
  const copies = copying(place, images, served, line)

  /** Everything that is written down as connected is exported again. What fails is tried again until it holds. */
  async function restore(): Promise<void> {
    let failed = 0
    for (const volumeId of await place.volumeIds()) {
      if (closed) return
      await line(volumeId, () => served.ensureServed(volumeId)).catch((thrown: unknown) => {
        failed++
        log.error('Failed to serve volume', { volume_id: volumeId, error: thrown })
      })
    }
    if (failed > 0) restoreLater(RESTORE_AGAIN)
  }

  function restoreLater(ms: number): void {
    world.clock.after(ms, () => {
      if (closed) return
      restore().catch((thrown: unknown) => {
        log.error('Failed to look for volumes to serve', { error: thrown })
        restoreLater(RESTORE_AGAIN)
      })
    })
  }

  async function connected(volumeId: string): Promise<string[]> {
    return Object.keys(await place.connections(volumeId))
  }

  /** Of a volume that is there; the daemon's word where the file is open. */
  async function snapshotsOf(volumeId: string): Promise<string[]> {
    const names = (await served.isOpen(volumeId)) ? await daemon.snapshots(nodeName(volumeId)) : (await images.info({ path: place.disk(volumeId), format: 'qcow2' }, { shared: true })).snapshots
    return names.filter((name) => name.startsWith(SNAPSHOT)).map((name) => name.slice(SNAPSHOT.length))
  }

  async function requireIdle(volumeId: string): Promise<void> {
    if ((await connected(volumeId)).length > 0) throw conflict(`Volume ${volumeId} is connected.`, { code: 'volume.connected' })
    if ((await snapshotsOf(volumeId)).length > 0) throw conflict(`Volume ${volumeId} has snapshots.`, { code: 'volume.has_snapshots' })
  }

  async function requireSnapshot(snapshot: SnapshotRef): Promise<void> {
    await place.requireSize(snapshot.volume_id)
    if (!(await snapshotsOf(snapshot.volume_id)).includes(snapshot.snapshot_id)) throw notFound(`Snapshot ${snapshot.snapshot_id} could not be found.`)
  }

  function connectionInfo(volumeId: string, connectionId: string, mode: 'rw' | 'ro'): ConnectionInfo {
    const { address } = daemon
    const server = address.type === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
    return {
      driver_volume_type: 'nbd',
      data: { ...server, export: exportName(volumeId, connectionId), format: 'raw', access_mode: mode, volume_id: volumeId, serial: volumeId, discard: true, encrypted: false, qos_specs: null },
    }
  }

  await place.open()
  await restore()

  return {
    async facts() {
      const disk = await statfs(options.root)
      const gb = (bytes: number): number => Math.round((bytes / GIB) * 100) / 100
      let provisioned = 0
      for (const volumeId of await place.volumeIds()) provisioned += (await place.sizeOf(volumeId)) ?? 0
      return {
        pool_name: options.pool_name ?? 'files',
        storage_protocol: 'nbd',
        vendor_name: 'Ondol',
        driver_version: '1.0',
        total_capacity_gb: gb(disk.blocks * disk.bsize),
        free_capacity_gb: gb(disk.bavail * disk.bsize),
        provisioned_capacity_gb: gb(provisioned),
        thin_provisioning_support: true,
        multiattach: true,
        online_extend_support: true,
      }
    },
    async list() {
      const found: VolumeOnBackend[] = []
      for (const volumeId of await place.volumeIds()) {
        const size = await place.sizeOf(volumeId)
        if (size !== undefined) found.push({ volume_id: volumeId, size, connection_ids: await connected(volumeId) })
      }
      return found
    },
    async listSnapshots(volumeId) {
      checkVolumeId(volumeId)
      return line(volumeId, async () => {
        await place.requireSize(volumeId)
        return snapshotsOf(volumeId)
      })
    },
    async ensureVolume(wish) {
      const size = checkWish(wish)
      return line(wish.volume_id, async () => {
        const present = await place.sizeOf(wish.volume_id)
        if (present !== undefined) return { size: present }
        await place.makeFolder(wish.volume_id)
        await makeWhole(place.disk(wish.volume_id), (temporary) => copies.fill(temporary, size, wish.source))
        log.info('Made volume', { volume_id: wish.volume_id, size_gb: wish.size_gb, from: wish.source.from })
        return { size }
      })
    },
    async ensureNoVolume(volumeId) {
      checkVolumeId(volumeId)
      await line(volumeId, async () => {
        if ((await place.sizeOf(volumeId)) !== undefined) {
          await requireIdle(volumeId)
          await served.settle(volumeId)
          log.info('Removed volume', { volume_id: volumeId })
        }
        await place.remove(volumeId)
      })
    },
    async ensureSnapshot(snapshot) {
      checkSnapshot(snapshot)
      await line(snapshot.volume_id, async () => {
        await place.requireSize(snapshot.volume_id)
        await served.withNode(snapshot.volume_id, async (node) => {
          const name = snapshotName(snapshot.snapshot_id)
          if (!(await daemon.snapshots(node)).includes(name)) await daemon.snapshot([{ node, name }])
        })
      })
    },
    async ensureNoSnapshot(snapshot) {
      checkSnapshot(snapshot)
      await line(snapshot.volume_id, async () => {
        if ((await place.sizeOf(snapshot.volume_id)) === undefined) return
        await served.withNode(snapshot.volume_id, async (node) => {
          const name = snapshotName(snapshot.snapshot_id)
          if ((await daemon.snapshots(node)).includes(name)) await daemon.deleteSnapshot(node, name)
        })
      })
    },
    async extend(volumeId, sizeGb) {
      checkVolumeId(volumeId)
      const size = checkSizeGb(sizeGb)
      return line(volumeId, async () => {
        const now = await place.requireSize(volumeId)
        if (now > size) throw invalid(`Volume ${volumeId} has ${now / GIB} GiB; it cannot become smaller.`, { field: 'new_size' })
        // QEMU resizes nothing that is exported: the exports go and come back, and clients reconnect by themselves.
        if (now < size) await served.withoutExports(volumeId, (node) => daemon.resize(node, size))
        return { size }
      })
    },
    async connect(volumeId, connector) {
      checkVolumeId(volumeId)
      checkConnector(connector)
      return line(volumeId, async () => {
        await place.requireSize(volumeId)
        const connections = await place.connections(volumeId)
        const mode = connections[connector.connection_id]?.mode ?? connector.mode ?? 'rw'
        if (!connections[connector.connection_id]) await place.writeConnections(volumeId, { ...connections, [connector.connection_id]: { host: connector.host, mode } })
        await served.ensureServed(volumeId)
        return connectionInfo(volumeId, connector.connection_id, mode)
      })
    },
    async disconnect(volumeId, connectionId) {
      checkVolumeId(volumeId)
      checkConnectionId(connectionId)
      await line(volumeId, async () => {
        const { [connectionId]: gone, ...rest } = await place.connections(volumeId)
        if (!gone) return
        await served.cutOff(volumeId, connectionId)
        await place.writeConnections(volumeId, rest)
        await served.settle(volumeId)
      })
    },
    async close() {
      closed = true
      await daemon.close()
    },
    async end() {
      closed = true
      await daemon.end()
    },

    revertable: {
      async revertToSnapshot(snapshot) {
        checkSnapshot(snapshot)
        await line(snapshot.volume_id, async () => {
          await requireSnapshot(snapshot)
          if ((await connected(snapshot.volume_id)).length > 0) throw conflict(`Volume ${snapshot.volume_id} is connected.`, { code: 'volume.connected' })
          await served.settle(snapshot.volume_id)
          const disk = { path: place.disk(snapshot.volume_id), format: 'qcow2' as const }
          const size = await place.requireSize(snapshot.volume_id)
          await images.revert(disk, snapshotName(snapshot.snapshot_id))
          if ((await place.requireSize(snapshot.volume_id)) < size) await images.resize(disk, size)
        })
      },
    },
    imageWritable: {
      async writeImage(of, target) {
        checkVolumeId(of.volume_id)
        if (of.snapshot_id !== undefined) checkSnapshot({ volume_id: of.volume_id, snapshot_id: of.snapshot_id })
        const virtual_size = await copies.copyOut(of, target)
        return { size: await fileSize(target.path), virtual_size }
      },
    },
    backupable: {
      readVolume(of) {
        checkVolumeId(of.volume_id)
        if (of.snapshot_id !== undefined) checkSnapshot({ volume_id: of.volume_id, snapshot_id: of.snapshot_id })
        return copies.read(of)
      },
      async writeVolume(volumeId, bytes) {
        checkVolumeId(volumeId)
        await line(volumeId, async () => {
          await place.requireSize(volumeId)
          await requireIdle(volumeId)
        })
        await copies.replace(volumeId, bytes, () => requireIdle(volumeId))
      },
    },
    manageable: managing({ place, images, line, requireIdle }),
    groupSnapshotable: {
      async ensureGroupSnapshot(snapshots) {
        for (const each of snapshots) checkSnapshot(each)
        const sorted = [...snapshots].sort((a, b) => (a.volume_id < b.volume_id ? -1 : 1))
        await takeTogether(sorted, [])
      },
    },
  }

  /** Takes the lines of all volumes in the order of their ids, so that two groups never wait for each other, then snapshots at once. */
  async function takeTogether(rest: readonly SnapshotRef[], nodes: readonly { node: string; name: string }[]): Promise<void> {
    const [first, ...others] = rest
    if (!first) return daemon.snapshot(nodes)
    await line(first.volume_id, async () => {
      await place.requireSize(first.volume_id)
      await served.withNode(first.volume_id, async (node) => {
        const name = snapshotName(first.snapshot_id)
        const taken = (await daemon.snapshots(node)).includes(name)
        await takeTogether(others, taken ? nodes : [...nodes, { node, name }])
      })
    })
  }
}
