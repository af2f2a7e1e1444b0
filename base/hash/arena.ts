/**
 * Memory that both Node's own functions and WebAssembly's see: what is read from a socket or a file into it is hashed where it lies. One for the process, of a fixed
 * size, so that it never moves; pages that were never used cost nothing. Made at its first use.
 */
import { assemble } from './assembler.ts'
import { manyMessages, oneMessage, sineVectors } from './md5-code.ts'
import { fold, SECRET, xxh3 } from './xxh3-code.ts'

// The types of Node do not know WebAssembly.
declare const WebAssembly: {
  Memory: new (shape: { initial: number; maximum: number }) => { buffer: ArrayBuffer }
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { exports: unknown }
}

export interface Slab {
  /** Where it lies for WebAssembly. */
  readonly at: number
  readonly bytes: Buffer<ArrayBuffer>
}

interface Functions {
  md5x1(state: number, block: number, blocks: number): void
  md5x8(states: number, addresses: number, blocks: number, room: number): void
  md5x12(states: number, addresses: number, blocks: number, room: number): void
  xxh3(data: number, length: number, secret: number, out: number): void
}

export interface Arena extends Functions {
  readonly bytes: Buffer<ArrayBuffer>
  readonly words: Uint32Array
}

/** Addresses of what the functions need beside the bytes. */
export const SECRET_AT = 0
export const SUM_AT = 256
export const STATES_AT = 512
export const ADDRESSES_AT = 1024
export const ROOM_AT = 2048
export const STATE_AT = 4096
export const TAIL_AT = 4160
const SINES_AT = 8192
/** One page for bytes that lie elsewhere. */
export const GUEST_AT = 65_536

export const LARGE = 512 << 10
export const SMALL = 64 << 10
const PAGE = 65_536
const LARGES = 20
const SMALLS = 384
const FIRST = 2 * PAGE
const PAGES = (FIRST + LARGES * LARGE + SMALLS * SMALL) / PAGE

let made: Arena | undefined
const free: { large: number[]; small: number[] } = { large: [], small: [] }

export function arena(): Arena {
  if (made) return made
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES })
  const module = new WebAssembly.Module(assemble([oneMessage(), manyMessages(2, SINES_AT), manyMessages(3, SINES_AT), fold(), xxh3(3)], PAGES))
  const { exports } = new WebAssembly.Instance(module, { env: { memory } }) as { exports: Functions }
  const { md5x1, md5x8, md5x12, xxh3: sum } = exports
  made = { md5x1, md5x8, md5x12, xxh3: sum, bytes: Buffer.from(memory.buffer), words: new Uint32Array(memory.buffer) }
  made.bytes.set(SECRET, SECRET_AT)
  made.words.set(sineVectors(), SINES_AT / 4)
  // The last that was given back is the first to be taken, so that no more of them are ever used than were at once.
  for (let i = LARGES - 1; i >= 0; i--) free.large.push(FIRST + i * LARGE)
  for (let i = SMALLS - 1; i >= 0; i--) free.small.push(FIRST + LARGES * LARGE + i * SMALL)
  return made
}

/** 512 KiB; 64 when many have some; undefined when all are taken. What a slab holds is anything. */
export function takeSlab(): Slab | undefined {
  const { bytes } = arena()
  const large = free.large.pop()
  if (large !== undefined) return { at: large, bytes: bytes.subarray(large, large + LARGE) }
  const small = free.small.pop()
  return small === undefined ? undefined : { at: small, bytes: bytes.subarray(small, small + SMALL) }
}

/** Nobody may read or write it any more. */
export function giveSlab({ at, bytes }: Slab): void {
  ;(bytes.length === LARGE ? free.large : free.small).push(at)
}

/** Slabs that are taken, for tests. */
export const slabsTaken = (): number => (made ? LARGES + SMALLS - free.large.length - free.small.length : 0)

/** Where these bytes lie for WebAssembly; undefined when they lie elsewhere. */
export const addressOf = (bytes: Uint8Array): number | undefined => (made && bytes.buffer === made.bytes.buffer ? bytes.byteOffset : undefined)
