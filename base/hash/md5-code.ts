/**
 * MD5's blocks of 64 bytes, of one message or of several at once, one in each lane of vectors. The steps of one message wait for each other, so
 * three vectors of four messages take hardly longer than one message: what of the processor stood idle is used.
 */
import { type Code, type Function, get, I32, i32, repeat, set, tee, type Type, V128, v128 } from './assembler.ts'

/** For every step: the sine's digits, how far to rotate, and which word of the block. */
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) >>> 0)
const TURNS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]] as const
const wordOf = (i: number): number => [i, 5 * i + 1, 3 * i + 5, 7 * i][i >> 4]! % 16

/**
 * The digits as vectors read them: loading four of the same costs less than making them. Those of the last round are one less, as it takes away what
 * others add, which spares a negation: adding ~x is taking away x and 1.
 */
export function sineVectors(): Uint32Array {
  return Uint32Array.from(SINES.flatMap((sine, i) => Array.from({ length: 4 }, () => sine - (i >= 48 ? 1 : 0))))
}

interface Words { and: Code; andNot: Code; xor: Code; add: Code; sub: Code }

/** Adds the round's mixture of b, c and d to what lies on the stack; what waits for b, the newest, comes last. */
function mixed(i: number, { and, andNot, xor, add, sub }: Words, b: Code, c: Code, d: Code): Code[] {
  switch (i >> 4) {
    case 0:
      return [d, b, c, d, xor, and, xor, add]
    case 1:
      return [c, d, andNot, add, b, d, and, add]
    case 2:
      return [c, d, xor, b, xor, add]
    default:
      return [d, b, andNot, c, xor, sub]
  }
}

/** Which of the four registers are a, b, c and d in this step. */
const roles = (i: number): [number, number, number, number] => [(64 - i) % 4, (65 - i) % 4, (66 - i) % 4, (67 - i) % 4]

/** `md5x1(state, block, blocks)`: `state` are four words, `blocks` at least 1. */
export function oneMessage(): Function {
  const register = (k: number): number => 3 + k
  const before = (k: number): number => 7 + k
  const words: Words = { and: i32.and, andNot: [...i32.of(-1), ...i32.xor, ...i32.and], xor: i32.xor, add: i32.add, sub: i32.sub }
  const steps = SINES.flatMap((sine, i) => {
    const [a, b, c, d] = roles(i).map((k) => get(register(k))) as [Code, Code, Code, Code]
    return [a, get(1), i32.load(wordOf(i) * 4), i32.of(sine - (i >= 48 ? 1 : 0)), i32.add, i32.add, ...mixed(i, words, b, c, d), i32.of(TURNS[i >> 4]![i & 3]!), i32.rotl, b, i32.add, set(register(roles(i)[0]))]
  })
  const each = (make: (k: number) => Code[]): Code[] => [0, 1, 2, 3].flatMap(make)
  const code = [
    ...each((k) => [get(0), i32.load(k * 4), set(register(k))]),
    repeat(
      ...each((k) => [get(register(k)), set(before(k))]),
      ...steps,
      ...each((k) => [get(register(k)), get(before(k)), i32.add, set(register(k))]),
      get(1), i32.of(64), i32.add, set(1),
      get(2), i32.of(1), i32.sub, tee(2),
    ),
    ...each((k) => [get(0), get(register(k)), i32.store(k * 4)]),
  ]
  return { name: 'md5x1', params: [I32, I32, I32], locals: Array.from({ length: 8 }, () => I32), code: code.flat() }
}

/**
 * `md5x<4 × vectors>(states, addresses, blocks, room)`: 64 bytes of `states` for each vector (the a of four messages, then their b, c, d), a word of
 * `addresses` for each message, and 256 bytes of `room` for each vector. `sinesAt`: where `sineVectors` lie.
 */
export function manyMessages(vectors: number, sinesAt: number): Function {
  const address = (lane: number): number => 4 + lane
  const register = (g: number, k: number): number => 4 + 4 * vectors + 4 * g + k
  const before = (g: number, k: number): number => 4 + 8 * vectors + 4 * g + k
  const aside = (i: number): number => 4 + 12 * vectors + i
  const words: Words = { and: v128.and, andNot: v128.andNot, xor: v128.xor, add: v128.addWords, sub: v128.subWords }
  const each = (make: (g: number, k: number) => Code[]): Code[] => Array.from({ length: vectors * 4 }, (_, i) => make(i >> 2, i & 3)).flat()
  // Four words of four messages become a vector for each word.
  const turned = each((g, quarter) => [
    ...[0, 1, 2, 3].flatMap((lane) => [get(address(g * 4 + lane)), v128.load(quarter * 16), set(aside(lane))]),
    get(aside(0)), get(aside(1)), v128.pick(0, 4, 1, 5), set(aside(4)),
    get(aside(2)), get(aside(3)), v128.pick(0, 4, 1, 5), set(aside(5)),
    get(aside(0)), get(aside(1)), v128.pick(2, 6, 3, 7), set(aside(6)),
    get(aside(2)), get(aside(3)), v128.pick(2, 6, 3, 7), set(aside(7)),
    ...[0, 1, 2, 3].flatMap((word) => {
      const from = word < 2 ? 4 : 6
      return [get(3), get(aside(from)), get(aside(from + 1)), word % 2 === 0 ? v128.pick(0, 1, 4, 5) : v128.pick(2, 3, 6, 7), v128.store(g * 256 + quarter * 64 + word * 16)]
    }),
  ])
  const steps = SINES.flatMap((_, i) =>
    Array.from({ length: vectors }, (_, g) => {
      const [a, b, c, d] = roles(i).map((k) => get(register(g, k))) as [Code, Code, Code, Code]
      const turn = TURNS[i >> 4]![i & 3]!
      return [
        a, get(3), v128.load(g * 256 + wordOf(i) * 16), i32.of(0), v128.load(sinesAt + i * 16), v128.addWords, v128.addWords, ...mixed(i, words, b, c, d),
        tee(aside(g)), i32.of(turn), v128.shlWords, get(aside(g)), i32.of(32 - turn), v128.shrWords, v128.or, b, v128.addWords, set(register(g, roles(i)[0])),
      ]
    }).flat(),
  )
  const lanes = Array.from({ length: vectors * 4 }, (_, lane) => lane)
  const code = [
    ...lanes.flatMap((lane) => [get(1), i32.load(lane * 4), set(address(lane))]),
    ...each((g, k) => [get(0), v128.load(g * 64 + k * 16), set(register(g, k))]),
    repeat(
      ...turned,
      ...each((g, k) => [get(register(g, k)), set(before(g, k))]),
      ...steps,
      ...each((g, k) => [get(register(g, k)), get(before(g, k)), v128.addWords, set(register(g, k))]),
      ...lanes.flatMap((lane) => [get(address(lane)), i32.of(64), i32.add, set(address(lane))]),
      get(2), i32.of(1), i32.sub, tee(2),
    ),
    ...each((g, k) => [get(0), get(register(g, k)), v128.store(g * 64 + k * 16)]),
  ]
  return { name: `md5x${4 * vectors}`, params: [I32, I32, I32, I32], locals: [...lanes.map((): Type => I32), ...Array.from({ length: 8 * vectors + 8 }, (): Type => V128)], code: code.flat() }
}
