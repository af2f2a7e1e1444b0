/** Who may do what with a bucket and its objects: the owner's project, those whom the bucket's policy, its lists, or Swift's lists let in. */
import { isFault } from '#base/fault.ts'
import { type Acl, ALL_USERS, AUTHENTICATED, grants, type Permission } from '../../core/s3/acl.ts'
import type { Tags } from '../../core/s3/documents.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import type { Facts } from '../../core/s3/policy-conditions.ts'
import { isPublicPolicy, parsePolicy, type Policy, verdictOf } from '../../core/s3/policy.ts'
import { type Block, NO_BLOCK, type Ownership } from '../../core/s3/public-access.ts'
import { objectOf, versionOf } from '../../store/objects.ts'
import { versionStamp } from '../../house.ts'
import type { ObjectRow } from '../../store/tables.ts'
import { metadataOf, type Right } from '../ask.ts'
import { authorize } from '../rights.ts'
import { askOf, bucketRow, type S3Request } from './request.ts'

export const ACL = 'x-container-sysmeta-s3-acl'
export const OBJECT_ACL = 'x-object-sysmeta-s3-acl'
export const POLICY = 'x-container-sysmeta-s3-policy'
export const BLOCK = 'x-container-sysmeta-s3-public'
export const OWNERSHIP = 'x-container-sysmeta-s3-ownership'
export const TAGS = 'x-object-sysmeta-s3-tags'

export interface Wish {
  /** As policies name it: `s3:GetObject`. */
  action: string
  /** What it is in Swift's words. */
  right: Right
  /** Which list may grant it; absent: none, it is the owner's. */
  list?: { of: 'bucket' | 'object'; permission: Exclude<Permission, 'FULL_CONTROL'> }
  /** Further facts for conditions. */
  facts?: Facts
}

type Metadata = Readonly<Record<string, string>>

export const blockOf = (metadata: Metadata): Block => (metadata[BLOCK] === undefined ? NO_BLOCK : (JSON.parse(metadata[BLOCK]) as Block))
export const ownershipOf = (metadata: Metadata): Ownership => (metadata[OWNERSHIP] as Ownership | undefined) ?? 'ObjectWriter'
export const aclOf = (metadata: Metadata, owner: string): Acl => (metadata[ACL] === undefined ? { owner, grants: [{ grantee: owner, permission: 'FULL_CONTROL' }] } : (JSON.parse(metadata[ACL]) as Acl))
export const objectAclOf = (metadata: Metadata, owner: string): Acl => (metadata[OBJECT_ACL] === undefined ? { owner, grants: [{ grantee: owner, permission: 'FULL_CONTROL' }] } : (JSON.parse(metadata[OBJECT_ACL]) as Acl))
export const isPublicAcl = (acl: Acl): boolean => acl.grants.some(({ grantee }) => grantee === ALL_USERS || grantee === AUTHENTICATED)

/** Policies by their text: parsed once. */
const parsed = new Map<string, Policy>()
export function policyOf(metadata: Metadata, bucket: string): Policy | undefined {
  const text = metadata[POLICY]
  if (text === undefined) return undefined
  const key = `${bucket}\0${text}`
  let policy = parsed.get(key)
  if (!policy) {
    policy = parsePolicy(text, bucket)
    if (parsed.size > 500) parsed.clear()
    parsed.set(key, policy)
  }
  return policy
}

/** The request, allowed; or AccessDenied. NoSuchBucket comes before both. */
export async function permitted(at: S3Request, wish: Wish): Promise<S3Request> {
  const row = bucketRow(at)
  const metadata = metadataOf(row)
  const policy = policyOf(metadata, at.bucket)
  const owner = await isOwners(at, metadata, wish)
  const reading = { current: undefined as Promise<ObjectRow | undefined> | undefined }
  const object = (): Promise<ObjectRow | undefined> => (reading.current ??= rowOf(at, row.id))
  const verdict = policy && verdictOf(policy, { action: wish.action, bucket: at.bucket, key: at.key, project: at.who.project_id, delegated: actsFor(at, wish.right === 'read' || /^s3:(Get|List)/.test(wish.action)), users: usersOf(at), facts: { ...factsOf(at), ...(needsTags(policy) ? tagFacts(await object()) : {}), ...wish.facts } })
  if (verdict === 'Deny' && !(owner && /BucketPolicy$/.test(wish.action))) throw s3Fault('AccessDenied')
  if (owner) return at
  const block = blockOf(metadata)
  if (verdict === 'Allow' && !(block.RestrictPublicBuckets && isPublicPolicy(policy!))) return granted(at)
  if (wish.list) {
    const { of, permission } = wish.list
    if (of === 'bucket') {
      if (listed(at, aclOf(metadata, at.owner), permission, block)) return granted(at)
    } else {
      const found = await object()
      if (found && ownershipOf(metadata) !== 'BucketOwnerEnforced' && listed(at, objectAclOf(metadataOf(found), at.owner), permission, block)) return granted(at)
      // That there is nothing may know who may list.
      if (!found && (listed(at, aclOf(metadata, at.owner), 'READ', block) || (policy && verdictOf(policy, { action: 's3:ListBucket', bucket: at.bucket, key: '', project: at.who.project_id, delegated: actsFor(at, true), users: usersOf(at), facts: { ...factsOf(at), 's3:prefix': at.key } }) === 'Allow'))) return granted(at)
    }
  }
  throw s3Fault('AccessDenied')
}

