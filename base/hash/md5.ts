/**
 * MD5 of bytes that come in slabs of the arena. One that is alone is hashed at once. Where several come, those whose slabs are full in the same turn of the loop are
 * hashed together, up to twelve: who is full waits until all sockets were looked at, and as long as bytes come for others, at most a few milliseconds.
 */
import { ADDRESSES_AT, arena, ROOM_AT, type Slab, STATE_AT, STATES_AT, TAIL_AT } from './arena.ts'

const IV = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
const BLOCK = 64
const LANES = 12
/** So many at once take as long one after the other as together. */
const ALONE = 2
const LONGEST_WAIT_MS = 4
/** Who begins so soon after another may have company; short uploads are often over before the next is looked at. */
const SOON_MS = 20
/** What is shorter is not worth a wait. */
const LEAST_BLOCKS = 256

export interface SlabMd5 {
  /** Tells that bytes have come, for which others that are full may wait. */
  arrived(): void
  /** The first `length` bytes of the slab, a multiple of 64 but for the last time. The slab stays as it is until the promise, if there is one, resolves. */
  update(slab: Slab, length: number): Promise<void> | undefined
  /** Hexadecimal; after the last `update` has resolved. */
  digest(): string
  /** It is over, whether or not there was a digest. */
  end(): void
}

interface Job { state: Uint32Array; at: number; blocks: number; done: () => void }

let open = 0
let began = Number.NEGATIVE_INFINITY
let company = Number.NEGATIVE_INFINITY
let arrivals = 0
let heard = 0
let since = 0
let waiting: Job[] = []
let scheduled = false

export function slabMd5(): SlabMd5 {
  const { md5x1, bytes, words } = arena()
  const state = Uint32Array.from(IV)
  let size = 0
  let tail = 0
  let ended = false
  const now = performance.now()
  if (open > 0 || now - began < SOON_MS) company = now
  began = now
  open++
  const alone = (at: number, blocks: number): void => {
    if (blocks === 0) return
    words.set(state, STATE_AT / 4)
    md5x1(STATE_AT, at, blocks)
    state.set(words.subarray(STATE_AT / 4, STATE_AT / 4 + 4))
  }
  const rest = Buffer.alloc(BLOCK)
  return {
    arrived: () => void arrivals++,
    update(slab, length) {
      if (tail > 0) throw new RangeError('Only the last piece may be no multiple of 64 bytes')
      const blocks = Math.floor(length / BLOCK)
      size += length
      tail = length % BLOCK
      if (tail > 0) rest.set(slab.bytes.subarray(blocks * BLOCK, length))
      const at = performance.now()
      if (blocks < LEAST_BLOCKS || (open === 1 && at - company > 5 * SOON_MS)) {
        alone(slab.at, blocks)
        return undefined
      }
      return new Promise((resolve) => {
        if (waiting.length === 0) {
          since = at
          heard = arrivals
        }
        waiting.push({ state, at: slab.at, blocks, done: resolve })
        schedule()
      })
    },
    digest() {
      const blocks = tail < BLOCK - 8 ? 1 : 2
      bytes.fill(0, TAIL_AT, TAIL_AT + blocks * BLOCK)
      bytes.set(rest.subarray(0, tail), TAIL_AT)
      bytes[TAIL_AT + tail] = 0x80
      bytes.writeBigUInt64LE(BigInt(size) * 8n, TAIL_AT + blocks * BLOCK - 8)
      alone(TAIL_AT, blocks)
      return Buffer.from(state.buffer).toString('hex')
    },
    end() {
      if (!ended) open--
      ended = true
    },
  }
}

function schedule(): void {
  if (!scheduled) setImmediate(turn)
  scheduled = true
}

/** After all sockets were looked at. */
function turn(): void {
  scheduled = false
  // A turn in which nothing came: nobody will join.
  if (waiting.length < LANES && arrivals !== heard && performance.now() - since < LONGEST_WAIT_MS) {
    heard = arrivals
    return schedule()
  }
  const all = waiting
  // Those beyond the lanes wait for others again.
  const now = all.length > LANES ? all.slice(0, LANES) : all
  waiting = all.slice(now.length)
  if (waiting.length > 0) {
    since = performance.now()
    schedule()
  }
  hash(now)
}

/** Takes all of them to their end, as many at once as there are. */
function hash(jobs: Job[]): void {
  const { md5x1, md5x8, md5x12, words } = arena()
  let left = jobs
  while (left.length > 0) {
    if (left.length <= ALONE) {
      for (const { state, at, blocks, done } of left) {
        words.set(state, STATE_AT / 4)
        md5x1(STATE_AT, at, blocks)
        state.set(words.subarray(STATE_AT / 4, STATE_AT / 4 + 4))
        done()
      }
      return
    }
    const blocks = left.reduce((least, job) => Math.min(least, job.blocks), left[0]!.blocks)
    const lanes = left.length > 8 ? 12 : 8
    for (let lane = 0; lane < lanes; lane++) {
      // Lanes that nobody needs hash the first one's bytes once more.
      const { state, at } = left[lane] ?? left[0]!
      words[ADDRESSES_AT / 4 + lane] = at
      for (let k = 0; k < 4; k++) words[STATES_AT / 4 + (lane >> 2) * 16 + k * 4 + (lane & 3)] = state[k]!
    }
    ;(lanes === 12 ? md5x12 : md5x8)(STATES_AT, ADDRESSES_AT, blocks, ROOM_AT)
    for (const [lane, job] of left.entries()) {
      for (let k = 0; k < 4; k++) job.state[k] = words[STATES_AT / 4 + (lane >> 2) * 16 + k * 4 + (lane & 3)]!
      job.at += blocks * BLOCK
      job.blocks -= blocks
      if (job.blocks === 0) job.done()
    }
    left = left.filter((job) => job.blocks > 0)
  }
}
