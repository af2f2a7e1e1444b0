/**
 * Large ones: a file each. Behind the bytes stand the CRC-32 of every block, so that any range can be judged before it is sent. Written under
 * `tmp/`, synced, renamed into one of 256 folders, the folder synced. Id: `f-<32 hex digits>-<size>`.
 */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { invalid, unavailable } from '#base/fault.ts'
import type { Verdict } from '../interface.ts'
import { closeFd, diskFault, folderSync, openFd, readAt, syncFd, writeAll } from './disk.ts'

const BLOCK = 1 << 18
const BATCH = 1 << 20

export interface Place { hex: string; size: number }

export function placeOf(id: string): Place {
  const match = /^f-([0-9a-f]{32})-([0-9a-z]{1,11})$/.exec(id)
  if (!match) throw invalid('This is no id of a file')
  return { hex: match[1]!, size: Number.parseInt(match[2]!, 36) }
}

export interface Large {
  write(source: AsyncIterable<Uint8Array>): Promise<string>
  read(id: string, start: number, end: number): Promise<Readable>
  remove(id: string): Promise<void>
  verify(id: string): Promise<Verdict>
  quarantine(id: string): Promise<void>
  list(before: number): AsyncIterable<string>
  sweep(before: number): Promise<void>
}

export function largeFiles(dir: string, safe: boolean, hexId: () => string): Large {
  const syncFolder = folderSync()
  const made = new Set<string>()
  const pathOf = ({ hex, size }: Place): string => join(dir, hex.slice(0, 2), `${hex}-${size.toString(36)}`)
  const folder = async (path: string): Promise<void> => {
    if (made.has(path)) return
    await mkdir(path, { recursive: true, mode: 0o700 })
    if (safe) await syncFolder(dir)
    made.add(path)
  }
  return {
    async write(source) {
      const hex = hexId()
      await folder(join(dir, 'tmp'))
      await folder(join(dir, hex.slice(0, 2)))
      const temporary = join(dir, 'tmp', hex)
      const fd = await openFd(temporary, 'wx').catch((thrown: unknown) => Promise.reject(diskFault(thrown) as Error))
      let open = true
      try {
        const { size } = await pour(fd, source)
        if (safe) await syncFd(fd)
        await closeFd(fd)
        open = false
        const place = { hex, size }
        await rename(temporary, pathOf(place))
        if (safe) await syncFolder(join(dir, hex.slice(0, 2)))
        return `f-${hex}-${size.toString(36)}`
      } catch (thrown) {
        if (open) await closeFd(fd)
        await rm(temporary, { force: true })
        throw diskFault(thrown)
      }
    },
    async read(id, start, end) {
      const place = placeOf(id)
      try {
        const fd = await openFd(pathOf(place), 'r')
        return blocks(fd, place.size, start, end)
      } catch (thrown) {
        throw diskFault(thrown)
      }
    },
    async remove(id) {
      await rm(pathOf(placeOf(id)), { force: true })
    },
    async verify(id) {
      const place = placeOf(id)
      const fd = await openFd(pathOf(place), 'r').catch(() => undefined)
      if (fd === undefined) return 'missing'
      try {
        if (place.size > 0) for await (const _ of blocks(fd, place.size, 0, place.size - 1));
        else await closeFd(fd)
        return 'good'
      } catch {
        return 'bad'
      }
    },
    async quarantine(id) {
      const place = placeOf(id)
      await mkdir(join(dir, 'quarantine'), { recursive: true, mode: 0o700 })
      await rename(pathOf(place), join(dir, 'quarantine', id)).catch(() => {})
    },
    async *list(before) {
      for (const name of await readdir(dir).catch(() => [] as string[])) {
        if (!/^[0-9a-f]{2}$/.test(name)) continue
        for (const file of await readdir(join(dir, name))) {
          const found = await stat(join(dir, name, file)).catch(() => undefined)
          if (found && found.mtimeMs < before && /^[0-9a-f]{32}-[0-9a-z]+$/.test(file)) yield `f-${file}`
        }
      }
    },
    async sweep(before) {
      for (const file of await readdir(join(dir, 'tmp')).catch(() => [] as string[])) {
        const path = join(dir, 'tmp', file)
        const found = await stat(path).catch(() => undefined)
        if (found && found.mtimeMs < before) await rm(path, { force: true })
      }
    },
  }
}

/** Bytes and then the checksums of their blocks. */
async function pour(fd: number, source: AsyncIterable<Uint8Array>): Promise<{ size: number }> {
  const sums: number[] = []
  let crc = 0
  let inBlock = 0
  let size = 0
  let at = 0
  let batch: Uint8Array[] = []
  let batched = 0
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + Math.min(BLOCK - inBlock, chunk.length - from))
      crc = crc32(part, crc)
      inBlock += part.length
      from += part.length
      if (inBlock === BLOCK) {
        sums.push(crc)
        crc = 0
        inBlock = 0
      }
    }
    size += chunk.length
    batch.push(chunk)
    batched += chunk.length
    if (batched >= BATCH) {
      at += await writeAll(fd, batch, at)
      batch = []
      batched = 0
    }
  }
  if (inBlock > 0) sums.push(crc)
  const table = Buffer.allocUnsafe(sums.length * 4)
  for (const [i, sum] of sums.entries()) table.writeUInt32LE(sum, i * 4)
  await writeAll(fd, [...batch, table], at)
  return { size }
}

/** Reads whole blocks and sends of them what was asked for, once they are seen to be good. Closes the descriptor. */
function blocks(fd: number, size: number, start: number, end: number): Readable {
  const first = Math.floor(start / BLOCK)
  const last = Math.floor(end / BLOCK)
  let table: Buffer | undefined
  let at = first
  const bad = (): Error => unavailable('The bytes of this object are damaged.', { code: 'swift.bad_bytes' })
  const next = async (): Promise<Buffer | null> => {
    if (at > last) return null
    if (!table) {
      table = Buffer.allocUnsafe((last - first + 1) * 4)
      if ((await readAt(fd, table, size + first * 4)) !== table.length) throw bad()
    }
    const from = at * BLOCK
    const buffer = Buffer.allocUnsafeSlow(Math.min(BLOCK, size - from))
    if ((await readAt(fd, buffer, from)) !== buffer.length || crc32(buffer) !== table.readUInt32LE((at - first) * 4)) throw bad()
    const part = buffer.subarray(Math.max(0, start - from), Math.min(buffer.length, end - from + 1))
    at++
    return part
  }
  let closed = false
  return new Readable({
    highWaterMark: BLOCK,
    read() {
      next().then((part) => void this.push(part), (thrown: Error) => this.destroy(diskFault(thrown) as Error))
    },
    destroy(error, callback) {
      if (closed) return callback(error)
      closed = true
      void closeFd(fd).then(() => callback(error))
    },
  })
}
