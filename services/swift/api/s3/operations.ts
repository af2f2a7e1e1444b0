/** Every operation of S3 by method and sub-resource: what a policy calls it, who may, and where it is done. */
import { s3Fault } from '../../core/s3/errors.ts'
import { subResource, type SubResource } from '../../core/s3/target.ts'
import type { Answer } from '../ask.ts'
import { getAcl, getObjectAcl, putAcl, putObjectAcl } from './acl.ts'
import { deleteBucket, deleteCors, deleteTagging, getCors, getTagging, getVersioning, headBucket, location, putCors, putTagging, putVersioning } from './bucket.ts'
import { copyObject } from './copy.ts'
import { changeTagging, getAttributes, getLegalHold, getRetention, objectTagging, putLegalHold, putRetention } from './details.ts'
import { listObjects, listVersions, xml } from './listing.ts'
import type { Wish } from './may.ts'
import { abortUpload, beginUpload, completeMultipart, listParts, listUploads, uploadPart } from './multipart.ts'
import { getObject, putObject } from './object.ts'
import { deleteMany, deleteObject, deleteWish } from './remove.ts'
import { absent, type S3Request } from './request.ts'
import { deleteEncryption, deleteLifecycle, deleteOwnership, deletePolicy, deletePublicAccess, deleteWebsite, getEncryption, getLifecycle, getLockConfig, getOwnership, getPolicy, getPolicyStatus, getPublicAccess, getWebsite, putEncryption, putLifecycle, putLockConfig, putOwnership, putPolicy, putPublicAccess, putWebsite } from './settings.ts'

export interface Operation {
  /** Undefined: judged where it is done. */
  wish: Wish | ((at: S3Request) => Wish) | undefined
  handle(at: S3Request, region: string): Promise<Answer> | Answer
}

type Table = Readonly<Record<string, Operation>>

const own = (action: string, handle: Operation['handle']): Operation => ({ wish: { action: `s3:${action}`, right: 'own' }, handle })
const listing = (action: string, handle: Operation['handle']): Operation => ({ wish: { action: `s3:${action}`, right: action === 'ListBucket' ? 'read' : 'own', list: { of: 'bucket', permission: 'READ' } }, handle })
const lists = (of: 'bucket' | 'object', permission: 'READ_ACP' | 'WRITE_ACP', action: string, handle: Operation['handle']): Operation => ({ wish: { action: `s3:${action}`, right: 'own', list: { of, permission } }, handle })
const writing = (action: string, handle: Operation['handle']): Operation => ({ wish: { action: `s3:${action}`, right: 'write', list: { of: 'bucket', permission: 'WRITE' } }, handle })
const version = (at: S3Request, action: string): string => (at.query.has('versionId') ? action.replace('Object', 'ObjectVersion') : action)
const detail = (action: string, handle: Operation['handle']): Operation => ({ wish: (at) => ({ action: `s3:${version(at, action)}`, right: 'own' }), handle })
const reading = (handle: Operation['handle']): Operation => ({ wish: (at) => ({ action: `s3:${version(at, 'GetObject')}`, right: at.query.has('versionId') ? 'own' : 'read', list: { of: 'object', permission: 'READ' } }), handle })
const none = (code: Parameters<typeof s3Fault>[0], action: string): Operation => own(action, (at) => {
  throw s3Fault(code, undefined, { BucketName: at.bucket })
})
const fixed = (action: string, root: string, tree: Parameters<typeof xml>[1] = {}): Operation => own(action, () => xml(root, tree))

