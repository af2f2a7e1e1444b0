/**
 * Where the volumes of a file backend lie, and what is written down beside them.
 *
 *     <root>/volumes/<volume_id>/disk.qcow2         the volume; its snapshots are inside
 *     <root>/volumes/<volume_id>/connections.json   who is connected: what must be exported after every start
 *     <root>/manageable/*.qcow2, *.raw              disks that are not Cinder's (manage, unmanage)
 *     <root>/work/                                  half-made things; emptied at start
 *     <root>/run/                                   sockets and pid file of the storage daemon
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { invalid, notFound } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import { isUuid } from '#base/ids.ts'
import { readJson, syncDirectory, writeDurably } from '#host/durable-file.ts'
import { readQcow2Header } from '#host/qcow2-header.ts'

/** By connection id. */
export type Connections = Readonly<Record<string, { host: string; mode: 'rw' | 'ro' }>>

export interface Place {
  readonly root: string
  readonly manageable: string
  disk(volumeId: string): string
  /** Where a disk that is being taken over waits, by its format. */
  claim(volumeId: string): { raw: string; qcow2: string }
  /** Makes the folders, and removes what earlier, killed work left. */
  open(): Promise<void>
  volumeIds(): Promise<string[]>
  /** Bytes the guest sees, from the disk's own header; undefined when there is no such volume. */
  sizeOf(volumeId: string): Promise<number | undefined>
  /** As `sizeOf`, or `not_found`. */
  requireSize(volumeId: string): Promise<number>
  makeFolder(volumeId: string): Promise<void>
  /** At once, as far as anybody can see. */
  remove(volumeId: string): Promise<void>
  connections(volumeId: string): Promise<Connections>
  writeConnections(volumeId: string, connections: Connections): Promise<void>
  /** A new path in the work folder. */
  workFile(suffix: string): string
}

export function filePlace(root: string, random: Random): Place {
  if (!root.startsWith('/')) throw invalid('The folder of a file backend must be an absolute path.', { field: 'root' })
  const volumes = join(root, 'volumes')
  const work = join(root, 'work')
  const folder = (volumeId: string): string => join(volumes, volumeId)
  const disk = (volumeId: string): string => join(folder(volumeId), 'disk.qcow2')
  const record = (volumeId: string): string => join(folder(volumeId), 'connections.json')
  const sizeOf: Place['sizeOf'] = async (volumeId) => {
    const header = await readQcow2Header(disk(volumeId)).catch(ignoreAbsent)
    return header === undefined ? undefined : Number(header.virtualSize)
  }
  return {
    root,
    manageable: join(root, 'manageable'),
    disk,
    claim: (volumeId) => ({ raw: join(folder(volumeId), 'claimed.raw'), qcow2: join(folder(volumeId), 'claimed.qcow2') }),
    sizeOf,
    async open() {
      await mkdir(volumes, { recursive: true, mode: 0o700 })
      await mkdir(join(root, 'manageable'), { recursive: true, mode: 0o700 })
      await rm(work, { recursive: true, force: true })
      await mkdir(work, { recursive: true, mode: 0o700 })
    },
    async volumeIds() {
      const ids: string[] = []
      for (const name of await readdir(volumes)) if (isUuid(name) && (await sizeOf(name)) !== undefined) ids.push(name)
      return ids
    },
    async requireSize(volumeId) {
      const size = await sizeOf(volumeId)
      if (size === undefined) throw notFound(`Volume ${volumeId} could not be found.`)
      return size
    },
    async makeFolder(volumeId) {
      await mkdir(folder(volumeId), { recursive: true, mode: 0o700 })
    },
    async remove(volumeId) {
      const aside = join(work, random.uuid())
      await rename(folder(volumeId), aside).catch(ignoreAbsent)
      await syncDirectory(volumes)
      await rm(aside, { recursive: true, force: true })
    },
    async connections(volumeId) {
      return (await readJson<Connections>(record(volumeId))) ?? {}
    },
    async writeConnections(volumeId, connections) {
      await writeDurably(record(volumeId), JSON.stringify(connections))
    },
    workFile: (suffix) => join(work, `${random.uuid()}${suffix}`),
  }
}

function ignoreAbsent(thrown: unknown): undefined {
  if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw thrown
}
