/** Where the bytes of objects lie. A driver knows nothing of names: it gives each upload an id (at most 160 characters), by which it is read and removed. */
import type { Readable } from 'node:stream'
import type { HeldBelow } from '../core/policies.ts'

export type Verdict = 'good' | 'bad' | 'missing'

export interface BytesDriver {
  /**
   * Takes the whole source, each piece of which is good until the next is asked for; resolves with an id when the bytes are durable. What the source throws is thrown here, and nothing is kept.
   * `length`: how many bytes will come, when that is known.
   */
  write(source: AsyncIterable<Uint8Array>, length?: number): Promise<string>
  /** Bytes `start` to `end`, inclusive. `unavailable` when they are gone or not what was written; a stream ends in an error before a bad byte leaves it. */
  read(id: string, start: number, end: number): Promise<Readable>
  /** Ids that are gone already are passed over. */
  remove(ids: readonly string[]): Promise<void>
  /** Reads all of it and compares. */
  verify(id: string): Promise<Verdict>
  /** Puts bad bytes aside, where an operator may look at them. */
  quarantine(id: string): Promise<void>
  /** Ids of what was written before this instant (milliseconds), in any order. */
  list(before: number): AsyncIterable<string>
  /** Takes away what writes that were killed left behind before this instant. */
  sweep(before: number): Promise<void>
  /**
   * Gives space back where many small ones lie together. `held` tells for each beginning of ids what rows say of them; `moved` puts one in the place of another, false when
   * nothing holds it any more. What no row mentions goes for ever only after it could not be found for as long as since `before`.
   */
  compact?(held: (prefixes: readonly string[]) => Promise<HeldBelow[]>, moved: (from: string, to: string) => Promise<boolean>, before: number): Promise<void>
  close(): Promise<void>
}

/** The places that the storage policies name, as one (pools.ts). */
export interface Pools {
  readonly names: readonly string[]
  /** As `BytesDriver.write`; `unavailable` when there is no place of this name. */
  write(pool: string, source: AsyncIterable<Uint8Array>, length?: number): Promise<string>
  read(id: string, start: number, end: number): Promise<Readable>
  remove(ids: readonly string[]): Promise<void>
  verify(id: string): Promise<Verdict>
  quarantine(id: string): Promise<void>
  /** One place alone, with its ids as they stand in rows; absent when nothing has this name. */
  of(pool: string): Omit<BytesDriver, 'close'> | undefined
  close(): Promise<void>
}
