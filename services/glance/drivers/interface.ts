/**
 * Where image bytes lie. A driver knows bytes by an id and nothing of images. `ensure…` verbs may be repeated; a write that did not
 * reach its end leaves nothing that `read` would serve.
 */
import type { Readable } from 'node:stream'

export interface StoreDriver {
  readonly name: string
  /**
   * Takes the whole stream, each chunk of which is good until the next is asked for; resolves when the bytes are durable under `id`. What the source throws is thrown here, and nothing is kept.
   * Returns the number of bytes.
   */
  write(id: string, source: AsyncIterable<Uint8Array>): Promise<number>
  /** Bytes `start` to `end` (inclusive; absent: to the last). `not_found` when there is nothing under `id`. */
  read(id: string, range?: { start: number; end?: number }): Promise<{ stream: Readable; size: number }>
  size(id: string): Promise<number | undefined>
  ensureNo(id: string): Promise<void>
  /** Everything there is, and when it was written (milliseconds). */
  list(): Promise<{ id: string; size: number; written_at: number }[]>
  /** Takes away what writes that were killed left, when it is older than `before`. */
  sweep(before: number): Promise<void>
  /** The same bytes under another id, without copying where the store can. */
  move(from: string, to: string): Promise<void>
}
