/** Making a guest's own disks. Each is made once: what the record names is never made again. */
import { copyFile, constants } from 'node:fs/promises'
import { invalid } from '#base/fault.ts'
import { makeWhole, writeDurably } from '#host/durable-file.ts'
import { isoImage } from '#host/iso9660.ts'
import type { GuestSpec, ImageSource } from '../interface.ts'
import { GIB, MIB, type QemuParts } from './parts.ts'
import { type GuestRecord, nextFile, type OwnDisk } from './record.ts'

type Wanted = { name: string; kind: 'image'; image_id: string; size: number } | { name: string; kind: 'blank'; size: number }

/** The own disks that a spec asks for; sizes in bytes, 0: as large as the image. */
export function wantedDisks(spec: Pick<GuestSpec, 'root' | 'ephemerals' | 'swap_mb'>): Wanted[] {
  return [
    ...(spec.root.from === 'image' ? [{ name: 'root', kind: 'image' as const, image_id: spec.root.image_id, size: spec.root.size_gb * GIB }] : []),
    ...spec.ephemerals.map(({ size_gb }, index) => ({ name: `ephemeral${index}`, kind: 'blank' as const, size: size_gb * GIB })),
    ...(spec.swap_mb > 0 ? [{ name: 'swap', kind: 'blank' as const, size: spec.swap_mb * MIB }] : []),
  ]
}

/** Makes what the record lacks of its spec's disks, and fetches kernel and ramdisk. Saves the record after each disk. */
export async function makeDisks(parts: QemuParts, record: GuestRecord, source: ImageSource, signal: AbortSignal): Promise<void> {
  const { spec } = record
  for (const id of [spec.kernel_id, spec.ramdisk_id]) if (id !== undefined) await parts.baseImages.ensure(id, source, signal)
  for (const wanted of wantedDisks(spec)) {
    if (record.disks[wanted.name]) continue
    signal.throwIfAborted()
    record.disks[wanted.name] = await makeDisk(parts, record, wanted, source, signal)
    await parts.records.save(record)
  }
}

async function makeDisk(parts: QemuParts, record: GuestRecord, wanted: Wanted, source: ImageSource, signal: AbortSignal): Promise<OwnDisk> {
  if (source.disk) return bringDisk(parts, record, wanted, source, signal)
  if (wanted.kind === 'image') return makeOverlay(parts, record, wanted.name, wanted.image_id, wanted.size, source, signal)
  return makeBlank(parts, record, wanted.name, wanted.size, signal)
}

/** A disk over an image. `invalid` (code `image.too_large`) when the image is larger than the disk may be. */
export async function makeOverlay(parts: QemuParts, record: GuestRecord, name: string, imageId: string, size: number, source: ImageSource, signal: AbortSignal): Promise<OwnDisk> {
  const base = await parts.baseImages.ensure(imageId, source, signal)
  if (size !== 0 && base.virtual_size > size) {
    throw invalid(`The image needs a disk of ${Math.ceil(base.virtual_size / GIB)} GiB, larger than the flavor's ${size / GIB}.`, { code: 'image.too_large', field: 'size_gb' })
  }
  const file = nextFile(record, name, 'qcow2')
  const bytes = Math.max(size, base.virtual_size)
  await makeWhole(parts.records.place(record.server_id).file(file), (temporary) => parts.qemuImg.createOverlay(temporary, { path: base.path, format: base.format }, bytes, { signal }))
  return { file, format: 'qcow2', base: { image_id: imageId, format: base.format } }
}

export async function makeBlank(parts: QemuParts, record: GuestRecord, name: string, size: number, signal: AbortSignal): Promise<OwnDisk> {
  const file = nextFile(record, name, 'qcow2')
  await makeWhole(parts.records.place(record.server_id).file(file), (temporary) => parts.qemuImg.create({ path: temporary, format: 'qcow2' }, size, { signal }))
  return { file, format: 'qcow2' }
}

/** From the host that the guest leaves: stand-alone, and grown if the new shape is larger. */
async function bringDisk(parts: QemuParts, record: GuestRecord, wanted: Wanted, source: ImageSource, signal: AbortSignal): Promise<OwnDisk> {
  const file = nextFile(record, wanted.name, 'qcow2')
  await makeWhole(parts.records.place(record.server_id).file(file), async (temporary) => {
    await source.disk?.(wanted.name, temporary, signal)
    const { virtual_size, backing_file } = await parts.qemuImg.info({ path: temporary, format: 'qcow2' }, { signal })
    if (backing_file !== undefined) throw invalid('A disk that moves must stand alone.')
    if (wanted.size > virtual_size) await parts.qemuImg.resize({ path: temporary, format: 'qcow2' }, wanted.size, { signal })
  })
  return { file, format: 'qcow2' }
}

/** A copy that can grow while the old one stays as it is. */
export async function copyDisk(parts: QemuParts, record: GuestRecord, name: string, disk: OwnDisk, size: number, signal: AbortSignal): Promise<OwnDisk> {
  const { file } = parts.records.place(record.server_id)
  const made = nextFile(record, name, disk.format)
  await makeWhole(file(made), async (temporary) => {
    await copyFile(file(disk.file), temporary, constants.COPYFILE_FICLONE)
    const { virtual_size } = await parts.qemuImg.info({ path: temporary, format: disk.format }, { signal })
    if (size !== 0 && size < virtual_size) throw invalid('A disk cannot shrink.', { field: 'size_gb' })
    if (size > virtual_size) await parts.qemuImg.resize({ path: temporary, format: disk.format }, size, { signal })
  })
  return { ...disk, file: made }
}

/** Writes the config drive; returns its file's name. */
export async function makeConfigDrive(parts: QemuParts, serverId: string, name: string, content: NonNullable<GuestSpec['config_drive']>): Promise<string> {
  await writeDurably(parts.records.place(serverId).file(name), isoImage(content.reveal(), { label: 'config-2', time: parts.world.clock.now() }))
  return name
}
