/** The S3 door to the same objects, at `/s3`: requests come in signed, answers and errors go out as S3's. */
import { asFault } from '#base/fault.ts'
import type { Dialect } from '#stack/dialect.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { corsRule } from '../../core/s3/documents.ts'
import { s3Error, s3Fault } from '../../core/s3/errors.ts'
import { signedOf } from '../../core/s3/signature.ts'
import { subResource, targetOf } from '../../core/s3/target.ts'
import { writeXml } from '../../core/s3/xml.ts'
import type { Swift } from '../../house.ts'
import { containerOf, corsContainersNamed } from '../../store/accounts.ts'
import { type Answer, metadataOf, type Serve } from '../ask.ts'
import { corsOf, createBucket, deleteBucket, deleteCors, deleteTagging, getAcl, getCors, getTagging, getVersioning, headBucket, listBuckets, location, putAcl, putCors, putTagging, putVersioning } from './bucket.ts'
import type { Identify } from './identity.ts'
import { listObjects, listVersions } from './listing.ts'
import { abortUpload, beginUpload, completeMultipart, listParts, listUploads, uploadPart } from './multipart.ts'
import { changeTagging, deleteMany, deleteObject, getObject, objectAcl, objectTagging, putObject } from './object.ts'
import { absent, type S3Request } from './request.ts'

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
  return writeXml('Error', { Code: code, Message: message, Resource: resource, RequestId: id, ...extra }, null)
}

export interface S3Parts {
  house: Swift
  serve: Serve
  identify: Identify
  region: string
  /** Names below which each name is a bucket. */
  domains: readonly string[]
}

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'] as const

export function s3Routes(parts: S3Parts): Route[] {
  const at = (path: string, noun: string): Route[] => METHODS.map((method) => route({ method, path, name: `s3.${noun}.${method.toLowerCase()}`, access: 'public', bodyKind: 'raw', status: 200, handle: (rq) => enter(parts, rq) }))
  return [...at(MOUNT, 'service'), ...at(`${MOUNT}/{bucket}`, 'bucket'), ...at(`${MOUNT}/{bucket}/{key+}`, 'object')]
}

async function enter(parts: S3Parts, rq: Rq): Promise<Reply> {
  const { http } = rq
  try {
    const answer = await travel(parts, rq)
    return { status: answer.status, headers: answer.headers, ...(answer.body === undefined ? {} : { body: answer.body }) }
  } catch (thrown) {
    const fault = asFault(thrown)
    if (fault.kind === 'internal') throw thrown
    const { status } = s3Error(fault)
    const headers = { 'content-type': 'application/xml' }
    // A HEAD has no body to say it in.
    return http.method === 'HEAD' ? { status, headers } : { status, headers, body: errorXml(fault, rq.context.request_id, http.path) }
  }
}

async function travel(parts: S3Parts, rq: Rq): Promise<Answer> {
  const { house, identify } = parts
  const { http } = rq
  const query = new URLSearchParams(http.query)
  const target = targetOf(http.path.slice(MOUNT.length) || '/', http.headers.host, parts.domains)
  if (http.method === 'OPTIONS') return preflight(house, rq, target.bucket)
  const signed = signedOf({ method: http.method, path: http.path, query: http.query, headers: http.headers, ...(target.hostBucket === undefined ? {} : { hostBucket: target.hostBucket }) })
  if (!signed) throw s3Fault('AccessDenied', 'Anonymous requests are not taken at this door: containers that are public are so at the door of Swift.')
  const holder = await identify(signed)
  const at: S3Request = { house, rq, holder, signed, account: `${house.config.reseller_prefix}${holder.who.project_id}`, bucket: target.bucket ?? '', key: target.key ?? '', query, headers: http.headers, serve: parts.serve }
  const answer = at.bucket === '' ? await service(at) : at.key === '' ? await bucket(at, parts) : await object(at)
  return allowed(at, answer)
}

function service(at: S3Request): Promise<Answer> {
  if (at.rq.http.method === 'GET') return listBuckets(at)
  throw s3Fault('MethodNotAllowed')
}

