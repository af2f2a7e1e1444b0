/** Fernet (version 0x80): AES-128-CBC, then HMAC-SHA256, in URL-safe base64. Values in, values out: the iv and the time are given. */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'

export interface FernetKey {
  readonly signing: Buffer
  readonly encryption: Buffer
  /** The key as it stands in its file: 32 bytes in URL-safe base64. */
  readonly text: string
}

const VERSION = 0x80
const HEAD = 1 + 8 + 16
const MAC = 32

/** Undefined when the text is no key. */
export function fernetKey(text: string): FernetKey | undefined {
  const raw = Buffer.from(text.trim(), 'base64url')
  return raw.length === 32 ? { signing: raw.subarray(0, 16), encryption: raw.subarray(16), text: text.trim() } : undefined
}

/** A new key from 32 random bytes, in the form of a key file. */
export function fernetKeyText(random: Uint8Array): string {
  return padded(Buffer.from(random).toString('base64url'))
}

/** `seconds` since the epoch; `iv` 16 random bytes. Without padding, as Keystone writes tokens. */
export function fernetEncrypt(key: FernetKey, data: Uint8Array, seconds: number, iv: Uint8Array): string {
  const cipher = createCipheriv('aes-128-cbc', key.encryption, iv)
  const size = (Math.floor(data.length / 16) + 1) * 16
  const out = Buffer.allocUnsafe(HEAD + size + MAC)
  out[0] = VERSION
  out.writeUInt32BE(Math.floor(seconds / 2 ** 32), 1)
  out.writeUInt32BE(seconds >>> 0, 5)
  out.set(iv, 9)
  const first = cipher.update(data)
  out.set(first, HEAD)
  out.set(cipher.final(), HEAD + first.length)
  createHmac('sha256', key.signing).update(out.subarray(0, HEAD + size)).digest().copy(out, HEAD + size)
  return out.toString('base64url')
}

export interface FernetContent {
  data: Buffer
  seconds: number
}

/** What the first key that fits reads; undefined when none does. Padding may be missing. */
export function fernetDecrypt(keys: readonly FernetKey[], token: string): FernetContent | undefined {
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(token)) return undefined
  const raw = Buffer.from(token, 'base64url')
  if (raw.length < HEAD + 16 + MAC || raw[0] !== VERSION || (raw.length - HEAD - MAC) % 16 !== 0) return undefined
  const signed = raw.subarray(0, raw.length - MAC)
  const mac = raw.subarray(raw.length - MAC)
  for (const key of keys) {
    if (!timingSafeEqual(createHmac('sha256', key.signing).update(signed).digest(), mac)) continue
    try {
      const decipher = createDecipheriv('aes-128-cbc', key.encryption, raw.subarray(9, HEAD))
      const data = Buffer.concat([decipher.update(signed.subarray(HEAD)), decipher.final()])
      return { data, seconds: raw.readUInt32BE(1) * 2 ** 32 + raw.readUInt32BE(5) }
    } catch {
      return undefined
    }
  }
  return undefined
}

export function padded(text: string): string {
  return text + '='.repeat((4 - (text.length % 4)) % 4)
}
