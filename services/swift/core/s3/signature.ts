/**
 * Who signed a request to the S3 door, and what was signed: AWS signature versions 4 and 2, in the `Authorization` header, in the query
 * (pre-signed) or in the fields of a form. Pure: the secret comes from elsewhere.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { s3Fault } from './errors.ts'
import { SUB_RESOURCES } from './target.ts'

/** What a signature is computed from; the path and query are those of the request line. */
export interface SignedRequest {
  method: string
  path: string
  query: string
  headers: Readonly<Record<string, string>>
  /** The bucket, when the host names it: version 2 signs it as a part of the path. */
  hostBucket?: string
  /** What stands before the bucket in the path; some clients leave it out of what they sign by version 2. */
  mount?: string
}

export interface Scope {
  date: string
  region: string
  service: string
}

/** How the body is covered: by its digest, not at all, or chunk by chunk. */
export type Payload = { kind: 'digest'; sha256: string } | { kind: 'unsigned' } | { kind: 'chunks'; signed: boolean; trailer: boolean }

export interface Signed {
  access: string
  signature: string
  /** The text of which the signature was made. */
  text: string
  /** Of which `text` holds the digest; version 4. */
  canonical?: string
  /** Another text of the same meaning. */
  also?: readonly string[]
  /** Version 4 only. */
  scope?: Scope
  /** `20261121T001122Z`, of version 4. */
  stamp?: string
  /** Instant at which it was made, milliseconds; absent where only its end is known. */
  made?: number
  /** Instant after which it holds no more, milliseconds. */
  until?: number
  payload: Payload
}

/** A clock may differ by this much from ours, milliseconds. */
export const SKEW = 15 * 60_000
const WEEK = 7 * 24 * 3600
const EMPTY = createHash('sha256').digest('hex')

const hmac = (algorithm: 'sha1' | 'sha256', key: string | Buffer, data: string): Buffer => createHmac(algorithm, key).update(data).digest()

/** RFC 3986: everything but letters, digits and `-_.~`. */
export const percent = (text: string): string => encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** Undefined when nothing in the request claims to be signed. Malformed claims are refused. */
export function signedOf(request: SignedRequest): Signed | undefined {
  const { authorization } = request.headers
  const query = new URLSearchParams(request.query)
  if (authorization?.startsWith('AWS4-HMAC-SHA256')) return version4(request, authorization)
  if (query.has('X-Amz-Algorithm') || query.has('X-Amz-Signature')) return version4Query(request, query)
  if (authorization?.startsWith('AWS ')) return version2(request, authorization)
  if (query.has('AWSAccessKeyId') && query.has('Signature')) return version2Query(request, query)
  if (authorization !== undefined) throw s3Fault('InvalidArgument', 'Unsupported Authorization Type', { ArgumentName: 'Authorization', ArgumentValue: authorization.split(' ')[0]!.slice(0, 40) })
  return undefined
}

/** Refused unless the region that version 4 signs is one of these; the first is the name that the client should have said. */
export function assertRegion({ scope, until }: Signed, regions: readonly string[]): void {
  if (!scope || regions.includes(scope.region)) return
  const wrong = `the region '${scope.region.slice(0, 40)}' is wrong; expecting '${regions[0]}'`
  throw until === undefined ? s3Fault('AuthorizationHeaderMalformed', `The authorization header is malformed; ${wrong}`, { Region: regions[0]! }) : s3Fault('AuthorizationQueryParametersError', `Error parsing the X-Amz-Credential parameter; ${wrong}`, { Region: regions[0]! })
}

/** Refused unless the secret makes this signature of the text, and it is of now. `now` in milliseconds. */
export function assertSigned(signed: Signed, secret: string, now: number): void {
  if (signed.made !== undefined && signed.until === undefined && Math.abs(now - signed.made) > SKEW) throw s3Fault('RequestTimeTooSkewed', undefined, { ServerTime: new Date(now).toISOString() })
  if (signed.made !== undefined && signed.made - now > SKEW) throw s3Fault('AccessDenied', 'Request is not yet valid')
  if (signed.until !== undefined && now > signed.until) throw s3Fault('AccessDenied', 'Request has expired', { Expires: new Date(signed.until).toISOString() })
  const made = (text: string): string => (signed.scope ? hmac('sha256', signingKey(secret, signed.scope), text).toString('hex') : hmac('sha1', secret, text).toString('base64'))
  if (!sameText(made(signed.text), signed.signature) && !signed.also?.some((text) => sameText(made(text), signed.signature))) throw s3Fault('SignatureDoesNotMatch', undefined, mismatch(signed.text, signed.signature, toldOf(signed)))
}

