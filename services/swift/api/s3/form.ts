/** Uploads by a form of a web page: the fields first, then the file, which passes as a stream. What the signed policy does not allow is not stored. */
import { Readable } from 'node:stream'
import { isFault } from '#base/fault.ts'
import { isStream } from '#base/http/message.ts'
import { parameters, type Part, partsOf } from '../../core/multipart.ts'
import { parseTagging } from '../../core/s3/documents.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { assertPolicy, type Fields, signedForm } from '../../core/s3/post-policy.ts'
import { KEY_BYTES } from '../../core/s3/target.ts'
import { writeXml } from '../../core/s3/xml.ts'
import type { Answer } from '../ask.ts'
import type { Identify } from './identity.ts'
import { quoted } from './listing.ts'
import { permitted, TAGS } from './may.ts'
import { policyOfClass } from './classes.ts'
import { CHECKSUM, customerKey, keptSum } from './customer.ts'
import { assertWritten, MOST, objectHeaders, stored } from './object.ts'
import { ask, atBucket, bucketRow, type S3Request } from './request.ts'
import { type Algorithm, ALGORITHMS, checksum, checksumHeader } from '../../core/s3/checksums.ts'

/** All fields together have at most so many bytes. */
const MOST_FIELDS = 20_480

/** `found`: the bucket as nobody's request; who asks stands in the form. */
export async function postForm(found: S3Request, identify: Identify): Promise<Answer> {
  const type = found.headers['content-type'] ?? ''
  const { boundary } = parameters(type)
  if (!/^multipart\/form-data/i.test(type) || !boundary || boundary.length > 200) throw s3Fault('PreconditionFailed', 'Bucket POST must be of the enclosure-type multipart/form-data')
  const { body } = found.rq.http
  found.rq.http.sendContinue?.()
  const source = isStream(body) ? body : Readable.from([Buffer.from((body ?? '') as string)])
  const fields: Record<string, string> = {}
  let size = 0
  for await (const part of formParts(source as AsyncIterable<Uint8Array>, boundary)) {
    const { name = '', filename } = parameters(Buffer.from(part.headers['content-disposition'] ?? '', 'latin1').toString('utf8'))
    if (name.toLowerCase() === 'file') return upload(found, identify, fields, filename ?? '', part)
    const chunks: Buffer[] = []
    for await (const chunk of part.body) {
      size += chunk.length
      if (size > MOST_FIELDS) throw s3Fault('MaxPostPreDataLengthExceeded')
      chunks.push(Buffer.from(chunk))
    }
    size += name.length
    if (Object.keys(fields).length >= 1000) throw s3Fault('MaxPostPreDataLengthExceeded')
    fields[name.toLowerCase()] = Buffer.concat(chunks).toString('utf8')
  }
  throw s3Fault('InvalidArgument', 'POST requires exactly one file upload per request.', { ArgumentName: 'file', ArgumentValue: '0' })
}

