/**
 * Small ones: appended to a file that many share, one sync for all that came meanwhile. A record is a head (`OP`, size, CRC-32) and the bytes.
 * Id: `p-<pack>-<offset>-<size>-<crc>`, so that a read is one read. A pack is written by one process alone and closed for ever at its end.
 */
import { readSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Readable } from 'node:stream'
import { LRUCache } from 'lru-cache'
import { invalid, unavailable } from '#base/fault.ts'
import { BytesBody } from '#base/http/bytes-body.ts'
import { pace } from '#base/open-file.ts'
import type { BytesDriver, Verdict } from '../interface.ts'
import { closeFd, diskFault, folderSync, openFd, readAt, syncFd, writeAll, writeAllNow } from './disk.ts'

const HEAD = 10
const FULL = 64 << 20
/** A pack is closed after this many milliseconds, so that another process, which sees only when it was last written, never takes an open one for closed. */
const OPEN_FOR = 1_800_000
const MOST_AT_ONCE = 4 << 20
/** Packs that are asked about together. */
const AT_A_TIME = 64

interface Place { pack: string; offset: number; size: number; crc: number }

function placeOf(id: string): Place {
  const match = /^p-([0-9a-f]{32})-([0-9a-z]{1,8})-([0-9a-z]{1,8})-([0-9a-z]{1,7})$/.exec(id)
  if (!match) throw invalid('This is no id of a packed object')
  const [offset, size, crc] = match.slice(2).map((text) => Number.parseInt(text, 36))
  return { pack: match[1]!, offset: offset!, size: size!, crc: crc! }
}

const idOf = ({ pack, offset, size, crc }: Place): string => `p-${pack}-${offset.toString(36)}-${size.toString(36)}-${crc.toString(36)}`

interface Waiting { bytes: Buffer; resolve: (id: string) => void; reject: (thrown: unknown) => void }

export interface Packs {
  append(bytes: Buffer): Promise<string>
  read(id: string, start: number, end: number): Promise<Readable>
  remove(id: string): void
  verify(id: string): Promise<Verdict>
  quarantine(id: string): Promise<void>
  list(before: number): AsyncIterable<string>
  compact: NonNullable<BytesDriver['compact']>
  close(): Promise<void>
}

