/** Bytes between the wire and the driver: hashed, counted, limited, encrypted; read again whole, in parts, decrypted. */
import { createCipheriv, createHmac } from 'node:crypto'
import { Readable, Transform } from 'node:stream'
import { Fault, unavailable } from '#base/fault.ts'
import { customerId, hiddenEtag, isCustomers, opens } from '../core/s3/customer-key.ts'
import type { Swift } from '../house.ts'
import { noticeDamage } from '../flows/damage.ts'
import { stillHas } from '../store/bytes.ts'
import type { Stored } from '../store/tables.ts'
import { concatenated } from './deliver.ts'
import { hashing } from './hashing.ts'

export interface Kept { bytes_id: string; size: number; etag: string; secret_id: string | null }

/** Takes a stream whole; resolves when it is durable, where the policy has its bytes. `etag` is what the client says it is. `length`: what it announced. `customer`: the key that hides the bytes, instead of ours. */
export async function keepBytes(house: Swift, policy: string, source: AsyncIterable<Uint8Array>, options: { etag?: string | undefined; limit?: number; length?: number | undefined; customer?: Buffer | undefined }): Promise<Kept> {
  const pool = house.policies.find((one) => one.name === policy)?.pool
  if (pool === undefined) throw unavailable('The storage policy of this container is not configured.', { detail: `swift.policies does not name ${policy}` })
  const limit = Math.min(options.limit ?? Number.POSITIVE_INFINITY, house.config.max_file_size)
  let size = 0
  let etag = ''
  const { secret } = house
  const { customer } = options
  const salt = secret || customer ? house.world.random.bytes(16).toString('hex') : ''
  const cipher = customer ? cipherAt(customer, salt, 0) : secret ? cipherAt(secret.keys.get(secret.current)!, salt, 0) : undefined
  const count = (chunk: Uint8Array): Uint8Array => {
    size += chunk.length
    if (size > limit) throw new Fault('too_large', 'The body of your request was too large for this server.')
    return chunk
  }
  async function* judged(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of hashing(source, options.length, count, (md5) => (etag = md5))) yield cipher ? cipher.update(piece) : piece
    } catch (thrown) {
      if (thrown instanceof Fault) throw thrown
      throw new Fault('invalid', 'The client went away before the end of its upload.', { code: 'swift.client_gone', cause: thrown })
    }
    if (options.length !== undefined && size !== options.length) throw new Fault('invalid', 'The upload is not as long as it said.', { code: 'swift.client_gone' })
    if (options.etag !== undefined && options.etag !== etag) throw new Fault('unprocessable', 'Unable to process the contained instructions')
    if (customer) etag = hiddenEtag(customer, etag)
  }
  const bytes_id = await house.bytes.write(pool, judged(), options.length)
  return { bytes_id, size, etag, secret_id: customer ? customerId(customer, salt) : secret ? `${secret.current}.${salt}` : null }
}

/** Bytes `start` to `end` (inclusive) of what a row holds. `customer`: the key of those that one hides. `still`: as `judgeBytes`. */
export async function openBytes(house: Swift, row: Pick<Stored, 'bytes_id' | 'parts' | 'secret_id' | 'stored'> & Partial<Pick<Stored, 'container_id' | 'name'>>, start: number, end: number, customer?: Buffer, still?: () => Promise<boolean>): Promise<Readable> {
  if (row.parts !== null) return openParts(house, row, row.parts, start, end, customer)
  if (isCustomers(row.secret_id) && !(customer && opens(customer, row.secret_id!))) throw hidden()
  const heard = (thrown: unknown): void => noticeDamage(house, row.bytes_id, thrown, still)
  const plain = await house.bytes.read(row.bytes_id, start, end).catch((thrown: unknown) => {
    heard(thrown)
    throw thrown
  })
  plain.on('error', heard)
  return row.secret_id === null ? plain : decrypted(house, plain, row.secret_id, start, customer)
}

/** Of bytes that a customer's key hides, where there is no such key. */
export const hidden = (): Fault => new Fault('forbidden', 'This object is encrypted with a key of its owner\'s own (SSE-C): it is read at the S3 door, with that key.', { code: 'swift.customer_key' })

/** A part as it stands in a row's `parts`. */
export interface Part { bytes_id: string; size: number; secret_id?: string | null }

function openParts(house: Swift, { container_id, name }: Partial<Pick<Stored, 'container_id' | 'name'>>, text: string, start: number, end: number, customer: Buffer | undefined): Readable {
  const openers: (() => Promise<Readable>)[] = []
  let at = 0
  for (const part of JSON.parse(text) as Part[]) {
    const [first, last] = [Math.max(start, at) - at, Math.min(end, at + part.size - 1) - at]
    const still = container_id === undefined || name === undefined ? undefined : () => stillHas(house.db, { container_id, name }, part.bytes_id)
    if (first <= last) openers.push(() => openBytes(house, { bytes_id: part.bytes_id, parts: null, secret_id: part.secret_id ?? null, stored: part.size }, first, last, customer, still))
    at += part.size
  }
  return concatenated(openers)
}

function decrypted(house: Swift, source: Readable, secret_id: string, start: number, customer: Buffer | undefined): Readable {
  const [id, salt] = secret_id.split('.') as [string, string]
  const key = isCustomers(secret_id) ? customer : house.secret?.keys.get(id)
  if (!key) throw new Fault('unavailable', 'The key of this object is not there.', { detail: `root secret ${id}` })
  const skip = start % 16
  const cipher = cipherAt(key, salt, (start - skip) / 16)
  if (skip > 0) cipher.update(Buffer.alloc(skip))
  const out = new Transform({ highWaterMark: 1 << 18, transform: (chunk: Buffer, _encoding, next) => next(null, cipher.update(chunk)) })
  source.on('error', (thrown) => out.destroy(thrown))
  out.on('close', () => source.destroy())
  return source.pipe(out)
}

/** AES-256-CTR by a key of this object alone, from its `block`th block of 16 bytes. */
function cipherAt(root: Buffer, salt: string, block: number): ReturnType<typeof createCipheriv> {
  const key = createHmac('sha256', root).update(`object:${salt}`).digest()
  const iv = Buffer.alloc(16)
  iv.writeBigUInt64BE(BigInt(block), 8)
  return createCipheriv('aes-256-ctr', key, iv)
}
