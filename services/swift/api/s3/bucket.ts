/** Buckets: containers of the account of the caller's project, and what S3 keeps beside them. */
import { ALL_USERS, type Acl, aclOfHeaders, aclTree, cannedAcl, grants, parseAcl } from '../../core/s3/acl.ts'
import { parseCors, parseCreateBucket, parseTagging, parseVersioning, type CorsRule, type Tags } from '../../core/s3/documents.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { assertBucketName } from '../../core/s3/target.ts'
import { changeContainer, containersIn, containerOf } from '../../store/accounts.ts'
import { endUpload, uploadsIn } from '../../store/uploads.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { authorize } from '../rights.ts'
import { isoMillis, xml } from './listing.ts'
import { ask, askOf, assertGood, bucketRow, type S3Request, smallBody } from './request.ts'

const CORS = 'x-container-sysmeta-s3-cors'
const TAGS = 'x-container-sysmeta-s3-tags'

export async function listBuckets(at: S3Request): Promise<Answer> {
  const { house, account } = at
  await authorize(house, askOf(at, 'GET', { bucket: '', key: '' }), { account, container: '', object: '' }, 'read')
  const rows = await containersIn(house.db, account, { limit: 10_000, reverse: false })
  const { project_id } = at.holder.who
  return xml('ListAllMyBucketsResult', { Owner: { ID: project_id, DisplayName: project_id }, Buckets: { Bucket: rows.map((row) => ({ Name: row.name, CreationDate: isoMillis(row.created_at) })) } })
}

export async function createBucket(at: S3Request, region: string): Promise<Answer> {
  assertBucketName(at.bucket)
  const wanted = parseCreateBucket(await smallBody(at))
  if (wanted !== undefined && wanted !== region && wanted !== 'us-east-1') throw s3Fault('IllegalLocationConstraintException', `The ${wanted.slice(0, 64)} location constraint is incompatible for the region specific endpoint this request was sent to.`)
  if (at.headers['x-amz-bucket-object-lock-enabled'] === 'true') throw s3Fault('NotImplemented', 'Object lock is not there.')
  const owner = at.holder.who.project_id
  const acl = aclOfHeaders(at.headers, owner)
  if (await containerOf(at.house.db, at.account, at.bucket)) throw s3Fault('BucketAlreadyOwnedByYou', undefined, { BucketName: at.bucket })
  assertGood(at, await ask(at, 'PUT', { key: '', headers: acl ? swiftAcl(acl, owner) : {} }), 'bucket')
  return { status: 200, headers: { location: `/${at.bucket}` } }
}

export async function headBucket(at: S3Request, region: string): Promise<Answer> {
  assertGood(at, await ask(at, 'HEAD', { key: '' }), 'bucket')
  return { status: 200, headers: { 'x-amz-bucket-region': region } }
}

export async function deleteBucket(at: S3Request): Promise<Answer> {
  const { house } = at
  const row = await bucketRow(at)
  assertGood(at, await ask(at, 'DELETE', { key: '' }), 'bucket')
  for (const { id } of await uploadsIn(house.db, row.id)) await house.commits.run((commit) => endUpload(commit, id, new Set(), house.world.clock.now()))
  return { status: 204, headers: {} }
}

export async function location(at: S3Request, region: string): Promise<Answer> {
  await owned(at)
  return xml('LocationConstraint', region === 'us-east-1' ? {} : { '#': region })
}

export async function getVersioning(at: S3Request): Promise<Answer> {
  const enabled = (await owned(at))['x-versions-enabled']
  return xml('VersioningConfiguration', enabled === undefined ? {} : { Status: enabled === 'True' ? 'Enabled' : 'Suspended' })
}

export async function putVersioning(at: S3Request): Promise<Answer> {
  await owned(at)
  const status = parseVersioning(await smallBody(at))
  assertGood(at, await ask(at, 'POST', { key: '', headers: { 'x-versions-enabled': String(status === 'Enabled') } }), 'bucket')
  return { status: 200, headers: {} }
}

export async function getAcl(at: S3Request): Promise<Answer> {
  const metadata = await owned(at)
  const owner = at.holder.who.project_id
  const grant = (header: string, permission: 'READ' | 'WRITE') => (/(^|,)\.r:\*/.test(metadata[header] ?? '') ? [{ grantee: ALL_USERS, permission } as const] : [])
  const projects = (header: string, permission: 'READ' | 'WRITE') => (metadata[header] ?? '').split(',').flatMap((word) => (/^[\w-]+:\*$/.test(word) ? [{ grantee: word.slice(0, -2), permission } as const] : []))
  return xml('AccessControlPolicy', aclTree({ owner, grants: [...cannedAcl('private', owner).grants, ...grant('x-container-read', 'READ'), ...grant('x-container-write', 'WRITE'), ...projects('x-container-read', 'READ'), ...projects('x-container-write', 'WRITE')] }))
}

