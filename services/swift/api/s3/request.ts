/** A request of S3 on its way: who asks, about which bucket and key, and how to ask Swift's rooms in their name. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Fault } from '#base/fault.ts'
import { type HttpBody, isStream, readBody } from '#base/http/message.ts'
import type { Rq } from '#stack/route.ts'
import { type Algorithm, announcedSum, checksum, checksumHeader } from '../../core/s3/checksums.ts'
import { unchunked } from '../../core/s3/chunked.ts'
import type { CustomerKey } from '../../core/s3/customer-key.ts'
import { type S3Code, s3Fault } from '../../core/s3/errors.ts'
import { payloadOf, type Signed, signingKey, toldOf } from '../../core/s3/signature.ts'
import { assertBucketName } from '../../core/s3/target.ts'
import { pathOf } from '../../core/names.ts'
import type { Swift } from '../../house.ts'
import { containerOf } from '../../store/accounts.ts'
import { containerNamed } from '../../store/buckets.ts'
import type { ContainerRow } from '../../store/tables.ts'
import type { Answer, Ask, Serve, Who } from '../ask.ts'

export interface S3Request {
  house: Swift
  rq: Rq
  /** Who asks; without a project when nobody signed. */
  who: Who
  /** Of their key; empty when nobody signed. */
  secret: string
  signed: Signed | undefined
  /** Where the bucket lies, and the project whose it is; the caller's own when there is no such bucket. */
  account: string
  owner: string
  /** The bucket as it was when the request came. */
  row: ContainerRow | undefined
  /** What lists and policy let pass although the bucket is another's. */
  granted?: Ask['granted']
  bucket: string
  key: string
  query: URLSearchParams
  headers: Readonly<Record<string, string>>
  serve: Serve
  /** Whether there is such a project. */
  knows: (project: string) => Promise<boolean>
  /** What stands before the bucket in the path: `/s3`, or nothing. */
  mount: string
}

/** Asks Swift as this user. */
export function ask(at: S3Request, method: string, options: { key?: string; bucket?: string; headers?: Record<string, string>; query?: Record<string, string>; body?: HttpBody; late?: Ask['late']; customer?: CustomerKey | undefined; policy?: string | undefined } = {}): Promise<Answer> {
  return at.serve(askOf(at, method, options))
}

export function askOf(at: S3Request, method: string, options: Parameters<typeof ask>[2] = {}): Ask {
  const names = { account: at.account, container: options.bucket ?? at.bucket, object: options.key ?? at.key }
  const { http, context } = at.rq
  return {
    method, names, path: pathOf(names), query: new URLSearchParams(options.query), headers: options.headers ?? {}, body: options.body, who: at.who, granted: at.granted, late: options.late, policy: options.policy, customer: 'customer' in options ? { key: options.customer?.key } : undefined, base: http.origin, mount: '', remote: http.remote, trans_id: context.request_id,
    // S3 has a limit for all of it (MetadataTooLarge), and none for one.
    limits: { ...at.house.config.limits, max_meta_value_length: 4096, max_meta_name_length: 4096, max_meta_count: 4096, max_meta_overall_size: 8192 },
    signal: http.signal, sendContinue: http.sendContinue,
    // What is asked of an object counts on the bucket that was read a moment ago.
    seen: new Map(at.row && names.object !== '' && names.container === at.bucket ? [[`c/${names.account}/${names.container}`, Promise.resolve(at.row)]] : []),
  }
}

export const accountOfProject = (house: Swift, project: string | undefined): string => `${house.config.reseller_prefix}${project ?? ''}`

/**
 * The request as one about this bucket: the container of that name in the caller's own account, or else the one that has the name in the whole
 * cloud. Nothing is granted yet.
 */
export async function atBucket(at: Omit<S3Request, 'account' | 'owner' | 'row' | 'granted'>, bucket: string, key: string): Promise<S3Request> {
  const { house, who } = at
  const own = accountOfProject(house, who.project_id)
  const mine = who.project_id === undefined || bucket === '' ? undefined : await containerOf(house.db, own, bucket)
  const row = mine ?? (bucket === '' ? undefined : await containerNamed(house.db, bucket))
  const account = row?.account ?? own
  const { granted: _granted, ...rest } = at as S3Request
  const expected = at.headers['x-amz-expected-bucket-owner']
  const owner = account.slice(house.config.reseller_prefix.length)
  if (row && expected !== undefined && expected !== owner) throw s3Fault('AccessDenied')
  return { ...rest, bucket, key, account, owner, row }
}

/** The bucket's row; NoSuchBucket when there is none. */
export function bucketRow(at: S3Request): ContainerRow {
  if (!at.row) {
    assertBucketName(at.bucket)
    throw s3Fault('NoSuchBucket', undefined, { BucketName: at.bucket })
  }
  return at.row
}

