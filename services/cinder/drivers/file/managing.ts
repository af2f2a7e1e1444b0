/** Taking over disks that lie in `<root>/manageable`, and giving volumes back there. The name's ending says the format. */
import { readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { invalid, notFound } from '#base/fault.ts'
import { makeWhole, syncDirectory } from '#host/durable-file.ts'
import { readQcow2Header } from '#host/qcow2-header.ts'
import type { DiskFormat, QemuImg } from '#host/qemu-img.ts'
import type { Manageable, ManageableVolume } from '../interface.ts'
import { GIB, type VolumeLine, checkVolumeId } from '../names.ts'
import type { Place } from './place.ts'

export interface ManagingParts {
  place: Place
  images: QemuImg
  line: VolumeLine
  /** Throws `conflict` when the volume is connected or has snapshots. */
  requireIdle(volumeId: string): Promise<void>
}

interface Found {
  path: string
  format: DiskFormat
  size_gb: number
  unsafe?: string
}

export function managing({ place, images, line, requireIdle }: ManagingParts): Manageable {
  const formatOf = (name: string): DiskFormat | undefined => (name.endsWith('.qcow2') ? 'qcow2' : name.endsWith('.raw') ? 'raw' : undefined)

  /** undefined when there is no such file; `unsafe` when it must not be opened. */
  async function look(path: string, format: DiskFormat): Promise<Found | undefined> {
    const header = await readQcow2Header(path).catch((thrown: unknown) => {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw thrown
    })
    if (header === null) return undefined
    if (format === 'qcow2' && !header) return { path, format, size_gb: 0, unsafe: 'it is not a qcow2' }
    if (format === 'qcow2' && (header?.hasBackingFile || header?.hasDataFile)) return { path, format, size_gb: 0, unsafe: 'it refers to another file' }
    const { virtual_size } = await images.info({ path, format })
    return { path, format, size_gb: Math.max(1, Math.ceil(virtual_size / GIB)) }
  }

  return {
    async listManageable() {
      const found: ManageableVolume[] = []
      for (const name of (await readdir(place.manageable)).sort()) {
        const format = formatOf(name)
        if (format === undefined || name.startsWith('.')) continue
        const each = await look(join(place.manageable, name), format)
        if (each) found.push({ source_name: name, size_gb: each.size_gb, safe_to_manage: !each.unsafe, ...(each.unsafe ? { reason_not_safe: each.unsafe } : {}) })
      }
      return found
    },
    async ensureManaged(volumeId, sourceName) {
      checkVolumeId(volumeId)
      return line(volumeId, async () => {
        // The source is first moved to the volume, so that a repeated call never touches another disk of that name.
        const claim = place.claim(volumeId)
        if ((await place.sizeOf(volumeId)) === undefined) {
          let source = await look(claim.raw, 'raw') ?? (await look(claim.qcow2, 'qcow2'))
          if (!source) {
            const format = formatOf(sourceName)
            if (format === undefined || basename(sourceName) !== sourceName || sourceName.startsWith('.')) throw invalid('A manageable disk is named by a file name that ends in .qcow2 or .raw.', { field: 'source-name' })
            source = await look(join(place.manageable, sourceName), format)
            if (!source) throw notFound(`There is no manageable disk ${sourceName}.`)
            if (source.unsafe) throw invalid(`The disk ${sourceName} cannot be managed: ${source.unsafe}.`, { field: 'source-name' })
            await place.makeFolder(volumeId)
            await rename(source.path, claim[format])
            source = { ...source, path: claim[format] }
          }
          const { path, format, size_gb } = source
          await makeWhole(place.disk(volumeId), async (temporary) => {
            const disk = { path: temporary, format: 'qcow2' as const }
            await images.convert({ path, format }, disk)
            await images.resize(disk, size_gb * GIB)
          })
        }
        for (const path of Object.values(claim)) await rm(path, { force: true })
        return { size_gb: (await place.requireSize(volumeId)) / GIB }
      })
    },
    async ensureUnmanaged(volumeId) {
      checkVolumeId(volumeId)
      await line(volumeId, async () => {
        if ((await place.sizeOf(volumeId)) === undefined) return
        await requireIdle(volumeId)
        await rename(place.disk(volumeId), join(place.manageable, `volume-${volumeId}.qcow2`))
        await syncDirectory(place.manageable)
        await syncDirectory(dirname(place.disk(volumeId)))
        await place.remove(volumeId)
      })
    },
  }
}
