/** Lets another host read a volume chunk by chunk. A reading that nobody goes on with is dropped. */
import { conflict } from '#base/fault.ts'
import type { World } from '#base/world.ts'

interface Reading {
  chunks: AsyncIterator<Uint8Array>
  index: number
  last: { base64: string; zeros: number }
  expire: () => void
}

const PATIENCE = 120_000

export interface ChunkReader {
  read(session: string, index: number, open: () => AsyncIterable<Uint8Array>): Promise<{ base64: string; zeros: number }>
}

export function chunkReader(world: World): ChunkReader {
  const readings = new Map<string, Reading>()
  const drop = (session: string): void => {
    void readings.get(session)?.chunks.return?.()
    readings.delete(session)
  }
  return {
    async read(session, index, open) {
      let reading = readings.get(session)
      if (!reading) {
        if (index !== 0) throw conflict('The reading of this volume was interrupted; begin again.')
        reading = { chunks: open()[Symbol.asyncIterator](), index: -1, last: { base64: '', zeros: 0 }, expire: () => {} }
        readings.set(session, reading)
      }
      reading.expire()
      reading.expire = world.clock.after(PATIENCE, () => drop(session))
      // The answer may have been lost: the same chunk may be asked for twice.
      if (index === reading.index) return reading.last
      if (index !== reading.index + 1) throw conflict('The chunks of a volume are read in order.')
      const next = await reading.chunks.next()
      reading.index = index
      if (next.done) {
        reading.expire()
        drop(session)
        return { base64: '', zeros: 0 }
      }
      const bytes = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
      reading.last = isZero(bytes) ? { base64: '', zeros: bytes.length } : { base64: bytes.toString('base64'), zeros: 0 }
      return reading.last
    },
  }
}

const ZEROS = Buffer.alloc(4 * 2 ** 20)

export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length)
    if (ZEROS.compare(part, 0, part.length, 0, part.length) !== 0) return false
  }
  return true
}
