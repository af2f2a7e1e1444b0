/** Public keys of SSH: what is one, its fingerprint, and new pairs. */
import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

/** Fields of a key's blob after its name. */
const FIELDS: Readonly<Record<string, number>> = {
  'ssh-rsa': 2, 'ssh-dss': 4, 'ssh-ed25519': 1, 'ecdsa-sha2-nistp256': 2, 'ecdsa-sha2-nistp384': 2, 'ecdsa-sha2-nistp521': 2, 'sk-ssh-ed25519@openssh.com': 2, 'sk-ecdsa-sha2-nistp256@openssh.com': 3,
}

/** Colon-separated MD5 of a line `ssh-rsa AAAA… comment`; undefined when it is no public key. */
export function sshFingerprint(line: string): string | undefined {
  const [type, base64] = line.trim().split(/\s+/)
  const fields = type === undefined ? undefined : FIELDS[type]
  if (fields === undefined || base64 === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  const blob = Buffer.from(base64, 'base64')
  const parts = partsOf(blob)
  if (!parts || parts.length !== fields + 1 || parts[0]!.toString('latin1') !== type || parts.some((part) => part.length === 0)) return undefined
  return colons(createHash('md5').update(blob).digest('hex'))
}

export const colons = (hex: string): string => hex.match(/../g)!.join(':')

function partsOf(blob: Buffer): Buffer[] | undefined {
  const parts: Buffer[] = []
  for (let at = 0; at < blob.length; ) {
    if (at + 4 > blob.length) return undefined
    const length = blob.readUInt32BE(at)
    at += 4
    if (at + length > blob.length) return undefined
    parts.push(blob.subarray(at, at + length))
    at += length
  }
  return parts
}

/** RSA of 2048 bits: the one kind that every client of these old versions can read. Its randomness is the system's: no engine takes another. */
export async function newSshPair(comment: string): Promise<{ public_key: string; private_key: string; fingerprint: string }> {
  const { publicKey, privateKey } = await newRsa()
  const jwk = publicKey.export({ format: 'jwk' })
  const blob = Buffer.concat([Buffer.from('ssh-rsa'), unsigned(jwk.e!), unsigned(jwk.n!)].map(withLength))
  return {
    public_key: `ssh-rsa ${blob.toString('base64')} ${comment}`,
    private_key: privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
    fingerprint: colons(createHash('md5').update(blob).digest('hex')),
  }
}

export function newRsa(): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  return promisify(generateKeyPair)('rsa', { modulusLength: 2_048 })
}

/** A positive number: a leading bit of 1 gets a zero byte before it. */
function unsigned(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url')
  return bytes[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
}

function withLength(part: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(part.length)
  return Buffer.concat([length, part])
}
