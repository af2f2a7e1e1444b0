/**
 * Passwords as stored text. New ones: argon2id or scrypt in the thread pool, in PHC form. Imported ones: bcrypt, bcrypt-sha256 and
 * pbkdf2-sha512 as Keystone wrote them. A secret that we generated ourselves with 256 bits of chance needs no slow hash: `$hmac-sha256$`.
 */
import { argon2, createHmac, pbkdf2, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { bcryptCompare } from '#base/bcrypt-thread.ts'

export interface HashCost {
  algorithm: 'argon2id' | 'scrypt'
  /** KiB for argon2id. */
  memory_kib: number
  passes: number
  /** log2 of N for scrypt. */
  log_rounds: number
}

const argon2Async = promisify(argon2)
const scryptAsync = promisify(scrypt) as (password: Buffer, salt: Buffer, length: number, options: object) => Promise<Buffer>
const pbkdf2Async = promisify(pbkdf2)
const SIZE = 32

export async function hashPassword(password: string, cost: HashCost, salt: Buffer): Promise<string> {
  const message = Buffer.from(password)
  if (cost.algorithm === 'argon2id') {
    const hash = await argon2Async('argon2id', { message, nonce: salt, parallelism: 1, tagLength: SIZE, memory: cost.memory_kib, passes: cost.passes })
    return `$argon2id$v=19$m=${cost.memory_kib},t=${cost.passes},p=1$${b64(salt)}$${b64(hash)}`
  }
  const hash = await scryptOf(message, salt, cost.log_rounds, 8, 1, SIZE)
  return `$scrypt$ln=${cost.log_rounds},r=8,p=1$${b64(salt)}$${b64(hash)}`
}

/** Only for secrets drawn by us from at least 256 bits of chance. */
export function hashGenerated(secret: string, salt: Buffer): string {
  return `$hmac-sha256$${b64(salt)}$${b64(createHmac('sha256', salt).update(secret).digest())}`
}

/** False for a wrong password and for a form nobody knows. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const parts = stored.split('$')
  switch (parts[1]) {
    case 'argon2id': {
      const { m, t, p } = numbers(parts[3])
      const want = Buffer.from(parts[5] ?? '', 'base64')
      const got = await argon2Async('argon2id', { message: Buffer.from(password), nonce: Buffer.from(parts[4] ?? '', 'base64'), parallelism: p ?? 1, tagLength: want.length, memory: m ?? 0, passes: t ?? 1 })
      return same(got, want)
    }
    case 'scrypt': {
      const { ln, r, p } = numbers(parts[2])
      const want = Buffer.from(unab64(parts[4]), 'base64')
      return same(await scryptOf(Buffer.from(password), Buffer.from(unab64(parts[3]), 'base64'), ln ?? 16, r ?? 8, p ?? 1, want.length), want)
    }
    case 'hmac-sha256':
      return same(createHmac('sha256', Buffer.from(parts[2] ?? '', 'base64')).update(password).digest(), Buffer.from(parts[3] ?? '', 'base64'))
    case 'pbkdf2-sha512': {
      const want = Buffer.from(unab64(parts[4]), 'base64')
      return same(await pbkdf2Async(password, Buffer.from(unab64(parts[3]), 'base64'), Number(parts[2]), want.length, 'sha512'), want)
    }
    case 'bcrypt-sha256': {
      const { r } = numbers(parts[2])
      const keyed = createHmac('sha256', parts[3] ?? '').update(password).digest('base64')
      return bcryptCompare(keyed, `$2b$${String(r ?? 12).padStart(2, '0')}$${parts[3]}${parts[4]}`)
    }
    case '2a':
    case '2b':
    case '2y':
      // Keystone cut passwords to what bcrypt reads.
      return bcryptCompare(Buffer.from(password).subarray(0, 72).toString(), stored)
    default:
      return false
  }
}

/** True when a stored password was made with another cost than new ones are. */
export function needsRehash(stored: string, cost: HashCost): boolean {
  if (stored.startsWith('$hmac-sha256$')) return false
  return !stored.startsWith(cost.algorithm === 'argon2id' ? `$argon2id$v=19$m=${cost.memory_kib},t=${cost.passes},p=1$` : `$scrypt$ln=${cost.log_rounds},r=8,p=1$`)
}

function scryptOf(password: Buffer, salt: Buffer, ln: number, r: number, p: number, length: number): Promise<Buffer> {
  const N = 2 ** ln
  return scryptAsync(password, salt, length, { N, r, p, maxmem: 128 * N * r + 2 ** 22 })
}

function numbers(text = ''): Partial<Record<string, number>> {
  return Object.fromEntries(text.split(',').map((pair) => [pair.split('=')[0], Number(pair.split('=')[1])]))
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return b.length > 0 && a.length === b.length && timingSafeEqual(a, b)
}

const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replaceAll('=', '')
/** passlib's base64 has `.` for `+`. */
const unab64 = (text = ''): string => text.replaceAll('.', '+')
