/**
 * The S3 door to the same objects: at `/s3`, at the root of the host names in `swift.s3_domains`, and at the root of any for requests that are
 * signed as S3's are. Answers and errors go out as S3's.
 */
import { asFault } from '#base/fault.ts'
import type { HttpRequest } from '#base/http/message.ts'
import type { Dialect } from '#stack/dialect.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { corsRule } from '../../core/s3/documents.ts'
import { s3Error, s3Fault } from '../../core/s3/errors.ts'
import { assertRegion, signedOf } from '../../core/s3/signature.ts'
import { bucketOfHost, targetOf } from '../../core/s3/target.ts'
import { writeXml } from '../../core/s3/xml.ts'
import type { Swift } from '../../house.ts'
import { corsContainersNamed } from '../../store/accounts.ts'
import { type Answer, metadataOf, type Serve } from '../ask.ts'
import { aclOfHeaders } from '../../core/s3/acl.ts'
import { assertGrantees } from './acl.ts'
import { corsOf, createBucket, listBuckets } from './bucket.ts'
import { postForm } from './form.ts'
import type { Identify } from './identity.ts'
import { permitted } from './may.ts'
import { operationOf } from './operations.ts'
import { atBucket, type S3Request } from './request.ts'
import { visit } from './website.ts'

export const MOUNT = '/s3'

export const s3Dialect: Dialect = {
  service: 'swift.s3',
  serviceType: 's3',
  order: 'authorize-first',
  maxBody: 8 * 2 ** 20,
  requestIdHeaders: ['x-amz-request-id', 'x-amz-id-2'],
  errorBody: (fault, _status, id, request) => ({ headers: { 'content-type': 'application/xml' }, body: errorXml(fault, id, request.path) }),
}

function errorXml(thrown: unknown, id: string, resource: string): string {
  const { code, message, extra } = s3Error(asFault(thrown))
  return writeXml('Error', { Code: code, Message: message, Resource: resource, RequestId: id, HostId: id, ...extra }, null)
}

export interface S3Parts {
  house: Swift
  serve: Serve
  identify: Identify
  /** Whether there is such a project, to grant something to. */
  knows: (project: string) => Promise<boolean>
  region: string
  /** Names at whose root this door stands, and below which each name is a bucket. */
  domains: readonly string[]
  /** Names below which each name is a bucket as a web site. */
  websites: readonly string[]
}

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'] as const

/** `mount`: what stands before the bucket in the path. */
export function s3Routes(parts: S3Parts, mount = MOUNT): Route[] {
  const at = (path: string, noun: string): Route[] => METHODS.map((method) => route({ method, path, name: `s3.${noun}.${method.toLowerCase()}`, access: 'public', bodyKind: 'raw', status: 200, handle: (rq) => enter(parts, rq, mount) }))
  return [...at(mount || '/', 'service'), ...at(`${mount}/{bucket}`, 'bucket'), ...at(`${mount}/{bucket}/{key+}`, 'object')]
}

/** The root of this host is the S3 door's. */
export const isS3Host = (host: string | undefined, domains: readonly string[]): boolean => host !== undefined && (bucketOfHost(host, domains) !== undefined || domains.includes(nameOf(host)))

/** Signed as only requests of S3 are. */
export function isS3Signed({ headers: { authorization }, query }: HttpRequest): boolean {
  if (authorization !== undefined) return authorization.startsWith('AWS ') || (authorization.startsWith('AWS4-HMAC-SHA256') && authorization.includes('/s3/aws4_request'))
  // A link of version 2, e.g. of `s3cmd signurl`.
  if (query.includes('AWSAccessKeyId=')) return /(^|[?&])Signature=/.test(query) && /(^|[?&])Expires=/.test(query) && !query.includes('SignatureVersion=')
  return query.includes('X-Amz-Credential=') && /X-Amz-Credential=[^&]*(\/|%2F)s3(\/|%2F)aws4_request/i.test(query)
}

/** A form that is posted to a bucket: its signature stands among the fields. */
export const isS3Form = ({ method, path, headers }: HttpRequest): boolean => method === 'POST' && /^\/[^/]+\/?$/.test(path) && /^multipart\/form-data/i.test(headers['content-type'] ?? '')

const nameOf = (host: string): string => host.replace(/:\d+$/, '').toLowerCase()

async function enter(parts: S3Parts, rq: Rq, mount: string): Promise<Reply> {
  const { http } = rq
  const site = mount === '' && parts.websites.length > 0 ? bucketOfHost(http.headers.host ?? '', parts.websites) : undefined
  if (site !== undefined) return visit(nobody(parts, rq, mount), rq, site, http.path)
  try {
    const answer = await travel(parts, rq, mount)
    return { status: answer.status, headers: answer.headers, ...(answer.body === undefined ? {} : { body: answer.body }) }
  } catch (thrown) {
    const { status, headers, body } = refusal(thrown, rq)
    return { status, headers, ...(body === undefined ? {} : { body }) }
  }
}

function refusal(thrown: unknown, { http, context }: Rq): Answer {
  const fault = asFault(thrown)
  if (fault.kind === 'internal') throw thrown
  const { status, extra } = s3Error(fault)
  const headers = { 'content-type': 'application/xml', ...Object.fromEntries(Object.entries(extra).filter(([name]) => name.startsWith('x-amz-'))) }
  // A HEAD has no body to say it in.
  return http.method === 'HEAD' ? { status, headers } : { status, headers, body: errorXml(fault, context.request_id, http.path) }
}

