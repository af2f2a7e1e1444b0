/** Certificates as keypairs: for servers whose users log in by WinRM. */
import { createHash, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { colons, newRsa } from './ssh-keys.ts'

/** Colon-separated SHA-1 of a PEM certificate; undefined when it is none. */
export function certificateFingerprint(pem: string): string | undefined {
  try {
    return colons(createHash('sha1').update(new X509Certificate(pem).raw).digest('hex'))
  } catch {
    return undefined
  }
}

/** A self-signed client certificate for `<user>@localhost`, valid for ten years from `now`. */
export async function newCertificate(user: string, now: number, serial: Buffer): Promise<{ public_key: string; private_key: string; fingerprint: string }> {
  const { publicKey, privateKey } = await newRsa()
  const der = certificate(user, now, serial, publicKey, privateKey)
  const public_key = `-----BEGIN CERTIFICATE-----\n${der.toString('base64').match(/.{1,64}/g)!.join('\n')}\n-----END CERTIFICATE-----\n`
  return { public_key, private_key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), fingerprint: colons(createHash('sha1').update(der).digest('hex')) }
}

// --- DER, as far as one certificate needs it

const YEARS_10 = 3_650 * 86_400_000
const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const size = body.length < 128 ? Buffer.of(body.length) : body.length < 256 ? Buffer.of(0x81, body.length) : Buffer.of(0x82, body.length >> 8, body.length & 255)
  return Buffer.concat([Buffer.of(tag), size, body])
}
const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts)
const octets = (body: Buffer): Buffer => der(0x04, body)
const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text))
const integer = (bytes: Buffer): Buffer => der(0x02, bytes)
const SHA256_RSA = sequence(oid('1.2.840.113549.1.1.11'), der(0x05))

function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]]
  const bytes = [first * 40 + second]
  for (const part of rest) {
    const septets = [part & 127]
    for (let left = part >> 7; left > 0; left >>= 7) septets.unshift((left & 127) | 128)
    bytes.push(...septets)
  }
  return der(0x06, Buffer.from(bytes))
}

/** Two digits of the year until 2049, four after it. */
function instant(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`
  return digits < '2050' ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}

function certificate(user: string, now: number, serial: Buffer, publicKey: KeyObject, privateKey: KeyObject): Buffer {
  const name = sequence(der(0x31, sequence(oid('2.5.4.3'), utf8(user))))
  const upn = der(0xa0, oid('1.3.6.1.4.1.311.20.2.3'), der(0xa0, utf8(`${user}@localhost`)))
  const extensions = der(
    0xa3,
    sequence(
      sequence(oid('2.5.29.37'), octets(sequence(oid('1.3.6.1.5.5.7.3.2')))),
      sequence(oid('2.5.29.17'), octets(sequence(upn))),
    ),
  )
  // A serial number is positive and has no needless zeros.
  const number = Buffer.concat([Buffer.of(0x01), serial])
  const body = sequence(der(0xa0, integer(Buffer.of(2))), integer(number), SHA256_RSA, name, sequence(instant(now), instant(now + YEARS_10)), name, publicKey.export({ format: 'der', type: 'spki' }), extensions)
  return sequence(body, SHA256_RSA, der(0x03, Buffer.of(0), sign('sha256', body, privateKey)))
}
