/** XXH3-64 of up to 64 KiB, as `xxhsum -H3` gives it; 240 bytes and fewer are taken as 256 with zeros behind them. */
import { addressOf, arena, GUEST_AT, SECRET_AT, SMALL, SUM_AT } from './arena.ts'

const LEAST = 241
const FILLED = 256

/** Leaves the sum at `SUM_AT`. */
function sum(bytes: Uint8Array): void {
  const { xxh3, bytes: all } = arena()
  if (bytes.length > SMALL) throw new RangeError('The sum is of at most 64 KiB')
  const short = bytes.length < LEAST
  let at = addressOf(bytes)
  if (at === undefined || short) {
    at = GUEST_AT
    all.set(bytes, at)
    if (short) all.fill(0, at + bytes.length, at + FILLED)
  }
  xxh3(at, short ? FILLED : bytes.length, SECRET_AT, SUM_AT)
}

/** Eight bytes, the lower first, into `table` at `offset`. */
export function sumInto(table: Buffer, offset: number, bytes: Uint8Array): void {
  sum(bytes)
  const { words } = arena()
  table.writeUInt32LE(words[SUM_AT / 4]!, offset)
  table.writeUInt32LE(words[SUM_AT / 4 + 1]!, offset + 4)
}

export function sumIs(table: Buffer, offset: number, bytes: Uint8Array): boolean {
  sum(bytes)
  const { words } = arena()
  return table.readUInt32LE(offset) === words[SUM_AT / 4] && table.readUInt32LE(offset + 4) === words[SUM_AT / 4 + 1]
}
