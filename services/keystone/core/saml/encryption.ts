/**
 * Encrypted assertions. What was decrypted is put where the encrypted one stood and judged as though it had come so: it must be signed like any other.
 * Keys come by RSA-OAEP alone (PKCS#1 v1.5 tells too much by its failures), data by AES-GCM; by AES-CBC, which anybody on the way can change, only where
 * the operator says so. Whatever goes wrong from the key on is one failure: a key that cannot be read is replaced by a random one, and goes the same way.
 */
import { constants, createDecipheriv, createPrivateKey, privateDecrypt } from 'node:crypto'
import type { SamlProvider } from './settings.ts'
import { childrenOf, everything, only, refuse, type XmlElement } from './xml.ts'

export const RSA_OAEP = 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p'
const RSA_OAEP_11 = 'http://www.w3.org/2009/xmlenc11#rsa-oaep'
const ELEMENT = 'http://www.w3.org/2001/04/xmlenc#Element'
const HASHES: Readonly<Record<string, string | undefined>> = {
  'http://www.w3.org/2000/09/xmldsig#sha1': 'sha1', 'http://www.w3.org/2001/04/xmlenc#sha256': 'sha256', 'http://www.w3.org/2001/04/xmlenc#sha512': 'sha512',
  'http://www.w3.org/2009/xmlenc11#mgf1sha1': 'sha1', 'http://www.w3.org/2009/xmlenc11#mgf1sha256': 'sha256', 'http://www.w3.org/2009/xmlenc11#mgf1sha512': 'sha512',
}

interface Cipher {
  name: 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' | 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc'
  bytes: number
  cbc: boolean
}

const CIPHERS = new Map<string, Cipher>(
  ([128, 192, 256] as const).flatMap((bits): [string, Cipher][] => [
    [`http://www.w3.org/2009/xmlenc11#aes${bits}-gcm`, { name: `aes-${bits}-gcm`, bytes: bits / 8, cbc: false }],
    [`http://www.w3.org/2001/04/xmlenc#aes${bits}-cbc`, { name: `aes-${bits}-cbc`, bytes: bits / 8, cbc: true }],
  ]),
)
/** What our metadata asks for. */
export const WANTED_CIPHERS = [...CIPHERS].filter(([, cipher]) => !cipher.cbc && cipher.bytes !== 24).map(([name]) => name)

/** Random bytes are asked for in any case, so that a failure takes no other way. */
export interface Opener {
  /** PEM; undefined: nothing can be opened. */
  key: string | undefined
  random(bytes: number): Uint8Array
}

/** The document with its assertion in the clear. `text` has been read: it is well-formed, without comments and CDATA, and `root` is what it says. */
export function withOpenAssertion(text: string, root: XmlElement, response: XmlElement, { accept_cbc, encrypted }: Pick<SamlProvider, 'accept_cbc' | 'encrypted'>, opener: Opener): string {
  const found = childrenOf(response, 'assertion', 'EncryptedAssertion')
  if (found.length === 0) return encrypted ? refuse('The assertion is not encrypted') : text
  if ([...everything(root)].filter((one) => one.local === 'EncryptedAssertion').length > 1 || childrenOf(response, 'assertion', 'Assertion').length > 0) return refuse('There is more than one assertion')
  if (opener.key === undefined) return refuse('There is no key for encrypted assertions')
  // No text and no attribute of what is well-formed holds this, so what is found is the element.
  const places = [...text.matchAll(/<([\w.-]+:)?EncryptedAssertion[\s>][^]*?<\/\1EncryptedAssertion\s*>/g)]
  if (places.length !== 1) return refuse('There is more than one assertion')
  const [place] = places
  return text.slice(0, place!.index) + opened(found[0]!, accept_cbc, opener) + text.slice(place!.index + place![0].length)
}

function opened(assertion: XmlElement, acceptCbc: boolean, { key, random }: Opener): string {
  const data = only(assertion, 'encryption', 'EncryptedData')
  if ((data.attributes.get('Type') ?? ELEMENT) !== ELEMENT) return refuse('No element was encrypted')
  const method = only(data, 'encryption', 'EncryptionMethod').attributes.get('Algorithm') ?? ''
  const cipher = CIPHERS.get(method)
  if (!cipher || (cipher.cbc && !acceptCbc)) return refuse(`EncryptionMethod ${method} is not taken`)
  // Beside the data, or in its KeyInfo.
  const keys = [...childrenOf(assertion, 'encryption', 'EncryptedKey'), ...childrenOf(data, 'signature', 'KeyInfo').flatMap((info) => childrenOf(info, 'encryption', 'EncryptedKey'))]
  if (keys.length !== 1) return refuse(`The assertion has ${keys.length} keys, not one`)
  const hash = oaepHash(only(keys[0]!, 'encryption', 'EncryptionMethod'))
  const [wrapped, bytes] = [cipherValue(keys[0]!), cipherValue(data)]
  const text = decrypted(cipher, unwrapped(key!, hash, wrapped, random(cipher.bytes)), bytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(text)
  } catch {
    return refuse(UNREADABLE)
  }
}

const UNREADABLE = 'The encrypted assertion cannot be read'

function oaepHash(method: XmlElement): string {
  const algorithm = method.attributes.get('Algorithm') ?? ''
  const named = (element: XmlElement | undefined): string | undefined => (element ? HASHES[element.attributes.get('Algorithm') ?? ''] : 'sha1')
  const digest = named(childrenOf(method, 'signature', 'DigestMethod')[0])
  const mask = algorithm === RSA_OAEP_11 ? named(childrenOf(method, 'encryption11', 'MGF')[0]) : 'sha1'
  // OpenSSL is given one hash for both.
  if ((algorithm !== RSA_OAEP && algorithm !== RSA_OAEP_11) || digest === undefined || digest !== mask || method.children.some((one) => one.local === 'OAEPparams')) return refuse(`EncryptionMethod ${algorithm} of the key is not taken`)
  return digest
}

function cipherValue(element: XmlElement): Buffer {
  return Buffer.from(only(only(element, 'encryption', 'CipherData'), 'encryption', 'CipherValue').text.replaceAll(/\s/g, ''), 'base64')
}

function unwrapped(key: string, oaepHash: string, wrapped: Buffer, otherwise: Uint8Array): Uint8Array {
  try {
    const found = privateDecrypt({ key: createPrivateKey(key), oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING }, wrapped)
    return found.length === otherwise.length ? found : otherwise
  } catch {
    return otherwise
  }
}

function decrypted({ name, cbc }: Cipher, key: Uint8Array, bytes: Buffer): Buffer {
  try {
    if (!cbc) {
      const decipher = createDecipheriv(name as 'aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    }
    // The last byte says how many were added; what the others are nobody says.
    const decipher = createDecipheriv(name, key, bytes.subarray(0, 16)).setAutoPadding(false)
    const padded = Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()])
    const added = padded.at(-1) ?? 0
    if (added >= 1 && added <= 16) return padded.subarray(0, -added)
  } catch {
    // Told below, as everything else.
  }
  return refuse(UNREADABLE)
}
