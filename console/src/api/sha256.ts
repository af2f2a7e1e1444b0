/** HMAC-SHA-256 (FIPS 180-4, RFC 2104). The browser's own is not there on pages that came over plain HTTP. */

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of the first 8. */
const ROUNDS: Uint32Array = primes(64, 1 / 3)
const START: Uint32Array = primes(8, 1 / 2)

function primes(count: number, power: number): Uint32Array {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n)
  return Uint32Array.from(found, (prime) => (prime ** power % 1) * 2 ** 32)
}

export function sha256(message: Uint8Array): Uint8Array {
  const length = Math.ceil((message.length + 9) / 64) * 64
  const padded = new Uint8Array(length)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64(length - 8, BigInt(message.length) * 8n)
  const state = Uint32Array.from(START)
  const words = new Uint32Array(64)
  for (let block = 0; block < length; block += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(block + i * 4)
    for (let i = 16; i < 64; i++) {
      const [a, b] = [words[i - 15]!, words[i - 2]!]
      words[i] = words[i - 16]! + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + words[i - 7]! + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10))
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
    for (let i = 0; i < 64; i++) {
      const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i]! + words[i]!) | 0
      const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
      ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0]
    }
    for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i]! += value
  }
  const digest = new DataView(new ArrayBuffer(32))
  for (const [i, value] of state.entries()) digest.setUint32(i * 4, value)
  return new Uint8Array(digest.buffer)
}

const turn = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits))

/** In hexadecimal digits. */
export function hmacSha256(key: string, message: string): string {
  const encoder = new TextEncoder()
  const given = encoder.encode(key)
  const block = new Uint8Array(64)
  block.set(given.length > 64 ? sha256(given) : given)
  const around = (pad: number, inside: Uint8Array): Uint8Array => sha256(Uint8Array.from([...block.map((byte) => byte ^ pad), ...inside]))
  return Array.from(around(0x5c, around(0x36, encoder.encode(message))), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
