/** Keys as `ssh-keygen` writes and names them. */
import { createHash, generateKeyPairSync } from 'node:crypto'

/** `aa:bb:…`: the MD5 of the key's bytes, as Nova shows it; undefined when it is no key. */
export function sshFingerprint(publicKey: string): string | undefined {
  const [type, data] = publicKey.trim().split(/\s+/)
  if (type === undefined || data === undefined || !/^(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/.test(type)) return undefined
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(data)) return undefined
  const bytes = Buffer.from(data, 'base64')
  if (bytes.length < 8) return undefined
  const length = bytes.readUInt32BE(0)
  if (bytes.subarray(4, 4 + length).toString() !== type) return undefined
  return createHash('md5').update(bytes).digest('hex').match(/../g)!.join(':')
}

/** A new pair: OpenSSH's line and a PEM. Users without their own keys get one; it is kept nowhere. */
export function newSshKey(comment: string): { public_key: string; private_key: string; fingerprint: string } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { n, e } = publicKey.export({ format: 'jwk' }) as { n: string; e: string }
  const blob = Buffer.concat([field(Buffer.from('ssh-rsa')), field(integer(Buffer.from(e, 'base64url'))), field(integer(Buffer.from(n, 'base64url')))])
  const public_key = `ssh-rsa ${blob.toString('base64')} ${comment}`
  return { public_key, private_key: privateKey.export({ type: 'pkcs1', format: 'pem' }) as string, fingerprint: sshFingerprint(public_key)! }
}

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A leading high bit would make it negative. */
const integer = (bytes: Buffer): Buffer => (bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
