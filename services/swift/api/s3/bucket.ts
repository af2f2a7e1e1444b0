/** Buckets: containers of the account of the caller's project, whose names are one name space for the whole cloud, and what S3 keeps beside them. */
import { aclOfHeaders } from '../../core/s3/acl.ts'
import { parseCors, parseCreateBucket, parseTagging, parseVersioning, type CorsRule, type Tags } from '../../core/s3/documents.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { BUCKET_LOCK, lockConfigOf } from '../../core/s3/lock.ts'
import { ownershipOf } from '../../core/s3/public-access.ts'
import { assertBucketName } from '../../core/s3/target.ts'
import { containersIn, containerOf, removeContainer } from '../../store/accounts.ts'
import { bucketNamed, claimBucket } from '../../store/buckets.ts'
import { endUpload, uploadsIn } from '../../store/uploads.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { authorize } from '../rights.ts'
import { assertGrantees, bucketAclHeaders } from './acl.ts'
import { isoMillis, xml } from './listing.ts'
import { ACL, aclOf, OWNERSHIP } from './may.ts'
import { accountOfProject, ask, askOf, assertGood, bucketRow, type S3Request, smallBody } from './request.ts'
import { keep } from './settings.ts'

const CORS = 'x-container-sysmeta-s3-cors'
const TAGS = 'x-container-sysmeta-s3-tags'

export async function listBuckets(at: S3Request): Promise<Answer> {
  const { house, account, query, who: { project_id } } = at
  if (project_id === undefined) throw s3Fault('AccessDenied')
  await authorize(house, askOf(at, 'GET', { bucket: '', key: '' }), { account, container: '', object: '' }, 'read')
  const [prefix, token, most] = [query.get('prefix') ?? '', query.get('continuation-token'), query.get('max-buckets')]
  if (most !== null && (!/^\d{1,5}$/.test(most) || Number(most) < 1 || Number(most) > 10_000)) throw s3Fault('InvalidArgument', 'max-buckets must be between 1 and 10000', { ArgumentName: 'max-buckets' })
  const limit = Number(most ?? 10_000)
  const low = token === null ? (prefix === '' ? undefined : { name: prefix, also: true }) : { name: Buffer.from(token, 'base64url').toString('utf8'), also: false }
  const rows = (await containersIn(house.db, account, { limit: limit + 1, reverse: false, ...(low ? { low } : {}) })).filter((row) => row.name.startsWith(prefix))
  const shown = rows.slice(0, limit)
  return xml('ListAllMyBucketsResult', {
    Owner: { ID: project_id, DisplayName: project_id }, Buckets: { Bucket: shown.map((row) => ({ Name: row.name, CreationDate: isoMillis(row.created_at) })) },
    ContinuationToken: rows.length > limit ? Buffer.from(shown.at(-1)!.name).toString('base64url') : undefined, Prefix: query.has('prefix') ? prefix : undefined,
  })
}

