/** Access control lists of buckets and objects. They count at this door; Swift's own lists of a container count at both, and are shown among a bucket's. */
import { type Acl, aclOfHeaders, aclTree, ALL_USERS, type Grant, parseAcl } from '../../core/s3/acl.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { changeContainer } from '../../store/accounts.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { xml } from './listing.ts'
import { ACL, aclOf, blockOf, isPublicAcl, OBJECT_ACL, objectAclOf, ownershipOf } from './may.ts'
import { bucketRow, type S3Request, smallBody } from './request.ts'
import { changeRow, rowAt } from './rows.ts'

export async function getAcl(at: S3Request): Promise<Answer> {
  const metadata = metadataOf(bucketRow(at))
  const acl = aclOf(metadata, at.owner)
  return xml('AccessControlPolicy', aclTree({ ...acl, grants: [...acl.grants, ...swiftGrants(metadata)] }))
}

function swiftGrants(metadata: Readonly<Record<string, string>>): Grant[] {
  return ([['x-container-read', 'READ'], ['x-container-write', 'WRITE']] as const).flatMap(([header, permission]) =>
    (metadata[header] ?? '').split(',').flatMap((word): Grant[] => (word === '.r:*' ? [{ grantee: ALL_USERS, permission }] : /^[\w-]+:\*$/.test(word) ? [{ grantee: word.slice(0, -2), permission }] : [])),
  )
}

export async function putAcl(at: S3Request): Promise<Answer> {
  const { house } = at
  const row = bucketRow(at)
  const acl = await wantedAcl(at, at.owner)
  assertListTaken(metadataOf(row), at, acl)
  await changeContainer(house.db, row.id, house.world.clock.now(), ({ 'x-container-read': _read, 'x-container-write': _write, ...rest }) => ({ ...rest, [ACL]: JSON.stringify(acl) }))
  return { status: 200, headers: {} }
}

async function wantedAcl(at: S3Request, owner: string): Promise<Acl> {
  const body = await smallBody(at)
  const acl = aclOfHeaders(at.headers, owner, at.owner) ?? (body.length > 0 ? parseAcl(body, owner) : undefined)
  if (!acl) throw s3Fault('MissingRequestBodyError')
  await assertGrantees(at, acl)
  return acl
}

/** Refused where something is granted to a project that is not there. */
export async function assertGrantees(at: S3Request, acl: Acl | undefined): Promise<void> {
  const others = new Set(acl?.grants.map(({ grantee }) => grantee).filter((grantee) => !grantee.startsWith('http://') && ![acl.owner, at.owner, at.who.project_id].includes(grantee)))
  for (const one of others) if (!(await at.knows(one))) throw s3Fault('InvalidArgument', 'Invalid id', { ArgumentName: 'CanonicalUser/ID', ArgumentValue: one })
}

/** Throws where the bucket takes no lists, or none that let everybody in. */
function assertListTaken(bucket: Readonly<Record<string, string>>, at: S3Request, acl: Acl): void {
  const harmless = acl.grants.every(({ grantee, permission }) => permission === 'FULL_CONTROL' && (grantee === acl.owner || grantee === at.owner))
  const canned = at.headers['x-amz-acl']
  if (ownershipOf(bucket) === 'BucketOwnerEnforced' && (!harmless || (canned !== undefined && canned !== 'bucket-owner-full-control'))) throw s3Fault('AccessControlListNotSupported')
  if (blockOf(bucket).BlockPublicAcls && isPublicAcl(acl)) throw s3Fault('AccessDenied', 'Public lists are blocked for this bucket.')
}

/** Sysmeta of a new bucket. */
export function bucketAclHeaders(headers: Readonly<Record<string, string>>, owner: string): Record<string, string> {
  const acl = aclOfHeaders(headers, owner)
  return acl ? { [ACL]: JSON.stringify(acl) } : {}
}

/** Sysmeta of a new object; nothing where it is its bucket's owner's alone. What others bring is theirs, unless the bucket says otherwise. */
export function objectAclHeaders(at: S3Request, headers: Readonly<Record<string, string>>): Record<string, string> {
  const bucket = metadataOf(bucketRow(at))
  const ownership = ownershipOf(bucket)
  const uploader = at.granted === undefined ? at.owner : (at.who.project_id ?? at.owner)
  const owner = ownership === 'BucketOwnerEnforced' || (ownership === 'BucketOwnerPreferred' && headers['x-amz-acl'] === 'bucket-owner-full-control') ? at.owner : uploader
  const said = aclOfHeaders(headers, owner, at.owner)
  if (said) assertListTaken(bucket, at, said)
  const acl = said ?? aclOfHeaders({ 'x-amz-acl': 'private' }, owner)!
  const plain = acl.owner === at.owner && acl.grants.length === 1 && acl.grants[0]!.grantee === at.owner && acl.grants[0]!.permission === 'FULL_CONTROL'
  return plain ? {} : { [OBJECT_ACL]: JSON.stringify(acl) }
}

export async function getObjectAcl(at: S3Request): Promise<Answer> {
  const row = await rowAt(at)
  return xml('AccessControlPolicy', aclTree(objectAclOf(metadataOf(row), at.owner)))
}

export async function putObjectAcl(at: S3Request): Promise<Answer> {
  const row = await rowAt(at)
  const acl = await wantedAcl(at, objectAclOf(metadataOf(row), at.owner).owner)
  assertListTaken(metadataOf(bucketRow(at)), at, acl)
  await changeRow(at, row, (metadata) => ({ ...metadata, [OBJECT_ACL]: JSON.stringify(acl) }))
  return { status: 200, headers: {} }
}
