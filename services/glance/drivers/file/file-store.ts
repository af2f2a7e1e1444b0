/** Image bytes as files: written to a temporary name, synced, renamed. */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { notFound } from '#base/fault.ts'
import { FileBody } from '#base/http/file-body.ts'
import { openFile, pace } from '#base/open-file.ts'
import { checkedId } from '../ids.ts'
import type { StoreDriver } from '../interface.ts'

export function fileStore(dir: string): StoreDriver {
  let serial = 0
  const disk = pace()
  const pathOf = (id: string): string => join(dir, checkedId(id))
  return {
    name: 'file',
    async write(id, source) {
      const path = pathOf(id)
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const temporary = `${path}.part-${process.pid}-${serial++}`
      const file = await open(temporary, 'wx', 0o600)
      let size = 0
      try {
        for await (const chunk of source) {
          let at = 0
          while (at < chunk.length) at += (await file.write(chunk, at)).bytesWritten
          size += chunk.length
        }
        await file.datasync()
        await file.close()
        await rename(temporary, path)
        return size
      } catch (thrown) {
        await file.close().catch(() => {})
        await rm(temporary, { force: true })
        throw thrown
      }
    },
    async read(id, range) {
      const path = pathOf(id)
      const absent = (thrown: { code?: string }): never => {
        throw thrown.code === 'ENOENT' ? notFound(`No image data found for image ${id}`) : thrown
      }
      const { size } = await stat(path).catch(absent)
      const file = await openFile(path, 'r', disk).catch(absent)
      return { size, stream: new FileBody(file, range?.start ?? 0, range?.end === undefined ? size : range.end + 1) }
    },
    size: async (id) =>
      stat(pathOf(id)).then(
        (found) => found.size,
        () => undefined,
      ),
    async ensureNo(id) {
      await rm(pathOf(id), { force: true })
    },
    async list() {
      const found: { id: string; size: number; written_at: number }[] = []
      for (const id of await readdir(dir).catch(() => [])) {
        if (id.includes('.part-')) continue
        const facts = await stat(join(dir, id)).catch(() => undefined)
        if (facts?.isFile()) found.push({ id, size: facts.size, written_at: facts.mtimeMs })
      }
      return found
    },
    async sweep(before) {
      for (const name of await readdir(dir).catch(() => [])) {
        if (!name.includes('.part-')) continue
        const facts = await stat(join(dir, name)).catch(() => undefined)
        if (facts && facts.mtimeMs < before) await rm(join(dir, name), { force: true })
      }
    },
    async move(from, to) {
      await rename(pathOf(from), pathOf(to))
    },
  }
}