export async function createBucket(found: S3Request, region: string): Promise<Answer> {
  assertBucketName(found.bucket)
  const { house, who: { project_id }, headers } = found
  if (project_id === undefined) throw s3Fault('AccessDenied')
  // Always one of the caller's own, whoever has the name.
  const account = accountOfProject(house, project_id)
  const at = { ...found, account, owner: project_id }
  const wanted = parseCreateBucket(await smallBody(at))
  // `aws` without a region calls it aws-global.
  if (wanted !== undefined && ![region, 'us-east-1', 'US', 'aws-global'].includes(wanted)) throw s3Fault('IllegalLocationConstraintException', `The ${wanted.slice(0, 64)} location constraint is incompatible for the region specific endpoint this request was sent to.`)
  const locks = headers['x-amz-bucket-object-lock-enabled']?.toLowerCase() === 'true'
  const ownership = headers['x-amz-object-ownership']
  const given = {
    ...bucketAclHeaders(headers, project_id), ...(ownership === undefined ? {} : { [OWNERSHIP]: ownershipOf(ownership) }),
    ...(locks ? { 'x-versions-enabled': 'true', [BUCKET_LOCK]: '{}' } : {}),
  }
  if (ownership === 'BucketOwnerEnforced' && headers['x-amz-acl'] !== undefined && headers['x-amz-acl'] !== 'private') throw s3Fault('InvalidBucketAclWithObjectOwnership')
  await authorize(house, askOf(at, 'PUT', { key: '' }), { account, container: at.bucket, object: '' }, 'own')
  await assertGrantees(at, aclOfHeaders(headers, project_id))
  const name = await bucketNamed(house.db, at.bucket)
  const standing = await containerOf(house.db, account, at.bucket)
  if (standing && name?.container_id === standing.id) {
    // As Amazon's first region, which takes it for done; not where it would say something else of who may.
    if (region !== 'us-east-1') throw s3Fault('BucketAlreadyOwnedByYou', undefined, { BucketName: at.bucket })
    const wish = (given as Record<string, string>)[ACL]
    if (JSON.stringify(aclOf(metadataOf(standing), project_id)) !== (wish ?? JSON.stringify(aclOf({}, project_id)))) throw s3Fault('BucketAlreadyExists', undefined, { BucketName: at.bucket })
    return { status: 200, headers: { location: `/${at.bucket}` } }
  }
  if (name) throw s3Fault(standing ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists', undefined, { BucketName: at.bucket })
  const made = assertGood(at, await ask(at, 'PUT', { key: '', headers: given }), 'bucket')
  const row = await containerOf(house.db, account, at.bucket)
  if (!row) throw s3Fault('OperationAborted')
  if (!(await claimBucket(house.db, { name: at.bucket, container_id: row.id, claimed_at: house.world.clock.now() }))) {
    // Somebody else was faster. A container that stood here before stays what it was, without the name.
    if (made.status === 201) await removeContainer(house.db, row.id).catch(() => undefined)
    throw s3Fault('BucketAlreadyExists', undefined, { BucketName: at.bucket })
  }
  return { status: 200, headers: { location: `/${at.bucket}` } }
}

export async function headBucket(at: S3Request, region: string): Promise<Answer> {
  bucketRow(at)
  return { status: 200, headers: { 'x-amz-bucket-region': region } }
}

export async function deleteBucket(at: S3Request): Promise<Answer> {
  const { house } = at
  const row = bucketRow(at)
  assertGood(at, await ask(at, 'DELETE', { key: '' }), 'bucket')
  for (const { id } of await uploadsIn(house.db, row.id)) await house.commits.run((commit) => endUpload(commit, id, new Set(), house.world.clock.now()))
  return { status: 204, headers: {} }
}

export async function location(_at: S3Request, region: string): Promise<Answer> {
  return xml('LocationConstraint', region === 'us-east-1' ? {} : { '#': region })
}

export async function getVersioning(at: S3Request): Promise<Answer> {
  const enabled = metadataOf(bucketRow(at))['x-versions-enabled']
  return xml('VersioningConfiguration', enabled === undefined ? {} : { Status: enabled === 'True' ? 'Enabled' : 'Suspended' })
}

export async function putVersioning(at: S3Request): Promise<Answer> {
  const status = parseVersioning(await smallBody(at))
  if (status === 'Suspended' && lockConfigOf(metadataOf(bucketRow(at)))) throw s3Fault('InvalidBucketState', 'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.')
  assertGood(at, await ask(at, 'POST', { key: '', headers: { 'x-versions-enabled': String(status === 'Enabled') } }), 'bucket')
  return { status: 200, headers: {} }
}

// --- what S3 alone knows of a bucket

export async function getCors(at: S3Request): Promise<Answer> {
  const rules = corsOf(metadataOf(bucketRow(at)))
  if (rules.length === 0) throw s3Fault('NoSuchCORSConfiguration', undefined, { BucketName: at.bucket })
  return xml('CORSConfiguration', {
    CORSRule: rules.map((rule) => ({ ID: rule.id, AllowedOrigin: rule.origins, AllowedMethod: rule.methods, AllowedHeader: rule.headers, ExposeHeader: rule.expose, MaxAgeSeconds: rule.max_age })),
  })
}

export const corsOf = (metadata: Readonly<Record<string, string>>): CorsRule[] => JSON.parse(metadata[CORS] ?? '[]') as CorsRule[]
export const putCors = async (at: S3Request): Promise<Answer> => keep(at, CORS, JSON.stringify(parseCors(await smallBody(at))))
export const deleteCors = (at: S3Request): Promise<Answer> => keep(at, CORS, undefined)

export const taggingTree = (tags: Tags) => ({ TagSet: { Tag: Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)).map(([Key, Value]) => ({ Key, Value })) } })

export async function getTagging(at: S3Request): Promise<Answer> {
  const tags = metadataOf(bucketRow(at))[TAGS]
  if (tags === undefined) throw s3Fault('NoSuchTagSet', undefined, { BucketName: at.bucket })
  return xml('Tagging', taggingTree(JSON.parse(tags) as Tags))
}

/** 200, which every client takes; Amazon's own 204 is an error to some. */
export const putTagging = async (at: S3Request): Promise<Answer> => keep(at, TAGS, JSON.stringify(parseTagging(await smallBody(at), 50)))
export const deleteTagging = (at: S3Request): Promise<Answer> => keep(at, TAGS, undefined)
