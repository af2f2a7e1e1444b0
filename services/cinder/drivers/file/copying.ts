/** Copies of volumes: from snapshots, volumes and images, into images, and as streams for backups. */
import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { invalid, notFound } from '#base/fault.ts'
import { makeWhole } from '#host/durable-file.ts'
import { checkForeignImage } from '#host/foreign-image.ts'
import { readQcow2Header } from '#host/qcow2-header.ts'
import type { DiskFormat, QemuImg, SourceFormat } from '#host/qemu-img.ts'
import type { ImageFormat, VolumeSource } from '../interface.ts'
import type { VolumeLine } from '../names.ts'
import type { Place } from './place.ts'
import type { Serving } from './serving.ts'

const CHUNK = 2 ** 20
const TOOL_FORMATS: Readonly<Record<ImageFormat, SourceFormat>> = { raw: 'raw', qcow2: 'qcow2', vmdk: 'vmdk', vdi: 'vdi', vhd: 'vpc', vhdx: 'vhdx', ploop: 'ploop' }

export interface Copying {
  /** Writes a new qcow2 of `size` bytes at `path` with what the source holds. */
  fill(path: string, size: number, source: VolumeSource): Promise<void>
  /** A stand-alone copy of a volume or a snapshot of it; gives the bytes a guest would see. */
  copyOut(of: { volume_id: string; snapshot_id?: string }, target: { path: string; format: DiskFormat }): Promise<number>
  read(of: { volume_id: string; snapshot_id?: string }): AsyncIterable<Uint8Array>
  /** Replaces the disk of a volume; `check` is called in the volume's line before that, and may refuse. */
  replace(volumeId: string, bytes: AsyncIterable<Uint8Array>, check: () => Promise<void>): Promise<void>
}

export function snapshotName(snapshotId: string): string {
  return `snap-${snapshotId}`
}

export function copying(place: Place, images: QemuImg, served: Serving, line: VolumeLine): Copying {
  const copyOut: Copying['copyOut'] = async (of, target) => {
    const disk = { path: place.disk(of.volume_id), format: 'qcow2' as const }
    const size = await place.requireSize(of.volume_id)
    if (of.snapshot_id !== undefined) {
      const snapshot = snapshotName(of.snapshot_id)
      const found = await images.info(disk, { shared: true })
      if (!found.snapshots.includes(snapshot)) throw notFound(`Snapshot ${of.snapshot_id} could not be found.`)
      await images.convert(disk, target, { shared: true, snapshot })
      return size
    }
    // The copy takes its time; the volume must be free for other work meanwhile, so only the snapshot waits in line.
    const snapshot = await line(of.volume_id, () => served.takeTemporary(of.volume_id))
    try {
      await images.convert(disk, target, { shared: true, snapshot })
      return size
    } finally {
      await line(of.volume_id, () => served.dropTemporary(of.volume_id, snapshot))
    }
  }

  /** What was copied may be smaller than wished, never larger. */
  const grow = async (path: string, size: number): Promise<void> => {
    const header = await readQcow2Header(path)
    const now = Number(header?.virtualSize ?? 0)
    if (now > size) throw invalid(`The volume must be at least ${Math.ceil(now / 2 ** 30)} GiB for what it is made from.`, { field: 'size' })
    if (now < size) await images.resize({ path, format: 'qcow2' }, size)
  }

  return {
    copyOut,
    async fill(path, size, source) {
      const disk = { path, format: 'qcow2' as const }
      if (source.from === 'blank') return images.create(disk, size)
      if (source.from === 'image') await fillFromImage(images, source, disk, size)
      else await copyOut(source.from === 'volume' ? { volume_id: source.volume_id } : source, disk)
      await grow(path, size)
    },
    async *read(of) {
      const path = place.workFile('.raw')
      try {
        await copyOut(of, { path, format: 'raw' })
        for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) yield chunk as Buffer
      } finally {
        await rm(path, { force: true })
      }
    },
    async replace(volumeId, bytes, check) {
      const size = await place.requireSize(volumeId)
      const path = place.workFile('.raw')
      const made = place.workFile('.qcow2')
      try {
        await writeSparse(path, size, bytes)
        await images.convert({ path, format: 'raw' }, { path: made, format: 'qcow2' })
        await line(volumeId, async () => {
          await check()
          // It may have grown while the bytes came.
          await grow(made, await place.requireSize(volumeId))
          await makeWhole(place.disk(volumeId), (temporary) => rename(made, temporary))
        })
      } finally {
        await rm(path, { force: true })
        await rm(made, { force: true })
      }
    },
  }
}

async function fillFromImage(images: QemuImg, source: { path: string; format: ImageFormat }, to: { path: string; format: 'qcow2' }, size: number): Promise<void> {
  const format = TOOL_FORMATS[source.format]
  // Glance has judged it; a file that names another one must still never reach a tool.
  await checkForeignImage(source.path, format)
  const { virtual_size } = await images.info({ path: source.path, format })
  if (virtual_size > size) throw invalid(`The volume must be at least ${Math.ceil(virtual_size / 2 ** 30)} GiB for this image.`, { field: 'size' })
  await images.convert({ path: source.path, format }, to)
}

/** A raw file of `size` bytes; what is zero is left out. */
async function writeSparse(path: string, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.truncate(size)
    let at = 0
    for await (const chunk of bytes) {
      if (at + chunk.length > size) throw invalid('The data is larger than the volume.', { field: 'size' })
      if (!chunk.every((byte) => byte === 0)) await handle.write(chunk, 0, chunk.length, at)
      at += chunk.length
    }
  } finally {
    await handle.close()
  }
}

/** Bytes on disk of a file that was written. */
export async function fileSize(path: string): Promise<number> {
  return (await stat(path)).size
}
