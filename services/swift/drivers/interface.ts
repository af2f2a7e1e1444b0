/** Where the bytes of objects lie, by an id of 32 hex digits; a driver knows nothing of names. */
import type { Readable } from 'node:stream'

export interface BytesDriver {
  /** Resolves when the bytes are durable. What the source throws is thrown here, and nothing is kept. */
  write(id: string, source: AsyncIterable<Uint8Array>): Promise<void>
  /** Bytes `start` to `end`, inclusive; `not_found` when there are none under `id`. */
  read(id: string, start: number, end: number): Promise<Readable>
  ensureNo(id: string): Promise<void>
}
