/**
 * Large ones: a file each. Behind the bytes stand the CRC-32 of every block, so that any range can be judged before it is sent. Written under
 * `tmp/`, synced, renamed into one of 256 folders, the folder synced. Id: `f-<32 hex digits>-<size>`.
 */
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { invalid, unavailable } from '#base/fault.ts'
import { FileBody, PIECE } from '#base/http/file-body.ts'
import type { Verdict } from '../interface.ts'
import { closeFd, diskFault, folderSync, openFd, syncFd, writeAll } from './disk.ts'

const BLOCK = PIECE
const BATCH = BLOCK

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
      let unclosed = true
      try {
        const { size } = await pour(fd, source)
        if (safe) await syncFd(fd)
        await closeFd(fd)
        unclosed = false
        const place = { hex, size }
        await rename(temporary, pathOf(place))
        if (safe) await syncFolder(join(dir, hex.slice(0, 2)))
        return `f-${hex}-${size.toString(36)}`
      } catch (thrown) {
        if (unclosed) await closeFd(fd)
        await rm(temporary, { force: true })
        throw diskFault(thrown)
      }
    },
    async read(id, start, end) {
      const place = placeOf(id)
      try {
        return await blocks(await open(pathOf(place), 'r'), place.size, start, end)
      } catch (thrown) {
        throw diskFault(thrown)
      }
    },
    async remove(id) {
      await rm(pathOf(placeOf(id)), { force: true })
    },
    async verify(id) {
      const place = placeOf(id)
      const file = await open(pathOf(place), 'r').catch(() => undefined)
      if (!file) return 'missing'
      try {
        if (place.size > 0) for await (const _ of await blocks(file, place.size, 0, place.size - 1));
        else await file.close()
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

/** Uploads under way in this process. */
let pouring = 0
/** So many take large buffers, which cost the least; more of them take small ones, so that a hundred uploads need no more memory than ten. */
const FEW = 12

/** Bytes and then the checksums of their blocks. Pieces are good until the next is asked for, so they are gathered in two buffers of our own, one filled while the other is written. */
async function pour(fd: number, source: AsyncIterable<Uint8Array>): Promise<{ size: number }> {
  const sums: number[] = []
  const batch = ++pouring > FEW ? BATCH >> 2 : BATCH
  try {
    const buffers = [Buffer.allocUnsafeSlow(batch), Buffer.allocUnsafeSlow(batch)] as const
    let filling = 0
    let filled = 0
    let size = 0
    let at = 0
    let writing: Promise<unknown> = Promise.resolve()
    const write = async (): Promise<void> => {
      const full = buffers[filling]!.subarray(0, filled)
      // A batch is a part of a block, and ends where one does.
      if (at % BLOCK === 0) sums.push(crc32(full))
      else sums.push(crc32(full, sums.pop()))
      await writing
      const position = at
      at += full.length
      writing = writeAll(fd, [full], position)
      // Its failure is heard by whoever waits for it next.
      writing.catch(() => {})
      filling ^= 1
      filled = 0
    }
    for await (const chunk of source) {
      size += chunk.length
      for (let from = 0; from < chunk.length; ) {
        const part = chunk.subarray(from, from + batch - filled)
        buffers[filling]!.set(part, filled)
        filled += part.length
        from += part.length
        if (filled === batch) await write()
      }
    }
    if (filled > 0) await write()
    await writing
    const table = Buffer.allocUnsafe(sums.length * 4)
    for (const [i, sum] of sums.entries()) table.writeUInt32LE(sum, i * 4)
    await writeAll(fd, [table], at)
    return { size }
  } finally {
    pouring--
  }
}

const bad = (): Error => unavailable('The bytes of this object are damaged.', { code: 'swift.bad_bytes' })

/** Reads whole blocks and sends of them what was asked for, once they are seen to be good. Closes the file. */
async function blocks(file: FileHandle, size: number, start: number, end: number): Promise<Readable> {
  const first = Math.floor(start / BLOCK)
  const last = Math.floor(end / BLOCK)
  const table = Buffer.allocUnsafe((last - first + 1) * 4)
  try {
    if ((await file.read(table, 0, table.length, size + first * 4)).bytesRead !== table.length) throw bad()
  } catch (thrown) {
    await file.close()
    throw thrown
  }
  return new FileBody(file, first * BLOCK, Math.min((last + 1) * BLOCK, size), (piece, at) => {
    for (let from = 0; from < piece.length; from += BLOCK) {
      const block = piece.subarray(from, from + BLOCK)
      if (block.length !== Math.min(BLOCK, size - at - from) || crc32(block) !== table.readUInt32LE(((at + from) / BLOCK - first) * 4)) throw bad()
    }
    return piece.subarray(Math.max(0, start - at), Math.min(piece.length, end - at + 1))
  })
}