/** The parser's refusals in S3's words. */
async function* formParts(source: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<Part> {
  const parts = partsOf(source, boundary)
  for (;;) {
    const next = await parts.next().catch(malformed)
    if (next.done) return
    yield { headers: next.value.headers, body: bodyOf(next.value) }
  }
}

async function* bodyOf(part: Part): AsyncGenerator<Buffer> {
  for (;;) {
    const next = await part.body.next().catch(malformed)
    if (next.done) return
    yield next.value
  }
}

function malformed(thrown: unknown): never {
  throw isFault(thrown, 'invalid') ? s3Fault('MalformedPOSTRequest', thrown.message) : thrown
}

const HEADERS = /^(x-amz-(meta-.+|acl|grant-.+|storage-class|server-side-encryption.*|website-redirect-location|object-lock-.+|checksum-.+)|content-type|content-disposition|content-encoding|cache-control|expires)$/

async function upload(found: S3Request, identify: Identify, fields: Fields, filename: string, part: Part): Promise<Answer> {
  const { house } = found
  if (fields.key === undefined || fields.key === '') throw s3Fault('UserKeyMustBeSpecified')
  // A browser says more than the name of the file.
  const key = fields.key.replaceAll('${filename}', () => filename.slice(Math.max(filename.lastIndexOf('/'), filename.lastIndexOf('\\')) + 1))
  if (Buffer.byteLength(key) > KEY_BYTES || key.includes('\0')) throw s3Fault('KeyTooLongError', undefined, { MaxSizeAllowed: String(KEY_BYTES) })
  const signed = signedForm(fields)
  const holder = signed && (await identify(signed))
  let range = { min: 0, max: MOST }
  if (signed) {
    const said = assertPolicy(fields.policy!, { ...fields, key }, found.bucket, house.world.clock.now())
    range = { min: said.min, max: Math.min(said.max, MOST) }
  }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(fields)) {
    // oxlint-disable-next-line no-control-regex
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value) && HEADERS.test(name)) throw s3Fault('InvalidArgument', 'A field holds a control character.', { ArgumentName: name.slice(0, 80) })
    // As it would have come in a header: its bytes.
    if (HEADERS.test(name)) headers[name] = Buffer.from(value).toString('latin1')
  }
  if (fields.acl !== undefined) headers['x-amz-acl'] = fields.acl
  const asked = await atBucket({ ...found, who: holder?.who ?? found.who, secret: holder?.secret ?? '', signed, query: new URLSearchParams(), headers }, found.bucket, key)
  bucketRow(asked)
  const at = await permitted(asked, { action: 's3:PutObject', right: 'write', list: { of: 'bucket', permission: 'WRITE' } })
  const given = objectHeaders(at)
  if (fields.tagging !== undefined) given[TAGS] = JSON.stringify(parseTagging(Buffer.from(fields.tagging), 10))
  const algorithm = announcedSum(headers)
  const sum = algorithm && checksum(algorithm)
  let why: Error | undefined
  let made: string | undefined
  async function* judged(): AsyncGenerator<Buffer> {
    let size = 0
    const refuse = (fault: Error): never => {
      throw (why = fault)
    }
    for await (const chunk of part.body) {
      size += chunk.length
      if (size > range.max) refuse(s3Fault('EntityTooLarge', undefined, { MaxSizeAllowed: String(range.max) }))
      sum?.update(chunk)
      yield chunk
    }
    if (size < range.min) refuse(s3Fault('EntityTooSmall', undefined, { ProposedSize: String(size), MinSizeAllowed: String(range.min) }))
    if (sum && algorithm) {
      made = sum.digest()
      if (made !== headers[`x-amz-checksum-${algorithm.toLowerCase()}`]) refuse(s3Fault('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`))
    }
  }
  const customer = customerKey(at)
  const policy = await policyOfClass(at, headers['x-amz-storage-class'])
  const late = (secretId: string | null): Record<string, string> => (made === undefined ? {} : { [CHECKSUM]: keptSum(`${algorithm}:${made}`, secretId, customer, 'whole') })
  const answer = await ask(at, 'PUT', { headers: { ...given, 'transfer-encoding': 'chunked' }, body: Readable.from(judged(), { objectMode: false }), late, customer, policy })
  if (answer.status >= 400 && why) throw why
  assertWritten(at, answer)
  return ended(at, fields, { ...stored(at, answer, customer), etag: quoted(String(answer.headers.etag)) })
}

function announcedSum(headers: Readonly<Record<string, string>>): Algorithm | undefined {
  for (const [name, value] of Object.entries(headers)) {
    const algorithm = checksumHeader(name, value)
    if (algorithm) return ALGORITHMS.find((each) => each === algorithm)
  }
  return undefined
}

function ended(at: S3Request, fields: Fields, headers: Record<string, string>): Answer {
  const redirect = fields.success_action_redirect ?? fields.redirect
  const etag = headers.etag!
  if (redirect !== undefined && /^https?:\/\//i.test(redirect) && URL.canParse(redirect)) {
    const to = new URL(redirect)
    for (const [name, value] of [['bucket', at.bucket], ['key', at.key], ['etag', etag]] as const) to.searchParams.append(name, value)
    return { status: 303, headers: { ...headers, location: to.href } }
  }
  const location = `${at.rq.http.origin}${at.mount}/${at.bucket}/${encodeURIComponent(at.key)}`
  if (fields.success_action_status === '201') return { status: 201, headers: { ...headers, location, 'content-type': 'application/xml' }, body: writeXml('PostResponse', { Location: location, Bucket: at.bucket, Key: at.key, ETag: etag }, null) }
  return { status: fields.success_action_status === '200' ? 200 : 204, headers: { ...headers, location } }
}
