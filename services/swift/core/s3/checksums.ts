/** Checksums that S3's clients send beside their bytes: CRC-32, CRC-32C, CRC-64/NVME, SHA-1, SHA-256, MD5. Values are base64 on the wire. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { s3Fault } from './errors.ts'

export const ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

export interface Checksum {
  update(chunk: Uint8Array): void
  /** Base64; ends it. */
  digest(): string
}

const LENGTHS: Readonly<Record<Algorithm, number>> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 }

export function checksum(algorithm: Algorithm): Checksum {
  switch (algorithm) {
    case 'CRC32':
      return crc((chunk, value) => crc32(chunk, value))
    case 'CRC32C':
      return crc(crc32c)
    case 'CRC64NVME':
      return crc64()
    default: {
      const hash = createHash(algorithm.toLowerCase())
      return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest('base64') }
    }
  }
}

/** `x-amz-checksum-crc32c` → `CRC32C`; undefined for another header. Refused when the value cannot be one; `what` is how the refusal calls it. */
export function checksumHeader(name: string, value: string, what = 'header'): Algorithm | undefined {
  const word = /^x-amz-checksum-(.+)$/.exec(name)?.[1]?.toUpperCase()
  const algorithm = ALGORITHMS.find((each) => each === word)
  if (algorithm === undefined) return undefined
  if (!/^[A-Za-z0-9+/]+=*$/.test(value) || Buffer.from(value, 'base64').length !== LENGTHS[algorithm] || Buffer.from(value, 'base64').toString('base64') !== value) throw s3Fault('InvalidRequest', `Value for ${name} ${what} is invalid.`)
  return algorithm
}

/**
 * Which checksum a request announces: in a header, or in one that follows its body. Throws when it announces several, or what it does not send.
 * `trailers`: headers may follow the body.
 */
export function announcedSum(headers: Readonly<Record<string, string>>, trailers: boolean): { algorithm: Algorithm; trailing: boolean } | undefined {
  const wrong = (message: string): Error => s3Fault('InvalidRequest', message)
  const algorithmOf = (name: string): Algorithm | undefined => ALGORITHMS.find((each) => name === `x-amz-checksum-${each.toLowerCase()}`)
  const names = Object.keys(headers).filter((name) => name.startsWith('x-amz-checksum-') && !['mode', 'algorithm', 'type'].includes(name.slice('x-amz-checksum-'.length)))
  const odd = names.find((name) => algorithmOf(name) === undefined)
  if (odd !== undefined) throw wrong('The algorithm type you specified in x-amz-checksum- header is invalid.')
  const said = headers['x-amz-trailer']
  const behind = said === undefined || said === '' ? [] : said.replace(/,+$/, '').split(',').map((name) => algorithmOf(name.trim().toLowerCase()))
  if (behind.includes(undefined)) throw wrong('The value specified in the x-amz-trailer header is not supported')
  if (names.length > 1 || behind.length > 1) throw wrong('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.')
  if (names.length > 0 && behind.length > 0) throw wrong('Expecting a single x-amz-checksum- header')
  if (behind.length > 0 && !trailers) throw s3Fault('MalformedTrailerError')
  const algorithm = behind[0] ?? (names[0] === undefined ? undefined : algorithmOf(names[0]))
  const wanted = headers['x-amz-sdk-checksum-algorithm']?.toUpperCase()
  if (wanted !== undefined && algorithm === undefined) throw wrong('x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.')
  if (wanted !== undefined && wanted !== algorithm) throw wrong('Value for x-amz-sdk-checksum-algorithm header is invalid.')
  return algorithm && { algorithm, trailing: behind.length > 0 }
}

/** The checksum of a whole whose parts have these checksums (`composite`): the checksum of their bytes in a row. */
export function composite(algorithm: Algorithm, parts: readonly string[]): string {
  const sum = checksum(algorithm)
  for (const part of parts) sum.update(Buffer.from(part, 'base64'))
  return `${sum.digest()}-${parts.length}`
}

const WIDTH: Partial<Readonly<Record<Algorithm, readonly [bits: bigint, polynomial: bigint]>>> = { CRC32: [32n, 0xedb88320n], CRC32C: [32n, 0x82f63b78n], CRC64NVME: [64n, 0x9a6c9329ac4bc9b5n] }

/** Whether the checksum of a whole can be made of those of its parts (`combined`). */
export const canCombine = (algorithm: Algorithm): boolean => WIDTH[algorithm] !== undefined

/** The checksum of the bytes of all parts in a row, of their own: each is moved on by the length of what follows it, in the polynomials modulo the CRC's. */
export function combined(algorithm: Algorithm, parts: readonly { sum: string; size: number }[]): string {
  const [bits, polynomial] = WIDTH[algorithm]!
  const top = 1n << (bits - 1n)
  const times = (a: bigint, b: bigint): bigint => {
    let product = 0n
    for (let mask = top; mask > 0n; mask >>= 1n) {
      if (a & mask) product ^= b
      b = b & 1n ? (b >> 1n) ^ polynomial : b >> 1n
    }
    return product
  }
  // x to the powers of 2, from x^8 (one byte) on.
  const squares = [top >> 8n]
  const shifts = new Map<number, bigint>()
  const shiftOf = (bytes: number): bigint => {
    let shift = shifts.get(bytes)
    if (shift === undefined) {
      shift = top
      for (let left = BigInt(bytes), k = 0; left > 0n; left >>= 1n, k++) {
        if (k > 0 && squares.length <= k) squares.push(times(squares[k - 1]!, squares[k - 1]!))
        if (left & 1n) shift = times(squares[k]!, shift)
      }
      shifts.set(bytes, shift)
    }
    return shift
  }
  let whole = 0n
  for (const [i, { sum, size }] of parts.entries()) {
    const own = BigInt(`0x${Buffer.from(sum, 'base64').toString('hex')}`)
    whole = i === 0 ? own : times(shiftOf(size), whole) ^ own
  }
  return Buffer.from(whole.toString(16).padStart(Number(bits) / 4, '0'), 'hex').toString('base64')
}

