/**
 * Encryption with keys that customers bring with every request (SSE-C). The key is nowhere kept: what stands in a row is `c.<salt>.<mac>`, a mark by
 * which the key is known again, made with the key itself and a salt of these bytes alone.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
 */
import { createHash, createHmac } from 'node:crypto'
import { s3Fault } from './errors.ts'
import { sameText } from './signature.ts'

export interface CustomerKey {
  /** 32 bytes. */
  key: Buffer
  /** Base64 of its MD5, as answers name it. */
  md5: string
}

export const CUSTOMER = 'x-amz-server-side-encryption-customer-'
export const COPY_SOURCE_CUSTOMER = 'x-amz-copy-source-server-side-encryption-customer-'

/** The key of a request; undefined when it brings none. Throws S3's faults where the three headers do not fit together. */
export function customerKeyOf(headers: Readonly<Record<string, string>>, prefix = CUSTOMER): CustomerKey | undefined {
  const [algorithm, key, md5] = ['algorithm', 'key', 'key-md5'].map((name) => headers[`${prefix}${name}`])
  if (algorithm === undefined && key === undefined && md5 === undefined) return undefined
  const wrong = (name: string, message: string): Error => s3Fault('InvalidArgument', message, { ArgumentName: `${prefix}${name}` })
  const must = 'Requests specifying Server Side Encryption with Customer provided keys must provide'
  if (algorithm === undefined) throw wrong('algorithm', `${must} a valid encryption algorithm.`)
  if (algorithm !== 'AES256') throw s3Fault('InvalidEncryptionAlgorithmError', 'The encryption algorithm must be AES256.', { ArgumentName: `${prefix}algorithm`, ArgumentValue: algorithm.slice(0, 40) })
  if (!key) throw wrong('key', `${must} an appropriate secret key.`)
  const bytes = Buffer.from(key, 'base64')
  if (bytes.length !== 32 || bytes.toString('base64') !== key) throw wrong('key', 'The secret key was invalid for the specified algorithm.')
  if (!md5) throw wrong('key-MD5', `${must} the client calculated MD5 of the secret key.`)
  if (createHash('md5').update(bytes).digest('base64') !== md5) throw wrong('key-MD5', 'The calculated MD5 hash of the key did not match the hash that was provided.')
  return { key: bytes, md5 }
}

const MARK = 'c.'

export const customerId = (key: Buffer, salt: string): string => `${MARK}${salt}.${createHmac('sha256', key).update(`customer:${salt}`).digest('base64url').slice(0, 22)}`
/** The ETag of hidden bytes: the same for the same bytes and key, so that who sends a part twice knows it again, and of no use to who has not the key. */
export const hiddenEtag = (key: Buffer, md5: string): string => createHmac('sha256', key).update(`etag:${md5}`).digest('hex').slice(0, 32)
export const saltOf = (secretId: string): string => secretId.split('.')[1]!
export const isCustomers = (secretId: string | null | undefined): boolean => secretId?.startsWith(MARK) === true
export const opens = (key: Buffer, secretId: string): boolean => sameText(customerId(key, saltOf(secretId)), secretId)

/** The mark of bytes that a customer's key hides; undefined for others. */
export function customersOf(row: { secret_id: string | null; parts: string | null }): string | undefined {
  if (isCustomers(row.secret_id)) return row.secret_id!
  // A whole whose parts are many is not read through for what it mostly is not.
  if (row.parts?.includes(`"secret_id":"${MARK}`) !== true) return undefined
  return (JSON.parse(row.parts) as { secret_id?: string | null }[]).map(({ secret_id }) => secret_id).find(isCustomers) ?? undefined
}

/** `CRC32:base64[-parts]` as it is kept beside hidden bytes, of which it would tell; the same again undoes it. Each use (`label`) of a salt is its own. */
export function hiddenSum(sum: string, key: Buffer, secretId: string, label: 'whole' | 'part'): string {
  const [, algorithm = '', value = '', parts = ''] = /^(\w+):([^-]*)(-\d+)?$/.exec(sum) ?? []
  const pad = createHmac('sha256', key).update(`${label} sum:${saltOf(secretId)}`).digest()
  return `${algorithm}:${Buffer.from(Buffer.from(value, 'base64').map((byte, i) => byte ^ pad[i]!)).toString('base64')}${parts}`
}
