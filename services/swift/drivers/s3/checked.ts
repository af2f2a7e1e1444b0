/** Bytes with the CRC-32 of every block behind them, as one object: what comes back is judged block by block before it is passed on, whatever the store says. */
import { Transform, type TransformCallback } from 'node:stream'
import { crc32 } from 'node:zlib'
import { tied } from '../tied.ts'

export const BLOCK = 256 << 10

/** Bytes of the table behind so many bytes. */
export const tableSize = (size: number): number => Math.ceil(size / BLOCK) * 4
/** How many bytes there are, of the size of the object with its table. */
export const payloadOf = (total: number): number => total - Math.ceil(total / (BLOCK + 4)) * 4

/** The pieces of a source, then its table, tied to the id. `size` is right when all has passed. */
export function withTable(source: AsyncIterable<Uint8Array>, hex: string): { pieces: AsyncGenerator<Uint8Array>; size(): number } {
  let size = 0
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const sums: number[] = []
    for await (const chunk of source) {
      for (let from = 0; from < chunk.length; ) {
        const within = size % BLOCK
        const part = chunk.subarray(from, from + BLOCK - within)
        sums.push(within === 0 ? crc32(part) : crc32(part, sums.pop()))
        size += part.length
        from += part.length
      }
      yield chunk
    }
    if (sums.length > 0) yield tied(tableOf(sums), hex)
  }
  return { pieces: pieces(), size: () => size }
}

function tableOf(sums: readonly number[]): Buffer {
  const table = Buffer.allocUnsafe(sums.length * 4)
  for (const [i, sum] of sums.entries()) table.writeUInt32LE(sum, i * 4)
  return table
}

export interface Wanted { size: number; start: number; end: number }

/** Blocks that hold the bytes `start` to `end`: where they begin and end in the object, and where their sums stand. */
export function spanOf({ size, start, end }: Wanted): { from: number; to: number; sumsFrom: number; sumsTo: number } {
  const [first, last] = [Math.floor(start / BLOCK), Math.floor(end / BLOCK)]
  return { from: first * BLOCK, to: Math.min((last + 1) * BLOCK, size) - 1, sumsFrom: size + first * 4, sumsTo: size + last * 4 + 3 }
}

/** The bytes that are wanted out of whole blocks; undefined when a block is not what it was. */
export function cut(blocks: Buffer, sums: Buffer, wanted: Wanted): Buffer | undefined {
  const { from } = spanOf(wanted)
  for (let i = 0; i * BLOCK < blocks.length; i++) if (crc32(blocks.subarray(i * BLOCK, (i + 1) * BLOCK)) !== sums.readUInt32LE(i * 4)) return undefined
  return blocks.subarray(wanted.start - from, wanted.end - from + 1)
}

/** Takes whole blocks as they come in pieces, and lets good ones through, cut to what is wanted. `bad` makes the error that ends it. */
export function judging(sums: Buffer, wanted: Wanted, bad: () => Error): Transform {
  const { from, to } = spanOf(wanted)
  let at = from
  let held: Buffer[] = []
  let size = 0
  return new Transform({
    highWaterMark: BLOCK,
    transform(chunk: Buffer, _encoding, next: TransformCallback) {
      for (let offset = 0; offset < chunk.length; ) {
        const length = Math.min(BLOCK, to + 1 - at)
        const part = chunk.subarray(offset, offset + length - size)
        if (length === 0) return next(bad())
        held.push(part)
        size += part.length
        offset += part.length
        if (size < length) continue
        const block = held.length === 1 ? held[0]! : Buffer.concat(held)
        if (crc32(block) !== sums.readUInt32LE(((at - from) / BLOCK) * 4)) return next(bad())
        this.push(block.subarray(Math.max(0, wanted.start - at), Math.min(block.length, wanted.end - at + 1)))
        at += length
        held = []
        size = 0
      }
      next()
    },
    flush: (next) => next(size === 0 && at === to + 1 ? null : bad()),
  })
}
