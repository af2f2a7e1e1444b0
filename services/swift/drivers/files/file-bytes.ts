/** Bytes as files: written to a temporary name, synced, renamed, the folder synced; 256 folders for all. */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Fault, invalid, notFound } from '#base/fault.ts'
import type { BytesDriver } from '../interface.ts'

export function fileBytes(dir: string, durability: 'safe' | 'fast'): BytesDriver {
  const folderOf = (id: string): string => {
    if (!/^[0-9a-f]{32}$/.test(id)) throw invalid('An id of bytes must be 32 hex digits')
    return join(dir, id.slice(0, 2))
  }
  return {
    async write(id, source) {
      const folder = folderOf(id)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const temporary = join(folder, `${id}.part`)
      const file = await open(temporary, 'wx', 0o600)
      try {
        for await (const chunk of source) {
          let at = 0
          while (at < chunk.length) at += (await file.write(chunk, at)).bytesWritten
        }
        if (durability === 'safe') await file.datasync()
        await file.close()
        await rename(temporary, join(folder, id))
        if (durability === 'safe') {
          const parent = await open(folder, 'r')
          await parent.sync().finally(() => parent.close())
        }
      } catch (thrown) {
        await file.close().catch(() => {})
        await rm(temporary, { force: true })
        if ((thrown as { code?: string }).code === 'ENOSPC') throw new Fault('insufficient_storage', 'There is no room left for this object.', { cause: thrown })
        throw thrown
      }
    },
    async read(id, start, end): Promise<Readable> {
      const file = await open(join(folderOf(id), id), 'r').catch((thrown: { code?: string }) => {
        throw thrown.code === 'ENOENT' ? notFound('There are no such bytes') : thrown
      })
      return file.createReadStream({ start, end, highWaterMark: 1 << 18 })
    },
    async ensureNo(id) {
      await rm(join(folderOf(id), id), { force: true })
      await rm(join(folderOf(id), `${id}.part`), { force: true })
    },
  }
}