export function packFiles(dir: string, safe: boolean, hexId: () => string): Packs {
  const folder = join(dir, 'packs')
  const syncFolder = folderSync()
  const disk = pace()
  const readQuickly = (fd: number, buffer: Buffer, position: number): number | Promise<number> => disk.run(() => readSync(fd, buffer, 0, buffer.length, position), () => readAt(fd, buffer, position))
  const pathOf = (pack: string): string => join(folder, pack)
  // A descriptor that falls out is closed only when nobody reads by it.
  const users = new Map<number, number>()
  const dropped = new Set<number>()
  const letGo = (fd: number): void => {
    if ((users.get(fd) ?? 0) > 0) dropped.add(fd)
    else void closeFd(fd)
  }
  const readers = new LRUCache<string, number>({ max: 128, dispose: (fd) => letGo(fd) })
  let current: { pack: string; fd: number; size: number; since: number } | undefined
  let waiting: Waiting[] = []
  let busy: Promise<void> | undefined
  const dead = new Map<string, number>()

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch: Waiting[] = []
      for (let size = 0; waiting.length > 0 && size < MOST_AT_ONCE; size += batch.at(-1)!.bytes.length) batch.push(waiting.shift()!)
      try {
        const pack = current && current.size < FULL && performance.now() - current.since < OPEN_FOR ? current : await begin()
        const chunks: Buffer[] = []
        const ids: string[] = []
        let at = pack.size
        for (const { bytes } of batch) {
          const crc = crc32(bytes)
          const head = Buffer.allocUnsafe(HEAD)
          head.write('OP', 0, 'latin1')
          head.writeUInt32LE(bytes.length, 2)
          head.writeUInt32LE(crc, 6)
          chunks.push(head, bytes)
          ids.push(idOf({ pack: pack.pack, offset: at + HEAD, size: bytes.length, crc }))
          at += HEAD + bytes.length
        }
        const from = pack.size
        await disk.run(() => writeAllNow(pack.fd, chunks, from), () => writeAll(pack.fd, chunks, from))
        if (safe) await syncFd(pack.fd)
        pack.size = at
        for (const [i, one] of batch.entries()) one.resolve(ids[i]!)
      } catch (thrown) {
        // What is behind the last whole record is unknown now: the next one goes to a new pack.
        if (current) letGo(current.fd)
        current = undefined
        for (const one of batch) one.reject(diskFault(thrown))
      }
    }
  }
  // It may be over before it is known to have begun, when the first write fails at once; and some may come while it ends.
  const start = (): void => {
    busy = flush().finally(() => {
      busy = undefined
      if (waiting.length > 0) start()
    })
  }
  const begin = async (): Promise<NonNullable<typeof current>> => {
    if (current) letGo(current.fd)
    current = undefined
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const pack = hexId()
    const fd = await openFd(pathOf(pack), 'wx')
    try {
      if (safe) for (const one of [folder, dir, dirname(dir)]) await syncFolder(one)
    } catch (thrown) {
      void closeFd(fd)
      throw thrown
    }
    return (current = { pack, fd, size: 0, since: performance.now() })
  }
  const append = (bytes: Buffer): Promise<string> =>
    new Promise((resolve, reject) => {
      waiting.push({ bytes, resolve, reject })
      if (!busy) start()
    })
  const fetch = async (place: Place): Promise<Buffer> => {
    let fd = readers.get(place.pack)
    if (fd === undefined) {
      const opened = await openFd(pathOf(place.pack), 'r').catch(() => openFd(`${pathOf(place.pack)}.old`, 'r'))
      const raced = readers.get(place.pack)
      if (raced === undefined) readers.set(place.pack, (fd = opened))
      else {
        fd = raced
        void closeFd(opened)
      }
    }
    users.set(fd, (users.get(fd) ?? 0) + 1)
    try {
      const buffer = Buffer.allocUnsafe(place.size)
      if (place.size > 0 && (await readQuickly(fd, buffer, place.offset)) !== place.size) throw unavailable('The bytes of this object are damaged.', { code: 'swift.bad_bytes' })
      if (crc32(buffer) !== place.crc) throw unavailable('The bytes of this object are damaged.', { code: 'swift.bad_bytes' })
      return buffer
    } finally {
      const left = users.get(fd)! - 1
      if (left > 0) users.set(fd, left)
      else {
        users.delete(fd)
        if (dropped.delete(fd)) void closeFd(fd)
      }
    }
  }
  /** Records of a pack, up to the first that is torn. */
  async function* records(pack: string): AsyncGenerator<Place> {
    const fd = await openFd(pathOf(pack), 'r').catch(() => undefined)
    if (fd === undefined) return
    try {
      const head = Buffer.allocUnsafe(HEAD)
      for (let at = 0; (await readAt(fd, head, at)) === HEAD && head.toString('latin1', 0, 2) === 'OP'; ) {
        const size = head.readUInt32LE(2)
        yield { pack, offset: at + HEAD, size, crc: head.readUInt32LE(6) }
        at += HEAD + size
      }
    } finally {
      await closeFd(fd)
    }
  }
  const closedBefore = async (before: number): Promise<{ pack: string; size: number }[]> => {
    const out: { pack: string; size: number }[] = []
    for (const pack of await readdir(folder).catch(() => [] as string[])) {
      if (!/^[0-9a-f]{32}$/.test(pack) || pack === current?.pack) continue
      const found = await stat(pathOf(pack)).catch(() => undefined)
      if (found && found.mtimeMs < before) out.push({ pack, size: found.size })
    }
    return out
  }
  /** Writes them anew; false when one cannot be read. */
  const relocate = async (places: readonly Place[], moved: (from: string, to: string) => Promise<boolean>): Promise<boolean> => {
    let whole = true
    for (const place of places) {
      const content = await fetch(place).catch(() => undefined)
      if (!content) whole = false
      else {
        const to = await append(content)
        if (!(await moved(idOf(place), to))) dead.set(placeOf(to).pack, (dead.get(placeOf(to).pack) ?? 0) + place.size + HEAD)
      }
    }
    return whole
  }
  return {
    append,
    async read(id, start, end) {
      try {
        const bytes = await fetch(placeOf(id))
        return new BytesBody(start === 0 && end === bytes.length - 1 ? bytes : bytes.subarray(start, end + 1))
      } catch (thrown) {
        throw diskFault(thrown)
      }
    },
    remove(id) {
      const { pack, size } = placeOf(id)
      dead.set(pack, (dead.get(pack) ?? 0) + size + HEAD)
    },
    async verify(id) {
      try {
        await fetch(placeOf(id))
        return 'good'
      } catch (thrown) {
        const { code } = thrown as { code?: string }
        if (code === 'ENOENT') return 'missing'
        if (code === 'swift.bad_bytes' || code === 'EIO') return 'bad'
        throw diskFault(thrown)
      }
    },
    async quarantine(id) {
      // The pack holds others too: a copy of the bad record is put aside, and the row's bytes are known to be bad.
      const { pack, offset, size } = placeOf(id)
      const fd = await openFd(pathOf(pack), 'r').catch(() => undefined)
      if (fd === undefined) return
      const buffer = Buffer.alloc(size)
      await readAt(fd, buffer, offset).finally(() => closeFd(fd))
      await mkdir(join(dir, 'quarantine'), { recursive: true, mode: 0o700 })
      const to = await openFd(join(dir, 'quarantine', id), 'w')
      await writeAll(to, [buffer], 0).finally(() => closeFd(to))
    },
    async *list(before) {
      for (const { pack } of await closedBefore(before)) for await (const place of records(pack)) yield idOf(place)
    },
    // What the rows say decides, not what a walk through the file finds: behind a head that is damaged nothing would be found.
    async compact(held, moved, before) {
      // Half empty as far as this process knows, or left by one that is gone and not looked at yet.
      const found = (await closedBefore(before)).filter(({ pack, size }) => !dead.has(pack) || dead.get(pack)! * 2 >= size)
      for (let i = 0; i < found.length; i += AT_A_TIME) {
        const some = found.slice(i, i + AT_A_TIME)
        const said = await held(some.map(({ pack }) => `p-${pack}-`))
        for (const [k, { pack, size }] of some.entries()) {
          const { movable, fixed } = said[k]!
          const kept = movable.map(placeOf)
          const bytes = kept.reduce((sum, place) => sum + place.size + HEAD, 0)
          dead.set(pack, size - bytes)
          if (fixed || bytes * 2 > size || !(await relocate(kept, moved))) continue
          // Who has just read the row may still open the old place.
          await rename(pathOf(pack), join(folder, `${pack}.old`))
          dead.delete(pack)
        }
      }
      const old: string[] = []
      for (const file of await readdir(folder).catch(() => [] as string[])) {
        if (!file.endsWith('.old')) continue
        const stats = await stat(join(folder, file)).catch(() => undefined)
        if (stats && stats.ctimeMs < before) old.push(file.slice(0, 32))
      }
      for (let i = 0; i < old.length; i += AT_A_TIME) {
        const some = old.slice(i, i + AT_A_TIME)
        const said = await held(some.map((pack) => `p-${pack}-`))
        for (const [k, pack] of some.entries()) {
          const { movable, fixed } = said[k]!
          // A row that was written meanwhile by who had read the old place: it is given the new one now, and the file waits for another round.
          if (fixed || movable.length > 0) await relocate(movable.map(placeOf), moved)
          else {
            readers.delete(pack)
            await rm(join(folder, `${pack}.old`), { force: true })
          }
        }
      }
    },
    async close() {
      while (busy) await busy
      if (current) letGo(current.fd)
      current = undefined
      readers.clear()
    },
  }
}
