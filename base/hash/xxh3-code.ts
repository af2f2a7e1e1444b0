/** XXH3 (64 bits, seed 0, of more than 240 bytes): eight sums of 64 bits over stripes of 64 bytes, 27 GB/s where zlib's CRC-32 comes to 7. */
import { call, type Code, type Function, get, I32, I64, i32, i64, repeat, set, tee, V128, v128, when } from './assembler.ts'

/** The secret that everyone's XXH3 has. */
export const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)
const [W1, W2, W3] = [0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn]
const [L1, L2, L3, L4, L5] = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n]
const START = [W3, L1, L2, L3, L4, W2, L5, W1]
const STRIPE = 64
/** Stripes between two scramblings: one for every eight bytes of the secret that it can still be moved on by. */
const ROUND = 16

const pairs = (make: (k: number) => Code[]): Code[] => [0, 1, 2, 3].flatMap(make)
const sumAt = (k: number): number => 4 + k
const [DATA, KEYED] = [8, 9]

/** One stripe into the sums: each word times the other half of its long, and the long itself into its neighbour, so that no change of one long can vanish. */
const stripe = (data: number, secret: Code, secretOffset: number): Code[] =>
  pairs((k) => [
    get(0), v128.load(data + k * 16), tee(DATA), secret, v128.load(secretOffset + k * 16), v128.xor, set(KEYED),
    get(sumAt(k)), get(DATA), get(DATA), v128.pick(2, 3, 0, 1), v128.addLongs,
    get(KEYED), get(KEYED), v128.pick(0, 2, 0, 2), get(KEYED), get(KEYED), v128.pick(1, 3, 1, 3), v128.mulLowWords, v128.addLongs, set(sumAt(k)),
  ])

const scramble = pairs((k) => [get(sumAt(k)), get(sumAt(k)), i32.of(47), v128.shrLongs, v128.xor, get(2), v128.load(128 + k * 16), v128.xor, v128.longs(W1), v128.mulLongs, set(sumAt(k))])

const moveOn = (by: number): Code[] => [get(0), i32.of(by), i32.add, set(0)]
const countDown = (local: number): Code[] => [get(local), i32.of(1), i32.sub, tee(local)]

/** `fold(a, b)`: the two halves of the product, one upon the other. `index` of itself does not matter. */
export function fold(): Function {
  const low = i64.of(0xffffffffn)
  const half = (local: number): Code[] => [get(local), low, i64.and]
  const upper = (local: number): Code[] => [get(local), i64.of(32n), i64.shr]
  const [LL, HL, CROSS] = [2, 3, 4]
  const code = [
    ...half(0), ...half(1), i64.mul, set(LL),
    ...upper(0), ...half(1), i64.mul, set(HL),
    ...upper(LL), ...half(HL), i64.add, ...half(0), ...upper(1), i64.mul, i64.add, set(CROSS),
    ...upper(HL), ...upper(CROSS), i64.add, ...upper(0), ...upper(1), i64.mul, i64.add,
    get(CROSS), i64.of(32n), i64.shl, ...half(LL), i64.or, i64.xor,
  ]
  return { name: 'fold', params: [I64, I64], result: I64, locals: [I64, I64, I64], code: code.flat() }
}

/** `xxh3(data, length, secret, out)`: eight bytes, the lower first, at `out`, which has room for 64. `foldIndex` is where `fold` stands in the module. */
export function xxh3(foldIndex: number): Function {
  const [LEFT, HASH] = [10, 11]
  // The last stripe ends with the data, and may lie over the one before; it comes with a piece of the secret of its own.
  const code: Code[] = [
    ...pairs((k) => [v128.longs(0n), set(sumAt(k))]),
    ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => [get(3), i64.of(START[i]!), i64.store(i * 8)]),
    ...pairs((k) => [get(3), v128.load(k * 16), set(sumAt(k))]),
    // Whole rounds.
    get(1), i32.of(1), i32.sub, i32.of(10), i32.shr, set(LEFT),
    when(get(LEFT), repeat(
      ...Array.from({ length: ROUND }, (_, s) => stripe(s * STRIPE, get(2), s * 8)).flat(),
      ...scramble,
      ...moveOn(ROUND * STRIPE),
      ...countDown(LEFT),
    )),
    // Stripes of the round that is not whole, with the secret moved on in a local of its own.
    get(1), i32.of(1), i32.sub, i32.of(1023), i32.and, i32.of(6), i32.shr, set(LEFT),
    get(2), set(12),
    when(get(LEFT), repeat(
      ...stripe(0, get(12), 0),
      ...moveOn(STRIPE),
      get(12), i32.of(8), i32.add, set(12),
      ...countDown(LEFT),
    )),
    // What is left are 1 to 64 bytes: back to where the last 64 begin.
    get(0), get(1), i32.of(1), i32.sub, i32.of(63), i32.and, i32.of(1), i32.add, i32.add, i32.of(STRIPE), i32.sub, set(0),
    ...stripe(0, get(2), 192 - STRIPE - 7),
    ...pairs((k) => [get(3), get(sumAt(k)), v128.store(k * 16)]),
    get(1), i64.fromI32, i64.of(L1), i64.mul, set(HASH),
    ...pairs((k) => [
      get(HASH), get(3), i64.load(k * 16), get(2), i64.load(11 + k * 16), i64.xor, get(3), i64.load(k * 16 + 8), get(2), i64.load(11 + k * 16 + 8), i64.xor, call(foldIndex), i64.add, set(HASH),
    ]),
    get(HASH), get(HASH), i64.of(37n), i64.shr, i64.xor, i64.of(0x165667919e3779f9n), i64.mul, set(HASH),
    get(3), get(HASH), get(HASH), i64.of(32n), i64.shr, i64.xor, i64.store(0),
  ]
  return { name: 'xxh3', params: [I32, I32, I32, I32], locals: [V128, V128, V128, V128, V128, V128, I32, I64, I32], code: code.flat() }
}
