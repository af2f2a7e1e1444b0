/** Just enough of WebAssembly's binary format to write loops over vectors of 128 bits: functions of numbered locals, over one memory that is given. */

export const I32 = 0x7f
export const I64 = 0x7e
export const V128 = 0x7b
export type Type = typeof I32 | typeof I64 | typeof V128
/** Instructions as they stand in the module. */
export type Code = readonly number[]

export interface Function {
  name: string
  params: readonly Type[]
  result?: Type
  /** Numbered on from the parameters. */
  locals: readonly Type[]
  code: Code
}

function unsigned(value: number): number[] {
  const out: number[] = []
  let left = value
  do {
    out.push((left & 127) | (left > 127 ? 128 : 0))
    left >>>= 7
  } while (left > 0)
  return out
}

function signed(value: bigint): number[] {
  const out: number[] = []
  for (let left = value; ; ) {
    const byte = Number(left & 127n)
    left >>= 7n
    if ((left === 0n && byte < 64) || (left === -1n && byte >= 64)) return [...out, byte]
    out.push(byte | 128)
  }
}

const list = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()]
const section = (id: number, content: Code): number[] => [id, ...unsigned(content.length), ...content]
const text = (word: string): number[] => [...unsigned(word.length), ...Buffer.from(word, 'latin1')]

/** A module that takes `env.memory` of so many pages of 64 KiB and gives these functions. */
export function assemble(functions: readonly Function[], pages: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, list(functions.map(({ params, result }) => [0x60, ...list(params.map((type) => [type])), ...list(result === undefined ? [] : [[result]])]))),
    ...section(2, list([[...text('env'), ...text('memory'), 2, 0, ...unsigned(pages)]])),
    ...section(3, list(functions.map((_, i) => unsigned(i)))),
    ...section(7, list(functions.map(({ name }, i) => [...text(name), 0, ...unsigned(i)]))),
    ...section(10, list(functions.map(({ locals, code }) => {
      const body = [...list(locals.map((type) => [1, type])), ...code, 0x0b]
      return [...unsigned(body.length), ...body]
    }))),
    // Their names once more, for profiles.
    ...section(0, [...text('name'), ...section(1, list(functions.map(({ name }, i) => [...unsigned(i), ...text(name)])))]),
  ])
}

const vector = (op: number, ...rest: number[]): Code => [0xfd, ...unsigned(op), ...rest]

export const get = (local: number): Code => [0x20, ...unsigned(local)]
export const set = (local: number): Code => [0x21, ...unsigned(local)]
export const tee = (local: number): Code => [0x22, ...unsigned(local)]
export const call = (index: number): Code => [0x10, ...unsigned(index)]
/** Runs `body` once, and again as long as it leaves something that is not 0. */
export const repeat = (...body: Code[]): Code => [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b]
export const when = (condition: Code, ...body: Code[]): Code => [...condition, 0x04, 0x40, ...body.flat(), 0x0b]

export const i32 = {
  of: (value: number): Code => [0x41, ...signed(BigInt(value | 0))],
  load: (offset: number): Code => [0x28, 2, ...unsigned(offset)],
  store: (offset: number): Code => [0x36, 2, ...unsigned(offset)],
  add: [0x6a], sub: [0x6b], and: [0x71], or: [0x72], xor: [0x73], shl: [0x74], shr: [0x76], rotl: [0x77],
} as const

export const i64 = {
  of: (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))],
  load: (offset: number): Code => [0x29, 3, ...unsigned(offset)],
  store: (offset: number): Code => [0x37, 3, ...unsigned(offset)],
  add: [0x7c], mul: [0x7e], and: [0x83], or: [0x84], xor: [0x85], shl: [0x86], shr: [0x88], fromI32: [0xad],
} as const

const bytesOf = (word: number): number[] => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]

export const v128 = {
  load: (offset: number): Code => vector(0, 4, ...unsigned(offset)),
  store: (offset: number): Code => vector(11, 4, ...unsigned(offset)),
  longs: (long: bigint): Code => vector(12, ...[long, long].flatMap((one) => [...bytesOf(Number(one & 0xffffffffn)), ...bytesOf(Number((one >> 32n) & 0xffffffffn))])),
  /** Words of two vectors by number: 0 to 3 of the first, 4 to 7 of the second. */
  pick: (...words: [number, number, number, number]): Code => vector(13, ...words.flatMap((word) => [word * 4, word * 4 + 1, word * 4 + 2, word * 4 + 3])),
  and: vector(78), andNot: vector(79), or: vector(80), xor: vector(81),
  shlWords: vector(171), shrWords: vector(173), addWords: vector(174), subWords: vector(177),
  shrLongs: vector(205), addLongs: vector(206), mulLongs: vector(213),
  /** The products of the two lower words of each. */
  mulLowWords: vector(222),
} as const
