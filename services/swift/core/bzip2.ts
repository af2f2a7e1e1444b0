/** Bzip2, decompressed as it streams in: blocks of at most 900 kB, one at a time. */
import { invalid } from '#base/fault.ts'

const bad = (what: string): never => {
  throw invalid(`Invalid bzip2 data: ${what}`)
}

class Bits {
  readonly #source: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0
  #bits = 0
  #count = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Brings so many bytes within reach of `read`, or what is left of them. */
  async fill(bytes: number): Promise<void> {
    const parts: Uint8Array[] = [this.#chunk.subarray(this.#at)]
    let size = parts[0]!.length
    while (size < bytes) {
      const next = await this.#source.next()
      if (next.done) break
      parts.push(next.value)
      size += next.value.length
    }
    if (parts.length > 1) {
      this.#chunk = Buffer.concat(parts)
      this.#at = 0
    }
  }

  get ended(): boolean {
    return this.#at >= this.#chunk.length
  }

  align(): void {
    this.#count = 0
    this.#bits = 0
  }

  read(count: number): number {
    let value = 0
    let left = count
    while (left > 0) {
      if (this.#count === 0) {
        if (this.#at >= this.#chunk.length) bad('it ends too early')
        this.#bits = this.#chunk[this.#at++]!
        this.#count = 8
      }
      const some = Math.min(left, this.#count)
      value = value * 2 ** some + ((this.#bits >> (this.#count - some)) & ((1 << some) - 1))
      this.#count -= some
      left -= some
    }
    return value
  }
}

/** Largest compressed block there can be, bytes. */
const REACH = 2_000_000

export async function* bunzip2(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const bits = new Bits(source)
  for (let first = true; ; first = false) {
    await bits.fill(REACH)
    if (bits.ended) return first ? bad('it is empty') : undefined
    if (bits.read(24) !== 0x425a68) bad('no bzip2 header')
    const level = bits.read(8) - 0x30
    if (level < 1 || level > 9) bad('no block size')
    for (;;) {
      await bits.fill(REACH)
      const magic = bits.read(48)
      const crc = bits.read(32)
      if (magic === 0x177245385090) {
        bits.align()
        break
      }
      if (magic !== 0x314159265359) bad('no block header')
      const out = block(bits, level * 100_000)
      if (blockCrc(out) !== crc) bad('wrong checksum')
      yield out
    }
  }
}

function block(bits: Bits, most: number): Buffer {
  if (bits.read(1) === 1) bad('randomized blocks are not supported')
  const origin = bits.read(24)
  const used = bits.read(16)
  const symbols: number[] = []
  for (let i = 0; i < 16; i++) {
    if ((used & (0x8000 >> i)) === 0) continue
    const row = bits.read(16)
    for (let j = 0; j < 16; j++) if ((row & (0x8000 >> j)) !== 0) symbols.push(i * 16 + j)
  }
  if (symbols.length === 0) bad('no symbols')
  const tables = bits.read(3)
  const count = bits.read(15)
  if (tables < 2 || tables > 6 || count < 1) bad('wrong tables')
  const order = Array.from({ length: tables }, (_, i) => i)
  const selectors = Array.from({ length: count }, () => {
    let place = 0
    while (bits.read(1) === 1) if (++place >= tables) bad('wrong selector')
    const [table] = order.splice(place, 1)
    order.unshift(table!)
    return table!
  })
  const alphabet = symbols.length + 2
  const codes = Array.from({ length: tables }, () => codeOf(bits, alphabet))
  const list = Uint8Array.from(symbols)
  const packed = new Uint32Array(most)
  let size = 0
  let run = 0
  let shift = 0
  const counts = new Uint32Array(256)
  const flush = (): void => {
    if (run === 0) return
    if (size + run > most) bad('too long a block')
    const byte = list[0]!
    counts[byte]! += run
    packed.fill(byte, size, size + run)
    size += run
    run = 0
    shift = 0
  }
  for (let group = 0, left = 0, code = codes[0]!; ; left--) {
    if (left === 0) {
      if (group >= count) bad('too few selectors')
      code = codes[selectors[group++]!]!
      left = 50
    }
    const symbol = decode(bits, code)
    if (symbol <= 1) {
      run += (symbol + 1) << shift++
      if (run > most) bad('too long a run')
      continue
    }
    flush()
    if (symbol === alphabet - 1) break
    const place = symbol - 1
    const byte = list[place]!
    list.copyWithin(1, 0, place)
    list[0] = byte
    if (size >= most) bad('too long a block')
    counts[byte]!++
    packed[size++] = byte
  }
  return unsorted(packed, size, counts, origin)
}

interface Code { limits: Int32Array; bases: Int32Array; symbols: Uint16Array; least: number }

function codeOf(bits: Bits, alphabet: number): Code {
  const lengths: number[] = []
  let length = bits.read(5)
  for (let i = 0; i < alphabet; i++) {
    while (bits.read(1) === 1) length += bits.read(1) === 0 ? 1 : -1
    if (length < 1 || length > 20) bad('wrong code length')
    lengths.push(length)
  }
  const symbols = new Uint16Array(alphabet)
  const limits = new Int32Array(22).fill(-1)
  const bases = new Int32Array(22)
  let code = 0
  let at = 0
  for (let size = 1; size <= 20; size++) {
    bases[size] = at - code
    for (let i = 0; i < alphabet; i++) {
      if (lengths[i] !== size) continue
      symbols[at++] = i
      code++
    }
    limits[size] = code - 1
    code *= 2
  }
  return { limits, bases, symbols, least: Math.min(...lengths) }
}

function decode(bits: Bits, { limits, bases, symbols, least }: Code): number {
  let value = bits.read(least)
  for (let size = least; size <= 20; size++) {
    if (value <= limits[size]! && bases[size]! + value >= 0) {
      const symbol = symbols[bases[size]! + value]
      return symbol === undefined ? bad('wrong code') : symbol
    }
    value = value * 2 + bits.read(1)
  }
  return bad('wrong code')
}

/** Undoes the Burrows–Wheeler sort and the first run-length coding. */
function unsorted(packed: Uint32Array, size: number, counts: Uint32Array, origin: number): Buffer {
  if (origin >= size) bad('wrong origin')
  const starts = new Uint32Array(256)
  for (let i = 1; i < 256; i++) starts[i] = starts[i - 1]! + counts[i - 1]!
  for (let i = 0; i < size; i++) {
    const byte = packed[i]! & 0xff
    packed[starts[byte]!++]! |= i << 8
  }
  let out = Buffer.allocUnsafe(size * 2 + 1024)
  let length = 0
  let at = packed[origin]! >>> 8
  let same = 0
  let before = -1
  for (let i = 0; i < size; i++) {
    const entry = packed[at]!
    const byte = entry & 0xff
    at = entry >>> 8
    if (same === 4) {
      if (length + byte > out.length) out = Buffer.concat([out.subarray(0, length)], (length + byte) * 2)
      out.fill(before, length, length + byte)
      length += byte
      same = 0
      before = -1
      continue
    }
    same = byte === before ? same + 1 : 1
    before = byte
    if (length >= out.length) out = Buffer.concat([out], out.length * 2)
    out[length++] = byte
  }
  return out.subarray(0, length)
}

const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let value = i << 24
  for (let bit = 0; bit < 8; bit++) value = (value & 0x80000000) === 0 ? value << 1 : (value << 1) ^ 0x04c11db7
  return value >>> 0
})

function blockCrc(data: Buffer): number {
  let crc = 0xffffffff
  for (let i = 0; i < data.length; i++) crc = ((crc << 8) ^ TABLE[((crc >>> 24) ^ data[i]!) & 0xff]!) >>> 0
  return ~crc >>> 0
}