export const versionQuery = ({ query }: S3Request): Record<string, string> => {
  const version = query.get('versionId')
  if (version === null) return {}
  if (version !== 'null' && !/^\d{10}\.\d{5}$/.test(version)) throw s3Fault('InvalidArgument', 'Invalid version id specified', { ArgumentName: 'versionId', ArgumentValue: version.slice(0, 80) })
  return { 'version-id': version }
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
      throw s3Fault('BadDigest', undefined, { ExpectedDigest: md5Header(at.headers) ?? '' })
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
  /** Why the source broke off, when it was not what it should be. */
  fault(): Fault | undefined
}

/** `standard`: the checksum that is kept where the client sent none. */
export function uploadOf(at: S3Request, standard?: Algorithm): Upload {
  const { headers, signed } = at
  const payload = signed?.payload ?? payloadOf(headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD')
  if (!signed && payload.kind === 'chunks' && payload.signed) throw s3Fault('AccessDenied', 'Chunks are signed, and the request is not.')
  const raw = at.rq.http.body
  const stream: AsyncIterable<Uint8Array> = raw === undefined ? Readable.from([]) : isStream(raw) ? raw : Readable.from([Buffer.from(raw as Uint8Array)])
  let length = headers['content-length'] === undefined ? undefined : Number(headers['content-length'])
  let body = stream
  const announced = announcedSum(headers, payload.kind === 'chunks' && payload.trailer)
  const wanted = new Map<Algorithm, string>()
  for (const [name, value] of Object.entries(headers)) {
    const algorithm = checksumHeader(name, value)
    if (algorithm) wanted.set(algorithm, value)
  }
  const decoded = headers['x-amz-decoded-content-length']
  // Version 2 and links know no chunks: what comes is the body, and is not what it says it is.
  if (payload.kind === 'digest' && payload.sha256.startsWith('streaming-') && (decoded === undefined || !/^\d{1,15}$/.test(decoded))) throw s3Fault('MissingContentLength')
  if (payload.kind === 'digest' && payload.sha256.startsWith('streaming-') && length !== undefined && Number(decoded) !== length) {
    throw s3Fault('IncompleteBody', 'You did not provide the number of bytes specified by the Content-Length HTTP header', { NumberBytesExpected: decoded!, NumberBytesProvided: String(length) })
  }
  if (payload.kind === 'chunks') {
    if (decoded === undefined || !/^\d{1,15}$/.test(decoded)) throw s3Fault('MissingContentLength')
    // Chunks are longer than what is in them.
    if (length === Number(decoded)) throw s3Fault('IncompleteBody')
    length = Number(decoded)
    const { scope, stamp, signature = '' } = signed ?? {}
    body = unchunked(stream, {
      length, trailer: payload.trailer,
      ...(payload.signed && scope && stamp ? { signing: { key: signingKey(at.secret, scope), scope, stamp, seed: signature, told: toldOf(signed!) } } : {}),
      onTrailer(trailers) {
        const names = Object.keys(trailers)
        if (names.length !== (announced?.trailing ? 1 : 0)) throw s3Fault('MalformedTrailerError')
        for (const name of names) {
          if (name !== `x-amz-checksum-${announced!.algorithm.toLowerCase()}`) throw s3Fault('MalformedTrailerError')
          wanted.set(checksumHeader(name, trailers[name]!, 'trailing header')!, trailers[name]!)
        }
      },
    })
  }
  const algorithm = announced?.algorithm ?? standard
  const sum = algorithm && checksum(algorithm)
  const sha = payload.kind === 'digest' ? createHash('sha256') : undefined
  let known: string | undefined
  let fault: Fault | undefined
  async function* judged(): AsyncGenerator<Uint8Array> {
    try {
      yield* whole()
    } catch (thrown) {
      if (thrown instanceof Fault) fault = thrown
      throw thrown
    }
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      sum?.update(chunk)
      sha?.update(chunk)
      yield chunk
    }
    const digest = sha?.digest('hex')
    if (digest !== undefined && payload.kind === 'digest' && digest !== payload.sha256) throw s3Fault('XAmzContentSHA256Mismatch', undefined, { ClientComputedContentSHA256: headers['x-amz-content-sha256'] ?? payload.sha256, S3ComputedContentSHA256: digest })
    if (sum && algorithm) {
      const made = sum.digest()
      if (wanted.has(algorithm) && wanted.get(algorithm) !== made) throw s3Fault('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
      known = `${algorithm}:${made}`
    }
  }
  return { source: Readable.from(judged(), { objectMode: false, highWaterMark: 1 << 18 }), length, checksum: () => known, fault: () => fault }
}

/** A small body whole, its digests judged. */
export async function smallBody(at: S3Request, limit = 1 << 20, tooLong: S3Code = 'MaxMessageLengthExceeded'): Promise<Buffer> {
  at.rq.http.sendContinue?.()
  const upload = uploadOf(at)
  if ((upload.length ?? 0) > limit) throw s3Fault(tooLong)
  const bytes = await readBody(upload.source, limit)
  if (!bytes) throw s3Fault(tooLong)
  const md5 = at.headers['content-md5']
  if (md5 !== undefined && createHash('md5').update(bytes).digest('base64') !== md5) throw Buffer.from(md5, 'base64').length === 16 ? s3Fault('BadDigest', undefined, { ExpectedDigest: md5 }) : s3Fault('InvalidDigest')
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
