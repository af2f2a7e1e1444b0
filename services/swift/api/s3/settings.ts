/** What is kept for a bucket beside its objects: policy, public access, ownership, lifecycle, website, encryption, object lock. Each is one sysmeta of the container. */
import { type LifecycleRule, parseEncryption, parseLifecycle } from '../../core/s3/documents.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { BUCKET_LOCK, type LockConfig, lockConfigOf, parseLockConfig } from '../../core/s3/lock.ts'
import { isPublicPolicy, parsePolicy } from '../../core/s3/policy.ts'
import { type Block, parseBlock, parseOwnership } from '../../core/s3/public-access.ts'
import { parseWebsite, type Website, websiteTree } from '../../core/s3/website.ts'
import type { XmlTree } from '../../core/s3/xml.ts'
import { askLifecycle, LIFECYCLE } from '../../flows/lifecycle.ts'
import { changeContainer } from '../../store/accounts.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { policyOfClass } from './classes.ts'
import { xml } from './listing.ts'
import { ACL, aclOf, BLOCK, blockOf, isPublicAcl, OWNERSHIP, POLICY, policyOf } from './may.ts'
import { bucketRow, type S3Request, smallBody } from './request.ts'

export const WEBSITE = 'x-container-sysmeta-s3-website'
export const ENCRYPTION = 'x-container-sysmeta-s3-encryption'

export async function keep(at: S3Request, name: string, value: string | undefined): Promise<Answer> {
  const { house } = at
  await changeContainer(house.db, bucketRow(at).id, house.world.clock.now(), ({ [name]: _old, ...rest }) => (value === undefined ? rest : { ...rest, [name]: value }))
  return { status: value === undefined ? 204 : 200, headers: {} }
}

const kept = (at: S3Request, name: string): string | undefined => metadataOf(bucketRow(at))[name]

export async function getPolicy(at: S3Request): Promise<Answer> {
  const text = kept(at, POLICY)
  if (text === undefined) throw s3Fault('NoSuchBucketPolicy', undefined, { BucketName: at.bucket })
  return { status: 200, headers: { 'content-type': 'application/json' }, body: text }
}

export async function putPolicy(at: S3Request): Promise<Answer> {
  const policy = parsePolicy((await smallBody(at)).toString('utf8'), at.bucket)
  if (blockOf(metadataOf(bucketRow(at))).BlockPublicPolicy && isPublicPolicy(policy)) throw s3Fault('AccessDenied', 'Public policies are blocked for this bucket.')
  await keep(at, POLICY, policy.text)
  return { status: 204, headers: {} }
}

export const deletePolicy = (at: S3Request): Promise<Answer> => keep(at, POLICY, undefined)

export async function getPolicyStatus(at: S3Request): Promise<Answer> {
  const metadata = metadataOf(bucketRow(at))
  const policy = policyOf(metadata, at.bucket)
  const byList = metadata[ACL] !== undefined && isPublicAcl(aclOf(metadata, at.owner))
  return xml('PolicyStatus', { IsPublic: byList || (policy !== undefined && isPublicPolicy(policy)) })
}

export async function getPublicAccess(at: S3Request): Promise<Answer> {
  const text = kept(at, BLOCK)
  if (text === undefined) throw s3Fault('NoSuchPublicAccessBlockConfiguration', undefined, { BucketName: at.bucket })
  return xml('PublicAccessBlockConfiguration', { ...(JSON.parse(text) as Block) })
}
export const putPublicAccess = async (at: S3Request): Promise<Answer> => keep(at, BLOCK, JSON.stringify(parseBlock(await smallBody(at))))
export const deletePublicAccess = (at: S3Request): Promise<Answer> => keep(at, BLOCK, undefined)

export async function getOwnership(at: S3Request): Promise<Answer> {
  const text = kept(at, OWNERSHIP)
  if (text === undefined) throw s3Fault('OwnershipControlsNotFoundError', undefined, { BucketName: at.bucket })
  return xml('OwnershipControls', { Rule: { ObjectOwnership: text } })
}

export async function putOwnership(at: S3Request): Promise<Answer> {
  const wanted = parseOwnership(await smallBody(at))
  const acl = aclOf(metadataOf(bucketRow(at)), at.owner)
  if (wanted === 'BucketOwnerEnforced' && acl.grants.some(({ grantee }) => grantee !== at.owner)) throw s3Fault('InvalidBucketAclWithObjectOwnership')
  return keep(at, OWNERSHIP, wanted)
}
export const deleteOwnership = (at: S3Request): Promise<Answer> => keep(at, OWNERSHIP, undefined)

export const lifecycleOf = (metadata: Readonly<Record<string, string>>): LifecycleRule[] => (metadata[LIFECYCLE] === undefined ? [] : (JSON.parse(metadata[LIFECYCLE]) as LifecycleRule[]))

export async function getLifecycle(at: S3Request): Promise<Answer> {
  const rules = lifecycleOf(metadataOf(bucketRow(at)))
  if (rules.length === 0) throw s3Fault('NoSuchLifecycleConfiguration', undefined, { BucketName: at.bucket })
  return xml('LifecycleConfiguration', { Rule: rules.map(lifecycleTree) })
}

