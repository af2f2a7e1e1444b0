/**
 * Large ones: a file each. Behind the bytes stand the sums of every block, tied to the id, so that any range can be judged before it is sent. Written under
 * `tmp/`, synced, renamed into one of 256 folders, the folder synced. Id: `f-<32 hex digits>-<size>-x`; those without `-x` are of before, with other sums.
 */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { invalid, unavailable } from '#base/fault.ts'
import { addressOf } from '#base/hash/arena.ts'
import { sumInto, sumIs } from '#base/hash/xxh3.ts'
import { FileBody, PIECE } from '#base/http/file-body.ts'
import { type OpenFile, openFile, pace } from '#base/open-file.ts'
import type { Verdict } from '../interface.ts'
import { tied } from '../tied.ts'
import { diskFault, folderSync, syncFd } from './disk.ts'

const BLOCK = PIECE
/** Bytes of a block's sum. */
const SUM = 8

interface Sums { block: number; width: number; good(table: Buffer, offset: number, block: Buffer): boolean }

/** What stands behind the bytes: XXH3 of 64 KiB each, or as it once was, CRC-32 of 256. */
const SUMS: Readonly<Record<'xxh3' | 'crc32', Sums>> = {
  xxh3: { block: BLOCK, width: SUM, good: sumIs },
  crc32: { block: 256 << 10, width: 4, good: (table, offset, block) => crc32(block) === table.readUInt32LE(offset) },
}

export interface Place { hex: string; size: number; sums: keyof typeof SUMS }

export function placeOf(id: string): Place {
  const match = /^f-([0-9a-f]{32})-([0-9a-z]{1,11})(-x)?$/.exec(id)
  if (!match) throw invalid('This is no id of a file')
  return { hex: match[1]!, size: Number.parseInt(match[2]!, 36), sums: match[3] === undefined ? 'crc32' : 'xxh3' }
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
  const disk = pace()
  const nameOf = ({ hex, size, sums }: Place): string => `${hex}-${size.toString(36)}${sums === 'xxh3' ? '-x' : ''}`
  const pathOf = (place: Place): string => join(dir, place.hex.slice(0, 2), nameOf(place))
  const folder = async (path: string): Promise<void> => {
    if (made.has(path)) return
    await mkdir(path, { recursive: true, mode: 0o700 })
    if (safe) {
      await syncFolder(dir)
      await syncFolder(dirname(dir))
    }
    made.add(path)
  }
  return {
    async write(source) {
      const hex = hexId()
      const temporary = join(dir, 'tmp', hex)
      const file = await folder(join(dir, 'tmp')).then(() => folder(join(dir, hex.slice(0, 2)))).then(() => openFile(temporary, 'wx', disk)).catch((thrown: unknown) => Promise.reject(diskFault(thrown) as Error))
      let unclosed = true
      try {
        const size = await pour(file, source, hex)
        if (safe) await syncFd(file.fd)
        unclosed = false
        await file.close()
        const place: Place = { hex, size, sums: 'xxh3' }
        await rename(temporary, pathOf(place))
        if (safe) await syncFolder(join(dir, hex.slice(0, 2)))
        return `f-${nameOf(place)}`
      } catch (thrown) {
        if (unclosed) await file.close()
        await rm(temporary, { force: true }).catch(() => {})
        throw diskFault(thrown)
      }
    },
    async read(id, start, end) {
      const place = placeOf(id)
      try {
        return await blocks(await openFile(pathOf(place), 'r', disk), place, start, end)
      } catch (thrown) {
        throw diskFault(thrown)
      }
    },
    async remove(id) {
      await rm(pathOf(placeOf(id)), { force: true })
    },
    async verify(id) {
      const place = placeOf(id)
      const file = await openFile(pathOf(place), 'r', disk).catch((thrown: unknown) => {
        // Too many files are open, or the folder may not be read: that says nothing about the bytes.
        if ((thrown as { code?: string }).code !== 'ENOENT') throw diskFault(thrown)
        return undefined
      })
      if (!file) return 'missing'
      try {
        if (place.size > 0) for await (const _ of await blocks(file, place, 0, place.size - 1));
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
          if (found && found.mtimeMs < before && /^[0-9a-f]{32}-[0-9a-z]+(-x)?$/.test(file)) yield `f-${file}`
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

/** Bytes and then the sums of their blocks. A slab of the arena is written as it is; of other pieces, which are good until the next is asked for, whole ones are gathered. */
async function pour(file: OpenFile, source: AsyncIterable<Uint8Array>, hex: string): Promise<number> {
  let table = Buffer.allocUnsafeSlow(64 * SUM)
  let at = 0
  let gathered: Buffer | undefined
  let filled = 0
  const write = async (piece: Uint8Array): Promise<void> => {
    for (let from = 0; from < piece.length; from += BLOCK) {
      const offset = ((at + from) / BLOCK) * SUM
      if (offset === table.length) table = Buffer.concat([table, Buffer.allocUnsafe(table.length)])
      sumInto(table, offset, piece.subarray(from, from + BLOCK))
    }
    const writing = file.write(piece, at)
    at += piece.length
    if (writing) await writing
  }
  for await (const piece of source) {
    if (filled === 0 && piece.length % BLOCK === 0 && addressOf(piece) !== undefined) {
      await write(piece)
      continue
    }
    gathered ??= Buffer.allocUnsafeSlow(BLOCK)
    for (let from = 0; from < piece.length; ) {
      const part = piece.subarray(from, from + BLOCK - filled)
      gathered.set(part, filled)
      filled += part.length
      from += part.length
      if (filled < BLOCK) continue
      await write(gathered)
      filled = 0
    }
  }
  if (filled > 0) await write(gathered!.subarray(0, filled))
  await file.write(tied(table.subarray(0, Math.ceil(at / BLOCK) * SUM), hex), at)
  return at
}

const bad = (): Error => unavailable('The bytes of this object are damaged.', { code: 'swift.bad_bytes' })

/** Reads whole blocks and sends of them what was asked for, once they are seen to be good. Closes the file. */
async function blocks(file: OpenFile, { hex, size, sums }: Place, start: number, end: number): Promise<Readable> {
  const { block, width, good } = SUMS[sums]
  const first = Math.floor(start / block)
  const last = Math.floor(end / block)
  const table = Buffer.allocUnsafe((last - first + 1) * width)
  try {
    if ((await file.read(table, table.length, size + first * width)) !== table.length) throw bad()
  } catch (thrown) {
    await file.close()
    throw thrown
  }
  // The older kind is not tied.
  if (sums === 'xxh3') tied(table, hex, first * width)
  return new FileBody(file, first * block, Math.min((last + 1) * block, size), (piece, at) => {
    for (let from = 0; from < piece.length; from += block) {
      const one = piece.subarray(from, from + block)
      if (one.length !== Math.min(block, size - at - from) || !good(table, ((at + from) / block - first) * width, one)) throw bad()
    }
    return piece.subarray(Math.max(0, start - at), Math.min(piece.length, end - at + 1))
  })
}
