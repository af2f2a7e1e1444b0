/**
 * Images cached on the host: `<images>/_base/<image_id>.img` and beside it what it is. Fetched once however many guests boot; the
 * `.json` is written last and its presence means the image is whole. Guests' disks are overlays, so an image that one uses must stay.
 */
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { invalid } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { makeWhole, readJson, writeDurably } from '#host/durable-file.ts'
import { checkForeignImage } from '#host/foreign-image.ts'
import type { DiskFormat, QemuImg, SourceFormat } from '#host/qemu-img.ts'
import type { ImageFormat, ImageSource } from '../interface.ts'
import { sharedWork } from '../shared-work.ts'

export interface BaseImage {
  image_id: string
  path: string
  format: DiskFormat
  /** Bytes. */
  virtual_size: number
  /** Boots as a CD. */
  cdrom?: boolean
}

export interface BaseImages {
  ensure(imageId: string, source: ImageSource, signal: AbortSignal): Promise<BaseImage>
  path(imageId: string): string
  list(): Promise<{ image_id: string; size: number; used_at: number }[]>
  remove(imageId: string): Promise<void>
}

const SOURCE_FORMATS: Readonly<Record<ImageFormat, SourceFormat>> = {
  raw: 'raw',
  iso: 'raw',
  aki: 'raw',
  ari: 'raw',
  ami: 'raw',
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  vhd: 'vpc',
  vhdx: 'vhdx',
  ploop: 'ploop',
}

export function baseImages(world: World, directory: string, images: QemuImg): BaseImages {
  const shared = sharedWork<BaseImage>()
  const path = (imageId: string): string => {
    if (!/^[\w-]{1,64}$/.test(imageId)) throw invalid('The image id is not an id.', { field: 'image_id' })
    return join(directory, `${imageId}.img`)
  }
  const facts = (imageId: string): string => `${path(imageId).slice(0, -4)}.json`
  const fetch = async (imageId: string, source: ImageSource, signal: AbortSignal): Promise<BaseImage> => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const image = await makeWhole(path(imageId), async (temporary) => {
      const got = await source.fetch(imageId, temporary, signal)
      const from = SOURCE_FORMATS[got.format]
      if (from === undefined) throw invalid(`Images of format ${String(got.format)} cannot be booted here.`, { field: 'disk_format' })
      await checkForeignImage(temporary, from)
      let format: DiskFormat = 'qcow2'
      if (from === 'raw' || from === 'qcow2') format = from
      else await convertInPlace(temporary, from, signal)
      const info = await images.info({ path: temporary, format }, { signal })
      const base: BaseImage = { image_id: imageId, path: path(imageId), format, virtual_size: info.virtual_size, ...(got.format === 'iso' ? { cdrom: true } : {}) }
      return base
    })
    await writeDurably(facts(imageId), JSON.stringify(image))
    return image
  }
  const convertInPlace = async (file: string, format: SourceFormat, signal: AbortSignal): Promise<void> => {
    const foreign = `${file}.${format}`
    await rename(file, foreign)
    try {
      await images.convert({ path: foreign, format }, { path: file, format: 'qcow2' }, { signal })
    } finally {
      await rm(foreign, { force: true })
    }
  }
  return {
    path,
    async ensure(imageId, source, signal) {
      const have = await readJson<BaseImage>(facts(imageId))
      if (have) {
        const now = world.clock.now() / 1_000
        await utimes(facts(imageId), now, now)
        // The directory may have been moved since.
        return { ...have, path: path(imageId) }
      }
      return shared(imageId, signal, (own) => fetch(imageId, source, own))
    },
    async list() {
      const found: { image_id: string; size: number; used_at: number }[] = []
      for (const name of await readdir(directory).catch(() => [])) {
        if (!name.endsWith('.json')) continue
        const id = name.slice(0, -5)
        const [data, mark] = await Promise.all([stat(path(id)), stat(facts(id))])
        found.push({ image_id: id, size: data.size, used_at: mark.mtimeMs })
      }
      return found
    },
    async remove(imageId) {
      // In this order a kill between leaves an image that will be fetched again, never one without its facts that counts.
      await rm(facts(imageId), { force: true })
      await rm(path(imageId), { force: true })
    },
  }
}
