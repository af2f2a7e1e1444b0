/** Keys of customers at the S3 door: when they are taken, and whether the one that came is that of the bytes. */
import { COPY_SOURCE_CUSTOMER, CUSTOMER, type CustomerKey, customerKeyOf, customersOf, hiddenSum, isCustomers, opens } from '../../core/s3/customer-key.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import type { Stored } from '../../store/tables.ts'
import { metadataOf } from '../ask.ts'
import type { S3Request } from './request.ts'

export const CHECKSUM = 'x-object-sysmeta-s3-checksum'

/** `local` is this process itself. */
const NEAR = /^(127\.|::1$|::ffff:127\.|local$)/

/** The key that a request brings; over a wire that others may listen to, none is taken. */
export function customerKey({ house, rq, headers }: Pick<S3Request, 'house' | 'rq' | 'headers'>, prefix = CUSTOMER): CustomerKey | undefined {
  if (house.config.s3_customer_keys_require_tls && !rq.http.origin.startsWith('https:') && !NEAR.test(rq.http.remote) && Object.keys(headers).some((name) => name.startsWith(prefix))) {
    throw s3Fault('InvalidRequest', 'Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.')
  }
  return customerKeyOf(headers, prefix)
}

export const sourceKey = (at: S3Request): CustomerKey | undefined => customerKey(at, COPY_SOURCE_CUSTOMER)

/** Throws unless the bytes of this row are to be had with this key, or without one. */
export function assertKey(row: Pick<Stored, 'secret_id' | 'parts'>, given: CustomerKey | undefined): void {
  const mark = customersOf(row)
  if (mark === undefined && given) throw s3Fault('InvalidRequest', 'The encryption parameters are not applicable to this object.')
  if (mark !== undefined && !given) throw s3Fault('InvalidRequest', 'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.')
  if (mark !== undefined && !opens(given!.key, mark)) throw s3Fault('InvalidRequest', 'The provided encryption parameters did not match the ones used originally.')
}

/** Of an upload in parts: every part comes with the key with which it was begun. */
export function assertSameKey(mark: string | undefined, given: CustomerKey | undefined): void {
  if (mark === undefined && given) throw s3Fault('InvalidRequest', 'The multipart upload initiate did not request encryption with a customer provided key.')
  if (mark !== undefined && !given) throw s3Fault('InvalidRequest', 'The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.')
  if (mark !== undefined && !opens(given!.key, mark)) throw s3Fault('InvalidRequest', 'The provided encryption parameters did not match the ones used originally.')
}

export const customerHeaders = (given: CustomerKey | undefined): Record<string, string> => (given ? { [`${CUSTOMER}algorithm`]: 'AES256', [`${CUSTOMER}key-MD5`]: given.md5 } : {})

/** The checksum of an object, `CRC32:base64`; of hidden bytes only for who has the key. */
export function sumOf(row: Pick<Stored, 'secret_id' | 'parts' | 'metadata'>, given: CustomerKey | undefined): string | undefined {
  const kept = metadataOf(row)[CHECKSUM]
  const mark = kept === undefined ? undefined : customersOf(row)
  if (mark === undefined) return kept
  return given && opens(given.key, mark) ? hiddenSum(kept!, given.key, mark, 'whole') : undefined
}

/** The checksum of a part. */
export function partSum(part: { secret_id?: string | null; checksum?: string | null }, given: CustomerKey | undefined): string | undefined {
  const { secret_id, checksum } = part
  if (!checksum || !isCustomers(secret_id)) return checksum ?? undefined
  return given && opens(given.key, secret_id!) ? hiddenSum(checksum, given.key, secret_id!, 'part') : undefined
}

/** How a checksum is kept beside bytes with this mark. */
export const keptSum = (sum: string, secretId: string | null, given: CustomerKey | undefined, label: 'whole' | 'part'): string => (given && isCustomers(secretId) ? hiddenSum(sum, given.key, secretId!, label) : sum)
