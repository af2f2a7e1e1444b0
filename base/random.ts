/**
 * Randomness as a dependency (law 4). `systemRandom` is the operating system's; `seededRandom` replays a run from one number.
 * Secrets (passwords, keys, tokens) are only ever drawn from what the composition root passes in as its `Random`.
 */
import { randomBytes, randomUUID } from 'node:crypto'

export interface Random {
  bytes(count: number): Buffer
  /** Uniform in [0, 1). */
  fraction(): number
  /** Whole number in [0, below). */
  below(limit: number): number
  /** Random (version 4) UUID with dashes. */
  uuid(): string
}

export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  below: (limit) => Math.floor((randomBytes(6).readUIntBE(0, 6) / 2 ** 48) * limit),
  uuid: () => randomUUID(),
}

/** sfc32: small, fast, good enough for simulation; never for secrets in a real cloud. */
export function seededRandom(seed: number): Random {
  let a = seed | 0
  let b = 0x9e3779b9 | 0
  let c = 0x243f6a88 | 0
  let counter = 1
  const word = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  for (let i = 0; i < 12; i++) word()
  const bytes = (count: number): Buffer => {
    const out = Buffer.allocUnsafe(count)
    for (let i = 0; i < count; i++) out[i] = word() & 0xff
    return out
  }
  return {
    bytes,
    fraction: () => word() / 2 ** 32,
    below: (limit) => Math.floor((word() / 2 ** 32) * limit),
    uuid: () => {
      const raw = bytes(16)
      raw[6] = (raw[6]! & 0x0f) | 0x40
      raw[8] = (raw[8]! & 0x3f) | 0x80
      const hex = raw.toString('hex')
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
    },
  }
}