function lifecycleTree(rule: LifecycleRule): XmlTree {
  const tags = Object.entries(rule.tags).map(([Key, Value]) => ({ Key, Value }))
  const facts = { Prefix: rule.prefix === '' ? undefined : rule.prefix, Tag: tags, ObjectSizeGreaterThan: rule.larger_than, ObjectSizeLessThan: rule.smaller_than }
  const count = (rule.prefix === '' ? 0 : 1) + tags.length + (rule.larger_than === undefined ? 0 : 1) + (rule.smaller_than === undefined ? 0 : 1)
  const { expire, noncurrent } = rule
  return {
    ID: rule.id, ...(rule.bare_prefix ? { Prefix: rule.prefix } : { Filter: count > 1 ? { And: facts } : count === 0 ? { Prefix: '' } : facts }), Status: rule.enabled ? 'Enabled' : 'Disabled',
    Expiration: expire ? ('at' in expire ? { Date: new Date(expire.at).toISOString() } : { Days: expire.days }) : rule.expired_delete_marker === undefined ? undefined : { ExpiredObjectDeleteMarker: rule.expired_delete_marker },
    Transition: rule.transitions?.map((each) => ({ ...('at' in each ? { Date: new Date(each.at).toISOString() } : { Days: each.days }), StorageClass: each.class })),
    NoncurrentVersionTransition: rule.noncurrent_transitions?.map((each) => ({ NoncurrentDays: each.days, NewerNoncurrentVersions: each.keep, StorageClass: each.class })),
    NoncurrentVersionExpiration: noncurrent && { NoncurrentDays: noncurrent.days, NewerNoncurrentVersions: noncurrent.keep },
    AbortIncompleteMultipartUpload: rule.abort_uploads_days === undefined ? undefined : { DaysAfterInitiation: rule.abort_uploads_days },
  }
}

export async function putLifecycle(at: S3Request): Promise<Answer> {
  const rules = parseLifecycle(await smallBody(at))
  for (const name of new Set(rules.flatMap((rule) => [...(rule.transitions ?? []), ...(rule.noncurrent_transitions ?? [])].map((each) => each.class)))) {
    if ((await policyOfClass(at, name)) === undefined) throw s3Fault('InvalidArgument', "'StorageClass' is that of the bucket", { ArgumentName: 'StorageClass', ArgumentValue: name })
  }
  const answer = await keep(at, LIFECYCLE, JSON.stringify(rules))
  askLifecycle(at.house)
  return answer
}
export const deleteLifecycle = (at: S3Request): Promise<Answer> => keep(at, LIFECYCLE, undefined)

export const websiteOf = (metadata: Readonly<Record<string, string>>): Website | undefined => (metadata[WEBSITE] === undefined ? undefined : (JSON.parse(metadata[WEBSITE]) as Website))

export async function getWebsite(at: S3Request): Promise<Answer> {
  const site = websiteOf(metadataOf(bucketRow(at)))
  if (!site) throw s3Fault('NoSuchWebsiteConfiguration', undefined, { BucketName: at.bucket })
  return xml('WebsiteConfiguration', websiteTree(site))
}
export const putWebsite = async (at: S3Request): Promise<Answer> => keep(at, WEBSITE, JSON.stringify(parseWebsite(await smallBody(at))))
export const deleteWebsite = (at: S3Request): Promise<Answer> => keep(at, WEBSITE, undefined)

export async function getEncryption(at: S3Request): Promise<Answer> {
  // With encryption on everything is encrypted, asked for or not.
  if (!at.house.secret) throw s3Fault('ServerSideEncryptionConfigurationNotFoundError', undefined, { BucketName: at.bucket })
  return xml('ServerSideEncryptionConfiguration', { Rule: { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' }, BucketKeyEnabled: false } })
}

export async function putEncryption(at: S3Request): Promise<Answer> {
  assertEncryption(at, parseEncryption(await smallBody(at)))
  return keep(at, ENCRYPTION, 'AES256')
}
export const deleteEncryption = (at: S3Request): Promise<Answer> => keep(at, ENCRYPTION, undefined)

/** `algorithm` of a request for encryption at rest: taken where the operator has it on, refused in words otherwise. */
export function assertEncryption({ house }: S3Request, algorithm: string): void {
  if (algorithm === 'aws:kms' || algorithm === 'aws:kms:dsse') throw s3Fault('NotImplemented', 'Keys of a key service (aws:kms) are not there; AES256 is.')
  if (algorithm !== 'AES256') throw s3Fault('InvalidEncryptionAlgorithmError', undefined, { Algorithm: algorithm.slice(0, 40) })
  if (!house.secret) throw s3Fault('NotImplemented', 'Encryption at rest is not turned on in this cloud (swift.encryption.enabled).')
}

export async function getLockConfig(at: S3Request): Promise<Answer> {
  const config = lockConfigOf(metadataOf(bucketRow(at)))
  if (!config) throw s3Fault('ObjectLockConfigurationNotFoundError', undefined, { BucketName: at.bucket })
  const { retention } = config
  return xml('ObjectLockConfiguration', { ObjectLockEnabled: 'Enabled', Rule: retention && { DefaultRetention: { Mode: retention.mode, Days: retention.days, Years: retention.years } } })
}

export async function putLockConfig(at: S3Request): Promise<Answer> {
  const config: LockConfig = parseLockConfig(await smallBody(at))
  if (metadataOf(bucketRow(at))['x-versions-enabled'] !== 'True') throw s3Fault('InvalidBucketState', 'Versioning must be \'Enabled\' on the bucket to apply an Object Lock configuration')
  return keep(at, BUCKET_LOCK, JSON.stringify(config))
}
