/** A self-signed certificate for tests, made by hand of its few bytes, so that no tool is needed. */
import { generateKeyPairSync, sign } from 'node:crypto'

const der = (type: number, ...parts: Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts)
  const length = content.length < 128 ? [content.length] : content.length < 256 ? [0x81, content.length] : [0x82, content.length >> 8, content.length & 255]
  return Buffer.concat([Buffer.from([type, ...length]), content])
}
/** sha256WithRSAEncryption. */
const WAY = der(0x30, Buffer.from('06092a864886f70d01010b0500', 'hex'))

export function selfSigned(name: string): { key: string; certificate: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const who = der(0x30, der(0x31, der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(name)))))
  const life = der(0x30, der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z')))
  const body = der(0x30, der(0x02, Buffer.from([1])), WAY, who, life, who, publicKey.export({ type: 'spki', format: 'der' }))
  const whole = der(0x30, body, WAY, der(0x03, Buffer.from([0]), sign('RSA-SHA256', body, privateKey)))
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, certificate: `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n` }
}