function crc(step: (chunk: Uint8Array, value: number) => number): Checksum {
  let value = 0
  return {
    update: (chunk) => void (value = step(chunk, value)),
    digest() {
      const out = Buffer.alloc(4)
      out.writeUInt32BE(value >>> 0)
      return out.toString('base64')
    },
  }
}

let castagnoli: Uint32Array[] | undefined

/** Eight tables, eight bytes a turn (Castagnoli's polynomial, reflected). */
function crc32c(chunk: Uint8Array, before: number): number {
  castagnoli ??= tables32(0x82f63b78)
  const [t0, t1, t2, t3, t4, t5, t6, t7] = castagnoli as [Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array]
  let c = ~before
  let i = 0
  for (const end = chunk.length - 7; i < end; i += 8) {
    const low = c ^ (chunk[i]! | (chunk[i + 1]! << 8) | (chunk[i + 2]! << 16) | (chunk[i + 3]! << 24))
    c = t7[low & 255]! ^ t6[(low >>> 8) & 255]! ^ t5[(low >>> 16) & 255]! ^ t4[low >>> 24]! ^ t3[chunk[i + 4]!]! ^ t2[chunk[i + 5]!]! ^ t1[chunk[i + 6]!]! ^ t0[chunk[i + 7]!]!
  }
  for (; i < chunk.length; i++) c = (c >>> 8) ^ t0[(c ^ chunk[i]!) & 255]!
  return ~c
}

function tables32(polynomial: number): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256))
  for (let n = 0; n < 256; n++) {
    let c = n
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ polynomial : c >>> 1
    tables[0]![n] = c
  }
  for (let t = 1; t < 8; t++) for (let n = 0; n < 256; n++) tables[t]![n] = (tables[t - 1]![n]! >>> 8) ^ tables[0]![tables[t - 1]![n]! & 255]!
  return tables
}

let nvme: { high: Uint32Array[]; low: Uint32Array[] } | undefined

/** CRC-64/NVME in two halves, for numbers have 53 bits: eight tables, eight bytes a turn. */
function crc64(): Checksum {
  nvme ??= tables64(0x9a6c9329ac4bc9b5n)
  const { high, low } = nvme
  let h = ~0
  let l = ~0
  return {
    update(chunk) {
      let i = 0
      for (const end = chunk.length - 7; i < end; i += 8) {
        l ^= chunk[i]! | (chunk[i + 1]! << 8) | (chunk[i + 2]! << 16) | (chunk[i + 3]! << 24)
        h ^= chunk[i + 4]! | (chunk[i + 5]! << 8) | (chunk[i + 6]! << 16) | (chunk[i + 7]! << 24)
        const [a, b, c, d, e, f, g, k] = [l & 255, (l >>> 8) & 255, (l >>> 16) & 255, l >>> 24, h & 255, (h >>> 8) & 255, (h >>> 16) & 255, h >>> 24]
        l = low[7]![a]! ^ low[6]![b]! ^ low[5]![c]! ^ low[4]![d]! ^ low[3]![e]! ^ low[2]![f]! ^ low[1]![g]! ^ low[0]![k]!
        h = high[7]![a]! ^ high[6]![b]! ^ high[5]![c]! ^ high[4]![d]! ^ high[3]![e]! ^ high[2]![f]! ^ high[1]![g]! ^ high[0]![k]!
      }
      for (; i < chunk.length; i++) {
        const n = (l ^ chunk[i]!) & 255
        l = ((l >>> 8) | (h << 24)) ^ low[0]![n]!
        h = (h >>> 8) ^ high[0]![n]!
      }
    },
    digest() {
      const out = Buffer.alloc(8)
      out.writeUInt32BE(~h >>> 0, 0)
      out.writeUInt32BE(~l >>> 0, 4)
      return out.toString('base64')
    },
  }
}

function tables64(polynomial: bigint): { high: Uint32Array[]; low: Uint32Array[] } {
  const values: bigint[][] = [[]]
  for (let n = 0n; n < 256n; n++) {
    let c = n
    for (let bit = 0; bit < 8; bit++) c = c & 1n ? (c >> 1n) ^ polynomial : c >> 1n
    values[0]!.push(c)
  }
  for (let t = 1; t < 8; t++) values.push(values[t - 1]!.map((value) => (value >> 8n) ^ values[0]![Number(value & 255n)]!))
  return { high: values.map((row) => Uint32Array.from(row, (value) => Number(value >> 32n))), low: values.map((row) => Uint32Array.from(row, (value) => Number(value & 0xffffffffn))) }
}