const BUCKET: Table = {
  'GET ': listing('ListBucket', listObjects),
  'HEAD ': listing('ListBucket', headBucket),
  'DELETE ': own('DeleteBucket', deleteBucket),
  'GET versions': listing('ListBucketVersions', listVersions),
  'GET uploads': listing('ListBucketMultipartUploads', listUploads),
  'GET location': own('GetBucketLocation', location),
  'GET versioning': own('GetBucketVersioning', getVersioning),
  'PUT versioning': own('PutBucketVersioning', putVersioning),
  'GET acl': lists('bucket', 'READ_ACP', 'GetBucketAcl', getAcl),
  'PUT acl': lists('bucket', 'WRITE_ACP', 'PutBucketAcl', putAcl),
  'GET cors': own('GetBucketCORS', getCors),
  'PUT cors': own('PutBucketCORS', putCors),
  'DELETE cors': own('PutBucketCORS', deleteCors),
  'GET tagging': own('GetBucketTagging', getTagging),
  'PUT tagging': own('PutBucketTagging', putTagging),
  'DELETE tagging': own('PutBucketTagging', deleteTagging),
  'GET policy': own('GetBucketPolicy', getPolicy),
  'PUT policy': own('PutBucketPolicy', putPolicy),
  'DELETE policy': own('DeleteBucketPolicy', deletePolicy),
  'GET policyStatus': own('GetBucketPolicyStatus', getPolicyStatus),
  'GET publicAccessBlock': own('GetBucketPublicAccessBlock', getPublicAccess),
  'PUT publicAccessBlock': own('PutBucketPublicAccessBlock', putPublicAccess),
  'DELETE publicAccessBlock': own('PutBucketPublicAccessBlock', deletePublicAccess),
  'GET ownershipControls': own('GetBucketOwnershipControls', getOwnership),
  'PUT ownershipControls': own('PutBucketOwnershipControls', putOwnership),
  'DELETE ownershipControls': own('PutBucketOwnershipControls', deleteOwnership),
  'GET lifecycle': own('GetLifecycleConfiguration', getLifecycle),
  'PUT lifecycle': own('PutLifecycleConfiguration', putLifecycle),
  'DELETE lifecycle': own('PutLifecycleConfiguration', deleteLifecycle),
  'GET website': own('GetBucketWebsite', getWebsite),
  'PUT website': own('PutBucketWebsite', putWebsite),
  'DELETE website': own('DeleteBucketWebsite', deleteWebsite),
  'GET encryption': own('GetEncryptionConfiguration', getEncryption),
  'PUT encryption': own('PutEncryptionConfiguration', putEncryption),
  'DELETE encryption': own('PutEncryptionConfiguration', deleteEncryption),
  'GET object-lock': own('GetBucketObjectLockConfiguration', getLockConfig),
  'PUT object-lock': own('PutBucketObjectLockConfiguration', putLockConfig),
  // Each key is judged by itself.
  'POST delete': { wish: undefined, handle: deleteMany },
  // Clients that mirror buckets ask for these; that there are none is the truth.
  'GET replication': none('ReplicationConfigurationNotFoundError', 'GetReplicationConfiguration'),
  'GET logging': fixed('GetBucketLogging', 'BucketLoggingStatus'),
  'GET notification': fixed('GetBucketNotification', 'NotificationConfiguration'),
  'GET accelerate': fixed('GetAccelerateConfiguration', 'AccelerateConfiguration'),
  'GET requestPayment': fixed('GetBucketRequestPayment', 'RequestPaymentConfiguration', { Payer: 'BucketOwner' }),
}

const OBJECT: Table = {
  'GET ': reading(getObject),
  'HEAD ': reading(getObject),
  'PUT ': writing('PutObject', (at) => (at.headers['x-amz-copy-source'] === undefined ? putObject(at) : copyObject(at))),
  'DELETE ': { wish: deleteWish, handle: deleteObject },
  'GET attributes': reading(getAttributes),
  'GET acl': { wish: (at) => ({ action: `s3:${version(at, 'GetObjectAcl')}`, right: 'own', list: { of: 'object', permission: 'READ_ACP' } }), handle: getObjectAcl },
  'PUT acl': { wish: (at) => ({ action: `s3:${version(at, 'PutObjectAcl')}`, right: 'own', list: { of: 'object', permission: 'WRITE_ACP' } }), handle: putObjectAcl },
  'GET tagging': detail('GetObjectTagging', objectTagging),
  'PUT tagging': detail('PutObjectTagging', (at) => changeTagging(at, true)),
  'DELETE tagging': detail('DeleteObjectTagging', (at) => changeTagging(at, false)),
  'GET retention': own('GetObjectRetention', getRetention),
  'PUT retention': own('PutObjectRetention', putRetention),
  'GET legal-hold': own('GetObjectLegalHold', getLegalHold),
  'PUT legal-hold': own('PutObjectLegalHold', putLegalHold),
  'POST uploads': writing('PutObject', beginUpload),
  'PUT uploadId': writing('PutObject', uploadPart),
  'POST uploadId': writing('PutObject', completeMultipart),
  'DELETE uploadId': writing('AbortMultipartUpload', abortUpload),
  'GET uploadId': writing('ListMultipartUploadParts', listParts),
}

/** `METHOD sub-resource` of every operation, on a bucket and on an object. */
export const OPERATIONS = { bucket: Object.keys(BUCKET), object: Object.keys(OBJECT) }

/** The operation that a request means; 501 for a sub-resource that is not there, 405 for a method. */
export function operationOf(at: S3Request): Operation {
  const { method } = at.rq.http
  const on = at.key === '' ? 'bucket' : 'object'
  const table = on === 'bucket' ? BUCKET : OBJECT
  const what: SubResource | undefined = subResource(at.query)
  const found = table[`${method} ${what ?? ''}`]
  if (found) return found
  if (what !== undefined && !Object.keys(table).some((name) => name.endsWith(` ${what}`))) throw absent(`?${what} of ${on === 'bucket' ? 'a bucket' : 'an object'}`)
  if (what !== undefined && method !== 'POST' && table[`GET ${what}`] !== undefined) throw absent(`Changing ?${what} of ${on === 'bucket' ? 'a bucket' : 'an object'}`)
  throw s3Fault('MethodNotAllowed')
}