type Nobody = Omit<S3Request, 'account' | 'owner' | 'row' | 'granted'>

const nobody = ({ house, serve, knows }: S3Parts, rq: Rq, mount: string): Nobody => ({ house, rq, serve, knows, mount, who: { byName: false, roles: [] }, secret: '', signed: undefined, bucket: '', key: '', query: new URLSearchParams(rq.http.query), headers: rq.http.headers })

async function travel(parts: S3Parts, rq: Rq, mount: string): Promise<Answer> {
  const { house, identify, region } = parts
  const { http } = rq
  const { bucket = '', key = '', hostBucket } = targetOf(http.path.slice(mount.length) || '/', http.headers.host, parts.domains)
  for (const [name, value] of new URLSearchParams(http.query)) if (value.includes('\0')) throw s3Fault('InvalidArgument', 'The query holds a NUL.', { ArgumentName: name.slice(0, 80).replaceAll('\0', '') })
  if (http.method === 'OPTIONS') return preflight(house, rq, bucket)
  const none = nobody(parts, rq, mount)
  const signed = signedOf({ method: http.method, path: http.path, query: http.query, headers: http.headers, mount, ...(hostBucket === undefined ? {} : { hostBucket }) })
  if (!signed && http.method === 'POST' && bucket !== '' && key === '' && /^multipart\/form-data/i.test(http.headers['content-type'] ?? '')) {
    const form = await atBucket(none, bucket, '')
    return allowed(form, await postForm(form, identify))
  }
  if (signed) assertRegion(signed, [region, ...house.config.s3_region_aliases])
  const holder = signed && (await identify(signed))
  const at = await atBucket({ ...none, signed, ...(holder ? { who: holder.who, secret: holder.secret } : {}), headers: signed?.until === undefined || !signed.scope ? http.headers : { ...http.headers, ...hoisted(none.query) } }, bucket, key)
  if (bucket === '') {
    if (http.method !== 'GET') throw s3Fault('MethodNotAllowed')
    return listBuckets(at)
  }
  // A bucket that is not there yet is nobody's.
  if (http.method === 'PUT' && key === '' && [...at.query.keys()].every((name) => name.startsWith('X-Amz-') || ['AWSAccessKeyId', 'Signature', 'Expires'].includes(name))) return createBucket(at, region)
  try {
    const { wish, handle } = operationOf(at)
    const may = wish === undefined ? at : await permitted(at, typeof wish === 'function' ? wish(at) : wish)
    if (http.method === 'PUT' || http.method === 'POST') await assertGrantees(may, aclOfHeaders(may.headers, may.owner))
    return allowed(at, await handle(may, region))
  } catch (thrown) {
    return allowed(at, refusal(thrown, rq))
  }
}

/** Headers that a link holds in its query, all of which version 4 signs. */
function hoisted(query: URLSearchParams): Record<string, string> {
  return Object.fromEntries([...query].filter(([name]) => /^x-amz-(acl|meta-.+|tagging|storage-class|server-side-encryption|website-redirect-location|grant-.+)$/.test(name)))
}

/** What pages from elsewhere may read of an answer. */
function allowed(at: S3Request, answer: Answer): Answer {
  const { origin } = at.headers
  const rule = origin === undefined || !at.row ? undefined : corsRule(corsOf(metadataOf(at.row)), origin, at.headers['access-control-request-method'] ?? at.rq.http.method)
  if (!rule || origin === undefined) return answer
  const any = rule.origins.includes('*')
  return { ...answer, headers: { ...answer.headers, 'access-control-allow-origin': any ? '*' : origin, 'access-control-allow-methods': rule.methods.join(', '), ...(rule.expose.length > 0 ? { 'access-control-expose-headers': rule.expose.join(', ') } : {}), ...(any ? {} : { vary: 'Origin' }) } }
}

/** A preflight carries no signature, so the bucket is looked for in the account that the signed link behind it will name; one name, one answer only. */
async function preflight(house: Swift, rq: Rq, name: string): Promise<Answer> {
  const { origin, 'access-control-request-method': method, 'access-control-request-headers': headers } = rq.http.headers
  if (origin === undefined || method === undefined || name === '') throw s3Fault('InvalidRequest', 'Insufficient information. Origin request header needed.')
  const rows = await corsContainersNamed(house.db, name)
  const rule = rows.map((row) => corsRule(corsOf(metadataOf(row)), origin, method, headers?.split(',').map((each) => each.trim()).filter((each) => each !== '') ?? [])).find((each) => each !== undefined)
  if (!rule) throw s3Fault('AccessDenied', 'CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource\'s CORS spec.')
  const any = rule.origins.includes('*')
  return {
    status: 200,
    headers: { 'access-control-allow-origin': any ? '*' : origin, 'access-control-allow-methods': rule.methods.join(', '), ...(headers === undefined ? {} : { 'access-control-allow-headers': headers }), ...(rule.max_age === undefined ? {} : { 'access-control-max-age': String(rule.max_age) }), ...(rule.expose.length > 0 ? { 'access-control-expose-headers': rule.expose.join(', ') } : {}), vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method' },
  }
}
