/** A request of S3 on its way: who asks, about which bucket and key, and how to ask Swift's rooms in their name. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Fault } from '#base/fault.ts'
import { type HttpBody, isStream, readBody } from '#base/http/message.ts'
import type { Rq } from '#stack/route.ts'
import { type Algorithm, ALGORITHMS, checksum, checksumHeader } from '../../core/s3/checksums.ts'
import { unchunked } from '../../core/s3/chunked.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { type Signed, signingKey } from '../../core/s3/signature.ts'
import { pathOf } from '../../core/names.ts'
import type { Swift } from '../../house.ts'
import { containerOf } from '../../store/accounts.ts'
import type { ContainerRow } from '../../store/tables.ts'
import type { Answer, Ask, Serve } from '../ask.ts'
import type { Holder } from './identity.ts'

export interface S3Request {
  house: Swift
  rq: Rq
  holder: Holder
  signed: Signed
  account: string
  bucket: string
  key: string
  query: URLSearchParams
  headers: Readonly<Record<string, string>>
  serve: Serve
}

/** Asks Swift as this user. */
export function ask(at: S3Request, method: string, options: { key?: string; bucket?: string; headers?: Record<string, string>; query?: Record<string, string>; body?: HttpBody } = {}): Promise<Answer> {
  return at.serve(askOf(at, method, options))
}

export function askOf(at: S3Request, method: string, options: Parameters<typeof ask>[2] = {}): Ask {
  const names = { account: at.account, container: options.bucket ?? at.bucket, object: options.key ?? at.key }
  const { http, context } = at.rq
  return {
    method, names, path: pathOf(names), query: new URLSearchParams(options.query), headers: options.headers ?? {}, body: options.body, who: at.holder.who, base: http.origin, mount: '', remote: http.remote, trans_id: context.request_id,
    signal: http.signal, sendContinue: http.sendContinue, seen: new Map(),
  }
}

/** The bucket's row; NoSuchBucket when there is none. */
export async function bucketRow(at: S3Request, name = at.bucket): Promise<ContainerRow> {
  const row = await containerOf(at.house.db, at.account, name)
  if (!row) throw s3Fault('NoSuchBucket', undefined, { BucketName: name })
  return row
}

/** What went wrong in Swift's rooms, in S3's words. */
export function assertGood(at: S3Request, answer: Answer, what: 'bucket' | 'object'): Answer {
  if (answer.status < 400) return answer
  if (answer.body instanceof Readable) answer.body.destroy()
  switch (answer.status) {
    case 401:
    case 403:
      throw s3Fault('AccessDenied')
    case 404:
      throw what === 'bucket' ? s3Fault('NoSuchBucket', undefined, { BucketName: at.bucket }) : s3Fault('NoSuchKey', undefined, { Key: at.key })
    case 409:
      throw what === 'bucket' ? s3Fault('BucketNotEmpty', undefined, { BucketName: at.bucket }) : s3Fault('OperationAborted')
    case 412:
      throw s3Fault('PreconditionFailed')
    case 413:
      throw s3Fault('EntityTooLarge')
    case 416:
      throw s3Fault('InvalidRange')
    case 422:
      throw s3Fault('BadDigest')
    default:
      throw answer.status < 500 ? s3Fault('InvalidRequest') : s3Fault('ServiceUnavailable')
  }
}

/** The body of a request as its bytes, whatever it came wrapped in; judged as it passes. */
export interface Upload {
  source: Readable
  length: number | undefined
  /** `ALGORITHM:base64`, once the source has ended; undefined when the client sent none. */
  checksum(): string | undefined
}

export function uploadOf(at: S3Request): Upload {
  const { headers, signed } = at
  const { payload } = signed
  const raw = at.rq.http.body
  const stream: AsyncIterable<Uint8Array> = raw === undefined ? Readable.from([]) : isStream(raw) ? raw : Readable.from([Buffer.from(raw as Uint8Array)])
  let length = headers['content-length'] === undefined ? undefined : Number(headers['content-length'])
  let body = stream
  const wanted = new Map<Algorithm, string>()
  for (const [name, value] of Object.entries(headers)) {
    const algorithm = checksumHeader(name, value)
    if (algorithm) wanted.set(algorithm, value)
  }
  const trailing = ALGORITHMS.find((each) => headers['x-amz-trailer']?.toLowerCase().includes(`x-amz-checksum-${each.toLowerCase()}`))
  if (payload.kind === 'chunks') {
    const decoded = headers['x-amz-decoded-content-length']
    if (decoded === undefined || !/^\d{1,15}$/.test(decoded)) throw s3Fault('MissingContentLength')
    length = Number(decoded)
    const { scope, stamp } = signed
    body = unchunked(stream, {
      length, trailer: payload.trailer,
      ...(payload.signed && scope && stamp ? { signing: { key: signingKey(at.holder.secret, scope), scope, stamp, seed: signed.signature } } : {}),
      onTrailer(trailers) {
        for (const [name, value] of Object.entries(trailers)) {
          const algorithm = checksumHeader(name, value)
          if (algorithm) wanted.set(algorithm, value)
        }
        if (trailing && !wanted.has(trailing)) throw s3Fault('MalformedTrailerError')
      },
    })
  }
  const algorithm = trailing ?? wanted.keys().next().value
  const sum = algorithm && checksum(algorithm)
  const sha = payload.kind === 'digest' ? createHash('sha256') : undefined
  let known: string | undefined
  async function* judged(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      sum?.update(chunk)
      sha?.update(chunk)
      yield chunk
    }
    if (sha && payload.kind === 'digest' && sha.digest('hex') !== payload.sha256) throw s3Fault('XAmzContentSHA256Mismatch')
    if (sum && algorithm) {
      const made = sum.digest()
      if (wanted.has(algorithm) && wanted.get(algorithm) !== made) throw s3Fault('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
      known = `${algorithm}:${made}`
    }
  }
  return { source: Readable.from(judged(), { objectMode: false, highWaterMark: 1 << 18 }), length, checksum: () => known }
}

/** A small body whole, its digests judged. */
export async function smallBody(at: S3Request, limit = 1 << 20): Promise<Buffer> {
  at.rq.http.sendContinue?.()
  const upload = uploadOf(at)
  if ((upload.length ?? 0) > limit) throw s3Fault('MaxMessageLengthExceeded')
  const bytes = await readBody(upload.source, limit)
  if (!bytes) throw s3Fault('MaxMessageLengthExceeded')
  const md5 = at.headers['content-md5']
  if (md5 !== undefined && createHash('md5').update(bytes).digest('base64') !== md5) throw s3Fault(Buffer.from(md5, 'base64').length === 16 ? 'BadDigest' : 'InvalidDigest')
  return bytes
}

/** `Content-MD5` as the ETag that Swift judges. */
export function md5Header(headers: Readonly<Record<string, string>>): string | undefined {
  const md5 = headers['content-md5']
  if (md5 === undefined) return undefined
  const bytes = Buffer.from(md5, 'base64')
  if (bytes.length !== 16) throw s3Fault('InvalidDigest')
  return bytes.toString('hex')
}

export const number = (text: string | null, name: string, most: number): number => {
  if (text === null || text === '') return most
  if (!/^\d{1,9}$/.test(text)) throw s3Fault('InvalidArgument', `Provided ${name} not an integer or within integer range`, { ArgumentName: name, ArgumentValue: text.slice(0, 40) })
  return Math.min(Number(text), most)
}

/** What is asked for and is not there: said, not overlooked. */
export const absent = (what: string): Fault => s3Fault('NotImplemented', `${what} is not there.`)
