/** Bytes in this process's memory: the specification of a driver, which can be told to fail, to rot and to forget. */
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { Fault, unavailable } from '#base/fault.ts'
import type { BytesDriver } from '../interface.ts'

export interface MemoryBytes extends BytesDriver {
  /** The next writes fail so. */
  failWrites(fault: Fault | undefined): void
  rot(id: string): void
  forget(id: string): void
  readonly size: number
}

export function memoryBytes(now: () => number): MemoryBytes {
  const kept = new Map<string, { bytes: Buffer; crc: number; at: number }>()
  let serial = 0
  let failing: Fault | undefined
  const good = (id: string): Buffer => {
    const one = kept.get(id)
    if (!one) throw unavailable('The bytes of this object are not there.')
    if (crc32(one.bytes) !== one.crc) throw unavailable('The bytes of this object are damaged.', { code: 'swift.bad_bytes' })
    return one.bytes
  }
  return {
    async write(source) {
      const chunks: Buffer[] = []
      for await (const chunk of source) chunks.push(Buffer.from(chunk))
      if (failing) throw failing
      const bytes = Buffer.concat(chunks)
      const id = `m-${(++serial).toString(36)}`
      kept.set(id, { bytes, crc: crc32(bytes), at: now() })
      return id
    },
    async read(id, start, end) {
      return Readable.from([good(id).subarray(start, end + 1)])
    },
    async remove(ids) {
      for (const id of ids) kept.delete(id)
    },
    async verify(id) {
      const one = kept.get(id)
      return one === undefined ? 'missing' : crc32(one.bytes) === one.crc ? 'good' : 'bad'
    },
    async quarantine(id) {
      kept.delete(id)
    },
    async *list(before) {
      for (const [id, one] of kept) if (one.at < before) yield id
    },
    async sweep() {},
    async close() {},
    failWrites: (fault) => void (failing = fault),
    rot(id) {
      const one = kept.get(id)!
      one.bytes[one.bytes.length >> 1]! ^= 1
    },
    forget: (id) => void kept.delete(id),
    get size() {
      return kept.size
    },
  }
}