async function bucket(at: S3Request, { region }: S3Parts): Promise<Answer> {
  const { method } = at.rq.http
  const what = subResource(at.query)
  switch (`${method} ${what ?? ''}`) {
    case 'GET ': return listObjects(at)
    case 'GET versions': return listVersions(at)
    case 'GET location': return location(at, region)
    case 'GET versioning': return getVersioning(at)
    case 'GET acl': return getAcl(at)
    case 'GET cors': return getCors(at)
    case 'GET tagging': return getTagging(at)
    case 'GET uploads': return listUploads(at)
    case 'HEAD ': return headBucket(at, region)
    case 'PUT ': return createBucket(at, region)
    case 'PUT versioning': return putVersioning(at)
    case 'PUT acl': return putAcl(at)
    case 'PUT cors': return putCors(at)
    case 'PUT tagging': return putTagging(at)
    case 'DELETE ': return deleteBucket(at)
    case 'DELETE cors': return deleteCors(at)
    case 'DELETE tagging': return deleteTagging(at)
    case 'POST delete': return deleteMany(at)
    // Clients that mirror buckets ask for these first; that there are none is the truth.
    case 'GET policy': throw s3Fault('NoSuchBucketPolicy', undefined, { BucketName: at.bucket })
    case 'GET lifecycle': throw s3Fault('NoSuchLifecycleConfiguration', undefined, { BucketName: at.bucket })
    case 'GET website': throw s3Fault('NoSuchWebsiteConfiguration', undefined, { BucketName: at.bucket })
    case 'GET encryption': throw s3Fault('ServerSideEncryptionConfigurationNotFoundError', undefined, { BucketName: at.bucket })
    case 'GET object-lock': throw s3Fault('ObjectLockConfigurationNotFoundError', undefined, { BucketName: at.bucket })
    default:
      if (what !== undefined) throw absent(`?${what} of a bucket`)
      if (method === 'POST') throw absent('Uploading by a form')
      throw s3Fault('MethodNotAllowed')
  }
}

async function object(at: S3Request): Promise<Answer> {
  const { method } = at.rq.http
  const what = subResource(at.query)
  switch (`${method} ${what ?? ''}`) {
    case 'GET ':
    case 'HEAD ': return getObject(at)
    case 'PUT ': return putObject(at)
    case 'DELETE ': return deleteObject(at)
    case 'GET acl': return objectAcl(at)
    case 'GET tagging': return objectTagging(at)
    case 'PUT tagging': return changeTagging(at, true)
    case 'DELETE tagging': return changeTagging(at, false)
    case 'POST uploads': return beginUpload(at)
    case 'PUT uploadId': return uploadPart(at)
    case 'POST uploadId': return completeMultipart(at)
    case 'DELETE uploadId': return abortUpload(at)
    case 'GET uploadId': return listParts(at)
    case 'GET retention':
    case 'GET legal-hold': throw s3Fault('NoSuchObjectLockConfiguration', undefined, { Key: at.key })
    default:
      if (what !== undefined) throw absent(`?${what} of an object`)
      throw s3Fault('MethodNotAllowed')
  }
}

/** What pages from elsewhere may read of an answer. */
async function allowed(at: S3Request, answer: Answer): Promise<Answer> {
  const { origin } = at.headers
  if (origin === undefined || at.bucket === '') return answer
  const row = await containerOf(at.house.db, at.account, at.bucket)
  const rule = row && corsRule(corsOf(metadataOf(row)), origin, at.rq.http.method)
  if (!rule) return answer
  const any = rule.origins.includes('*')
  return { ...answer, headers: { ...answer.headers, 'access-control-allow-origin': any ? '*' : origin, 'access-control-allow-methods': rule.methods.join(', '), ...(rule.expose.length > 0 ? { 'access-control-expose-headers': rule.expose.join(', ') } : {}), ...(any ? {} : { vary: 'Origin' }) } }
}

/** A preflight carries no signature, so the bucket is looked for in the account that the signed link behind it will name; one name, one answer only. */
async function preflight(house: Swift, rq: Rq, name: string | undefined): Promise<Answer> {
  const { origin, 'access-control-request-method': method, 'access-control-request-headers': headers } = rq.http.headers
  if (origin === undefined || method === undefined || name === undefined) throw s3Fault('InvalidRequest', 'Insufficient information. Origin request header needed.')
  const rows = await corsContainersNamed(house.db, name)
  const rule = rows.map((row) => corsRule(corsOf(metadataOf(row)), origin, method, headers?.split(',').map((each) => each.trim()).filter((each) => each !== '') ?? [])).find((each) => each !== undefined)
  if (!rule) throw s3Fault('AccessDenied', 'CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource\'s CORS spec.')
  const any = rule.origins.includes('*')
  return {
    status: 200,
    headers: { 'access-control-allow-origin': any ? '*' : origin, 'access-control-allow-methods': rule.methods.join(', '), ...(headers === undefined ? {} : { 'access-control-allow-headers': headers }), ...(rule.max_age === undefined ? {} : { 'access-control-max-age': String(rule.max_age) }), ...(rule.expose.length > 0 ? { 'access-control-expose-headers': rule.expose.join(', ') } : {}), vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method' },
  }
}