function listed(at: S3Request, acl: Acl, permission: Exclude<Permission, 'FULL_CONTROL'>, block: Block): boolean {
  const counting = block.IgnorePublicAcls ? { ...acl, grants: acl.grants.filter(({ grantee }) => grantee !== ALL_USERS && grantee !== AUTHENTICATED) } : acl
  // Of a project, those count who may act for it; the others are users like any.
  const project = at.who.user_id === undefined ? undefined : actsFor(at, permission === 'READ' || permission === 'READ_ACP') ? at.who.project_id : ''
  return grants(counting, project, permission)
}

function actsFor({ house: { config }, who }: S3Request, reading: boolean): boolean {
  return who.project_id !== undefined && who.roles.some((role) => config.operator_roles.includes(role) || (reading && config.reader_roles.includes(role)))
}

/** Passes Swift's own rooms for this bucket and this key, and nothing else. */
function granted(at: S3Request): S3Request {
  return { ...at, granted: (names) => names.account === at.account && names.container === at.bucket && (names.object === '' || names.object === at.key) }
}

/** By Swift's rules: operators and readers of the account, resellers, and who is named by a list of Swift's. */
async function isOwners(at: S3Request, metadata: Metadata, { right }: Wish): Promise<boolean> {
  const acl = right === 'own' ? '' : metadata[right === 'read' ? 'x-container-read' : 'x-container-write']
  if (acl === undefined && at.who.user_id === undefined) return false
  try {
    await authorize(at.house, askOf({ ...at, granted: undefined }, right === 'read' ? 'GET' : 'PUT'), { account: at.account, container: at.bucket, object: at.key }, right, acl)
    return true
  } catch (thrown) {
    if (isFault(thrown, 'forbidden') || isFault(thrown, 'unauthenticated')) return false
    throw thrown
  }
}

async function rowOf(at: S3Request, containerId: string): Promise<ObjectRow | undefined> {
  const version = at.query.get('versionId')
  const current = await objectOf(at.house.db, containerId, at.key)
  if (version === null) return current
  const stamp = versionStamp(version)
  if (stamp === undefined || (current && current.version_id === stamp)) return current
  return versionOf(at.house.db, containerId, at.key, stamp)
}

const usersOf = ({ who }: S3Request): string[] => [who.user_id, who.byName ? who.user_name : undefined].filter((name) => name !== undefined)

const needsTags = ({ statements }: Policy): boolean => statements.some(({ conditions }) => conditions.some(({ key }) => key.startsWith('s3:existingobjecttag/')))
const tagFacts = (row: ObjectRow | undefined): Facts => Object.fromEntries(Object.entries(JSON.parse(metadataOf(row)[TAGS] ?? '{}') as Tags).map(([key, value]) => [`s3:existingobjecttag/${key}`, value]))

function factsOf({ house, rq, who, headers, query, signed }: S3Request): Facts {
  const now = house.world.clock.now()
  const facts: Record<string, string | undefined> = {
    'aws:sourceip': rq.http.remote, 'aws:securetransport': String(rq.http.origin.startsWith('https:')), 'aws:useragent': headers['user-agent'], 'aws:referer': headers.referer, 'aws:currenttime': new Date(now).toISOString(), 'aws:epochtime': String(Math.floor(now / 1000)),
    'aws:userid': who.user_id, 'aws:username': who.user_name, 'aws:principaltype': who.user_id === undefined ? 'Anonymous' : 'User', 'aws:principalaccount': who.project_id,
    's3:prefix': query.get('prefix') ?? undefined, 's3:delimiter': query.get('delimiter') ?? undefined, 's3:max-keys': query.get('max-keys') ?? undefined, 's3:versionid': query.get('versionId') ?? undefined,
    's3:authtype': signed === undefined ? undefined : signed.until === undefined ? 'REST-HEADER' : 'REST-QUERY-STRING', 's3:signatureversion': signed === undefined ? undefined : signed.scope ? 'AWS4-HMAC-SHA256' : 'AWS', 's3:signatureage': signed?.made === undefined ? undefined : String(now - signed.made),
    's3:object-lock-mode': headers['x-amz-object-lock-mode'], 's3:object-lock-retain-until-date': headers['x-amz-object-lock-retain-until-date'], 's3:object-lock-legal-hold': headers['x-amz-object-lock-legal-hold'], 's3:if-match': headers['if-match'], 's3:if-none-match': headers['if-none-match'],
  }
  for (const [name, value] of Object.entries(headers)) if (!name.endsWith('-customer-key') && /^x-amz-(acl|grant-|copy-source$|metadata-directive|server-side-encryption|storage-class|content-sha256)/.test(name)) facts[`s3:${name}`] = value
  if (headers['x-amz-tagging'] !== undefined) {
    const tags = [...new URLSearchParams(headers['x-amz-tagging'])]
    for (const [key, value] of tags) facts[`s3:requestobjecttag/${key}`] = value
    facts['s3:requestobjecttagkeys'] = tags.map(([key]) => key).join(',')
  }
  return facts
}