/** What is told beside any signature of this request that does not fit. */
export const toldOf = ({ access, canonical: whole }: Signed): Record<string, string> => ({ AWSAccessKeyId: access, ...shownCanonical(whole) })

export function mismatch(text: string, given: string, { AWSAccessKeyId, ...told }: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { ...(AWSAccessKeyId === undefined ? {} : { AWSAccessKeyId }), StringToSign: text, SignatureProvided: given, StringToSignBytes: inHex(text), ...told }
}

/** A customer's key is repeated to nobody. */
function shownCanonical(canonical: string | undefined): Record<string, string> {
  const text = canonical?.replaceAll(/^(x-amz-(?:copy-source-)?server-side-encryption-customer-key:).*$/gm, '$1***')
  return text === undefined ? {} : { CanonicalRequest: text, CanonicalRequestBytes: inHex(text) }
}

const inHex = (text: string): string => Buffer.from(text).toString('hex').replaceAll(/..(?=.)/g, '$& ')

export function signingKey(secret: string, { date, region, service }: Scope): Buffer {
  return [region, service, 'aws4_request'].reduce((key, text) => hmac('sha256', key, text), hmac('sha256', `AWS4${secret}`, date))
}

export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

/** Milliseconds of `20261121T001122Z`. */
export function instantOf(stamp: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp)
  const ms = parts ? Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`) : NaN
  return Number.isNaN(ms) ? undefined : ms
}

function scopeOf(credential: string, stamp: string): { access: string; scope: Scope } {
  const parts = credential.split('/')
  const [date = '', region = '', service = '', end = ''] = parts.slice(-4)
  const access = parts.slice(0, -4).join('/')
  if (parts.length < 5 || access === '' || end !== 'aws4_request') throw s3Fault('AuthorizationHeaderMalformed', 'The authorization header is malformed; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
  if (service !== 's3') throw s3Fault('AuthorizationHeaderMalformed', `The authorization header is malformed; incorrect service "${service.slice(0, 40)}". This endpoint belongs to "s3".`)
  if (!stamp.startsWith(date)) throw s3Fault('AuthorizationHeaderMalformed', `The authorization header is malformed; Invalid credential date "${date.slice(0, 40)}".`)
  return { access, scope: { date, region, service } }
}

function version4(request: SignedRequest, authorization: string): Signed {
  const part = (name: string): string => {
    const found = new RegExp(`(?:^|[ ,])${name}=([^, ]+)`).exec(authorization)?.[1]
    if (found === undefined) throw s3Fault('AuthorizationHeaderMalformed', `The authorization header is malformed; ${name} is missing.`)
    return found
  }
  const date = request.headers['x-amz-date'] ?? request.headers.date
  const stamp = date === undefined ? undefined : instantOf(date) === undefined ? stampOf(Date.parse(date)) : date
  if (stamp === undefined) throw s3Fault('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  const { access, scope } = scopeOf(part('Credential'), stamp)
  const sha256 = request.headers['x-amz-content-sha256']
  if (sha256 === undefined) throw s3Fault('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
  const names = part('SignedHeaders').split(';')
  const unsigned = Object.keys(request.headers).find((name) => (name === 'host' || name.startsWith('x-amz-')) && !names.includes(name))
  if (unsigned !== undefined) throw s3Fault('AccessDenied', 'There were headers present in the request which were not signed', { HeadersNotSigned: unsigned })
  const whole = canonical(request, names, sha256)
  return { access, scope, stamp, made: instantOf(stamp)!, signature: part('Signature'), canonical: whole, text: textToSign(stamp, scope, whole), also: asSent(request, stamp, scope, names, sha256), payload: payloadOf(sha256) }
}

function version4Query(request: SignedRequest, query: URLSearchParams): Signed {
  const part = (name: string): string => {
    const found = query.get(`X-Amz-${name}`)
    if (found === null || found === '') throw s3Fault('AuthorizationQueryParametersError', 'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.')
    return found
  }
  if (part('Algorithm') !== 'AWS4-HMAC-SHA256') throw s3Fault('AuthorizationQueryParametersError', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
  const stamp = part('Date')
  const made = instantOf(stamp)
  if (made === undefined) throw s3Fault('AuthorizationQueryParametersError', 'X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd\'T\'HHmmss\'Z\'"')
  const seconds = part('Expires')
  if (/^-\d+$/.test(seconds)) throw s3Fault('AuthorizationQueryParametersError', 'X-Amz-Expires must be non-negative')
  if (/^\d{10,19}$/.test(seconds) && BigInt(seconds) < 2n ** 63n) throw s3Fault('AuthorizationQueryParametersError', 'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds')
  if (!/^\d{1,9}$/.test(seconds)) throw s3Fault('AuthorizationQueryParametersError', 'X-Amz-Expires should be a number')
  if (Number(seconds) > WEEK) throw s3Fault('AuthorizationQueryParametersError', 'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds')
  const { access, scope } = scopeOf(part('Credential'), stamp)
  const sha256 = query.get('X-Amz-Content-Sha256') ?? request.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD'
  const names = part('SignedHeaders').split(';')
  // Whoever holds the link adds nothing to it: no list of who may, no source of a copy.
  const unsigned = Object.keys(request.headers).find((name) => name.startsWith('x-amz-') && name !== 'x-amz-content-sha256' && !names.includes(name))
  if (unsigned !== undefined || !names.includes('host')) throw s3Fault('AccessDenied', 'There were headers present in the request which were not signed', { HeadersNotSigned: unsigned ?? 'host' })
  const whole = canonical(request, names, sha256)
  // A link is made before its body is known; what the header adds to that is judged, and may or may not have been signed.
  const also = asSent(request, stamp, scope, names, sha256)
  if (sha256 !== 'UNSIGNED-PAYLOAD') also.push(textToSign(stamp, scope, canonical(request, names, 'UNSIGNED-PAYLOAD')), ...asSent(request, stamp, scope, names, 'UNSIGNED-PAYLOAD'))
  return { access, scope, stamp, made, until: made + Number(seconds) * 1000, signature: part('Signature'), canonical: whole, text: textToSign(stamp, scope, whole), also, payload: looseOf(sha256) }
}

/** What the header says of the body where version 4 does not sign it in the head: what is no digest fits no body, and chunks are not read, as with Amazon. */
export function looseOf(sha256: string | undefined): Payload {
  if (sha256 === undefined || sha256 === 'UNSIGNED-PAYLOAD') return { kind: 'unsigned' }
  return { kind: 'digest', sha256: sha256.toLowerCase() }
}

export function payloadOf(sha256: string): Payload {
  if (sha256 === 'UNSIGNED-PAYLOAD') return { kind: 'unsigned' }
  if (/^[0-9a-f]{64}$/i.test(sha256)) return { kind: 'digest', sha256: sha256.toLowerCase() }
  const chunks = /^STREAMING-(AWS4-HMAC-SHA256-PAYLOAD|UNSIGNED-PAYLOAD)(-TRAILER)?$/.exec(sha256)
  if (chunks && !(chunks[1] === 'UNSIGNED-PAYLOAD' && chunks[2] === undefined)) return { kind: 'chunks', signed: chunks[1] !== 'UNSIGNED-PAYLOAD', trailer: chunks[2] !== undefined }
  throw s3Fault('InvalidArgument', 'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.', { ArgumentName: 'x-amz-content-sha256', ArgumentValue: sha256.slice(0, 80) })
}

const stampOf = (ms: number): string | undefined => (Number.isNaN(ms) ? undefined : new Date(ms).toISOString().replaceAll(/[-:]|\.\d{3}/g, ''))

function textToSign(stamp: string, scope: Scope, canonicalRequest: string): string {
  return ['AWS4-HMAC-SHA256', stamp, `${scope.date}/${scope.region}/${scope.service}/aws4_request`, createHash('sha256').update(canonicalRequest).digest('hex')].join('\n')
}

const canonicalPath = (path: string): string => path.split('/').map((part) => percent(decoded(part))).join('/')

/** AWS's SDK for Go (2) signs the path as it sends it where the address of the store has a path itself: `env:/x`, which would be `env%3A/x`. */
function asSent(request: SignedRequest, stamp: string, scope: Scope, names: readonly string[], sha256: string): string[] {
  return canonicalPath(request.path) === request.path ? [] : [textToSign(stamp, scope, canonical(request, names, sha256, request.path))]
}

function canonical({ method, path, query, headers }: SignedRequest, names: readonly string[], sha256: string, spelt = canonicalPath(path)): string {
  const lines = names.map((name) => `${name}:${asSigned(headers[name] ?? '').trim().replaceAll(/\s+/g, ' ')}`)
  return [method, spelt, canonicalQuery(query), ...lines, '', names.join(';'), sha256 === '' ? EMPTY : sha256].join('\n')
}

/** Headers come as their bytes; clients sign the text, in UTF-8. */
function asSigned(value: string): string {
  if (/^[\x20-\x7e\t]*$/.test(value)) return value
  const text = Buffer.from(value, 'latin1').toString('utf8')
  return text.includes('\ufffd') ? value : text
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '' && !/^X-Amz-Signature(=|$)/.test(pair))
    .map((pair) => {
      const at = pair.indexOf('=')
      return [percent(decoded(at < 0 ? pair : pair.slice(0, at))), at < 0 ? '' : percent(decoded(pair.slice(at + 1)))] as const
    })
    .sort(([a, b], [c, d]) => (a === c ? (b < d ? -1 : 1) : a < c ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw s3Fault('InvalidURI')
  }
}

/** Sub-resources and replies' overrides, which version 2 signs as a part of the resource. */
const SIGNED_BY_2 = new Set([
  'accelerate', 'acl', 'analytics', 'inventory', 'metrics', 'replication', 'restore', 'select', 'cors', 'delete', 'lifecycle', 'legal-hold', 'location', 'logging', 'notification', 'object-lock', 'partNumber', 'policy', 'requestPayment', 'retention', 'tagging', 'torrent', 'uploadId', 'uploads', 'versionId', 'versioning', 'versions', 'website',
  'response-cache-control', 'response-content-disposition', 'response-content-encoding', 'response-content-language', 'response-content-type', 'response-expires',
])

function version2Texts(request: SignedRequest, date: string): Pick<Signed, 'text' | 'also'> {
  // What the signature does not cover may have been added by anybody.
  const uncovered = SUB_RESOURCES.find((name) => !SIGNED_BY_2.has(name) && new URLSearchParams(request.query).has(name))
  if (uncovered !== undefined) throw s3Fault('AccessDenied', `Signature version 2 does not cover ?${uncovered}; version 4 does.`)
  const { path, mount = '' } = request
  const bare = mount !== '' && path.startsWith(`${mount}/`) ? path.slice(mount.length) : path
  // Of a bucket some sign the slash behind its name, whether they send it or not.
  const paths = new Set([bare, ...(/^\/[^/]+$/.test(bare) ? [`${bare}/`] : [])])
  paths.delete(path)
  return { text: version2Text(request, date), also: [...paths].map((each) => version2Text({ ...request, path: each }, date)) }
}

function version2Text(request: SignedRequest, date: string): string {
  const { method, path, headers, hostBucket } = request
  const amz = Object.keys(headers).filter((name) => name.startsWith('x-amz-')).sort().map((name) => `${name}:${asSigned(headers[name]!).trim()}\n`)
  const sub = [...new URLSearchParams(request.query)].filter(([name]) => SIGNED_BY_2.has(name)).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  return [method, headers['content-md5'] ?? '', headers['content-type'] ?? '', date, `${amz.join('')}${hostBucket === undefined ? '' : `/${hostBucket}`}${path}${sub.length > 0 ? `?${sub.join('&')}` : ''}`].join('\n')
}

function version2(request: SignedRequest, authorization: string): Signed {
  const [, access = '', signature = ''] = /^AWS ([^:]+):(.+)$/.exec(authorization) ?? []
  if (access === '') throw s3Fault('InvalidArgument', "AWS authorization header is invalid. Expected AwsAccessKeyId:signature", { ArgumentName: 'Authorization' })
  const date = request.headers['x-amz-date'] ?? request.headers.date
  const made = date === undefined ? NaN : (instantOf(date) ?? Date.parse(date))
  if (Number.isNaN(made) || made < 0) throw s3Fault('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  return { access, signature, made, ...version2Texts(request, request.headers['x-amz-date'] === undefined ? date! : ''), payload: looseOf(request.headers['x-amz-content-sha256']) }
}

function version2Query(request: SignedRequest, query: URLSearchParams): Signed {
  const expires = query.get('Expires') ?? ''
  if (!/^\d{1,12}$/.test(expires) || Number(expires) > 2 ** 31 - 1) throw s3Fault('AccessDenied', 'Invalid date (should be seconds since epoch): Expires')
  return { access: query.get('AWSAccessKeyId')!, signature: query.get('Signature')!, until: Number(expires) * 1000, ...version2Texts(request, expires), payload: looseOf(request.headers['x-amz-content-sha256']) }
}