export async function putAcl(at: S3Request): Promise<Answer> {
  await owned(at)
  const owner = at.holder.who.project_id
  const body = await smallBody(at)
  const acl = aclOfHeaders(at.headers, owner) ?? (body.length > 0 ? parseAcl(body, owner) : undefined)
  if (!acl) throw s3Fault('MissingRequestBodyError')
  assertGood(at, await ask(at, 'POST', { key: '', headers: { 'x-container-read': '', 'x-container-write': '', ...swiftAcl(acl, owner) } }), 'bucket')
  return { status: 200, headers: {} }
}

/** Buckets and containers are one thing, so their lists are Swift's: who may read, who may write. The right to read or change the list itself stays the owner's. */
function swiftAcl(acl: Acl, owner: string): Record<string, string> {
  const words = (permission: 'READ' | 'WRITE'): string[] =>
    acl.grants.flatMap((grant) => {
      if (grant.grantee === owner || !grants({ owner, grants: [grant] }, grant.grantee, permission)) return []
      if (grant.grantee === ALL_USERS) return permission === 'READ' ? ['.r:*', '.rlistings'] : notHere('Writing by everybody')
      if (grant.grantee.startsWith('http:')) return [`*:*`]
      return [`${grant.grantee}:*`]
    })
  if (acl.grants.some(({ grantee, permission }) => grantee !== owner && (permission === 'READ_ACP' || permission === 'WRITE_ACP'))) notHere("The right to another's access control list")
  return { 'x-container-read': words('READ').join(','), 'x-container-write': words('WRITE').join(',') }
}

function notHere(what: string): never {
  throw s3Fault('NotImplemented', `${what} is not there: containers of Swift, which buckets are, do not know it.`)
}

// --- what S3 alone knows of a bucket

export async function getCors(at: S3Request): Promise<Answer> {
  const rules = corsOf(await owned(at))
  if (rules.length === 0) throw s3Fault('NoSuchCORSConfiguration', undefined, { BucketName: at.bucket })
  return xml('CORSConfiguration', {
    CORSRule: rules.map((rule) => ({ ID: rule.id, AllowedOrigin: rule.origins, AllowedMethod: rule.methods, AllowedHeader: rule.headers, ExposeHeader: rule.expose, MaxAgeSeconds: rule.max_age })),
  })
}

export const corsOf = (metadata: Readonly<Record<string, string>>): CorsRule[] => JSON.parse(metadata[CORS] ?? '[]') as CorsRule[]

export async function putCors(at: S3Request): Promise<Answer> {
  await keep(at, CORS, JSON.stringify(parseCors(await smallBody(at))))
  return { status: 200, headers: {} }
}

export async function deleteCors(at: S3Request): Promise<Answer> {
  await keep(at, CORS, undefined)
  return { status: 204, headers: {} }
}

export const taggingTree = (tags: Tags) => ({ TagSet: { Tag: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) } })

export async function getTagging(at: S3Request): Promise<Answer> {
  const tags = (await owned(at))[TAGS]
  if (tags === undefined) throw s3Fault('NoSuchTagSet', undefined, { BucketName: at.bucket })
  return xml('Tagging', taggingTree(JSON.parse(tags) as Tags))
}

export async function putTagging(at: S3Request): Promise<Answer> {
  await keep(at, TAGS, JSON.stringify(parseTagging(await smallBody(at), 50)))
  return { status: 204, headers: {} }
}

export async function deleteTagging(at: S3Request): Promise<Answer> {
  await keep(at, TAGS, undefined)
  return { status: 204, headers: {} }
}

/** The bucket's metadata, for its owner. */
async function owned(at: S3Request): Promise<Record<string, string>> {
  const row = await bucketRow(at)
  await authorize(at.house, askOf(at, 'GET', { key: '' }), { account: at.account, container: at.bucket, object: '' }, 'own')
  return metadataOf(row)
}

async function keep(at: S3Request, name: string, value: string | undefined): Promise<void> {
  await owned(at)
  const row = await bucketRow(at)
  await changeContainer(at.house.db, row.id, at.house.world.clock.now(), ({ [name]: _old, ...rest }) => (value === undefined ? rest : { ...rest, [name]: value }))
}
