/**
 * Backups in a folder: `<id>/data` holds the chunks that are not zero, `<id>/index.json` says where each chunk of the volume is. A chunk
 * that the parent has already is only pointed to, so an incremental backup holds what changed. `index.json` is written last: without
 * one there is no backup.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { internal, invalid, notFound } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'
import { isZero } from './chunk-reader.ts'

interface Chunk {
  length: number
  /** SHA-256; absent for zeros. */
  hash?: string
  /** Backup and offset that hold the bytes. */
  in?: string
  at?: number
}

interface Index {
  version: 1
  chunks: Chunk[]
}

export interface BackupStore {
  write(backupId: string, bytes: AsyncIterable<Uint8Array>, parentId?: string): Promise<{ object_count: number }>
  read(backupId: string): AsyncIterable<Uint8Array>
  remove(backupId: string): Promise<void>
}

export function backupStore(root: string): BackupStore {
  const folder = (backupId: string): string => {
    if (!isUuid(backupId)) throw invalid('A backup id is a UUID.', { field: 'backup_id' })
    return join(root, backupId)
  }
  const indexOf = async (backupId: string): Promise<Index> => {
    try {
      return JSON.parse(await readFile(join(folder(backupId), 'index.json'), 'utf8')) as Index
    } catch (thrown) {
      throw notFound(`The data of backup ${backupId} could not be found.`, { cause: thrown })
    }
  }
  return {
    async write(backupId, bytes, parentId) {
      const dir = folder(backupId)
      const known = new Map<string, Chunk>()
      if (parentId !== undefined) for (const chunk of (await indexOf(parentId)).chunks) if (chunk.hash) known.set(chunk.hash, chunk)
      await rm(dir, { recursive: true, force: true })
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const index: Index = { version: 1, chunks: [] }
      const data = await open(join(dir, 'data'), 'w', 0o600)
      let at = 0
      let objects = 0
      try {
        for await (const bytesOf of bytes) {
          if (isZero(bytesOf)) {
            index.chunks.push({ length: bytesOf.length })
            continue
          }
          const hash = createHash('sha256').update(bytesOf).digest('hex')
          let chunk = known.get(hash)
          if (!chunk) {
            await data.write(bytesOf, 0, bytesOf.length, at)
            chunk = { length: bytesOf.length, hash, in: backupId, at }
            known.set(hash, chunk)
            at += bytesOf.length
            objects++
          }
          index.chunks.push(chunk)
        }
        await data.sync()
      } finally {
        await data.close()
      }
      await writeFile(join(dir, 'index.new'), JSON.stringify(index), { mode: 0o600 })
      await rename(join(dir, 'index.new'), join(dir, 'index.json'))
      return { object_count: objects }
    },
    async *read(backupId) {
      const index = await indexOf(backupId)
      const files = new Map<string, Awaited<ReturnType<typeof open>>>()
      try {
        for (const chunk of index.chunks) {
          if (chunk.hash === undefined) {
            yield new Uint8Array(chunk.length)
            continue
          }
          const holder = chunk.in!
          let file = files.get(holder)
          if (!file) files.set(holder, (file = await open(join(folder(holder), 'data'), 'r')))
          const buffer = Buffer.alloc(chunk.length)
          const { bytesRead } = await file.read(buffer, 0, chunk.length, chunk.at!)
          if (bytesRead !== chunk.length || createHash('sha256').update(buffer).digest('hex') !== chunk.hash) throw internal(`Backup ${backupId} is damaged.`)
          yield buffer
        }
      } finally {
        for (const file of files.values()) await file.close()
      }
    },
    remove: (backupId) => rm(folder(backupId), { recursive: true, force: true }),
  }
}
