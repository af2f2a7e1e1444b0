/** RFC 6238 with SHA-1, six digits and steps of 30 seconds, as authenticator apps have it. */
import { createHmac, timingSafeEqual } from 'node:crypto'

const STEP = 30_000
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export function totpCode(secret: string, now: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(now / STEP)))
  const digest = createHmac('sha1', base32(secret)).update(counter).digest()
  const offset = digest.at(-1)! & 0xf
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** The code of this step, or of the one before: clocks and fingers are slow. */
export function totpHolds(secret: string, code: string, now: number): boolean {
  const given = Buffer.from(code)
  return [now, now - STEP].some((at) => {
    const made = Buffer.from(totpCode(secret, at))
    return made.length === given.length && timingSafeEqual(made, given)
  })
}

function base32(text: string): Buffer {
  let bits = 0
  let value = 0
  const bytes: number[] = []
  for (const letter of text.replaceAll('=', '').toUpperCase()) {
    const digit = ALPHABET.indexOf(letter)
    if (digit < 0) continue
    value = (value << 5) | digit
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push((value >>> bits) & 0xff)
      value &= (1 << bits) - 1
    }
  }
  return Buffer.from(bytes)
}
