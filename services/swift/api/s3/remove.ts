/** Deletion of objects and versions, one or many. */
import { asFault } from '#base/fault.ts'
import { parseDelete } from '../../core/s3/documents.ts'
import { s3Error, s3Fault } from '../../core/s3/errors.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { xml } from './listing.ts'
import { permitted, type Wish } from './may.ts'
import { absent, ask, assertGood, bucketRow, type S3Request, smallBody, versionQuery } from './request.ts'

/** Old versions are the owner's, or whom the policy lets. */
export const deleteWish = (at: S3Request): Wish => (at.query.has('versionId') ? { action: 's3:DeleteObjectVersion', right: 'own' } : { action: 's3:DeleteObject', right: 'write', list: { of: 'bucket', permission: 'WRITE' } })

export async function deleteObject(at: S3Request): Promise<Answer> {
  const { headers } = at
  for (const name of ['x-amz-if-match-last-modified-time', 'x-amz-if-match-size']) if (headers[name] !== undefined) throw absent(`The condition ${name}`)
  const match = headers['if-match']
  const bypass = headers['x-amz-bypass-governance-retention']?.toLowerCase() === 'true' && (await mayBypass(at))
  const answer = await ask(at, 'DELETE', { query: versionQuery(at), headers: { 'x-backend-promote': 'true', ...(metadataOf(bucketRow(at))['x-versions-enabled'] === 'False' ? { 'x-backend-null-marker': 'true' } : {}), ...(match === undefined ? {} : { 'x-backend-if-match': match.replaceAll('"', '') }), ...(bypass ? { 'x-backend-bypass-governance': 'true' } : {}) } })
  if (answer.status !== 404 || match !== undefined) assertGood(at, answer, 'object')
  const version = at.query.get('versionId')
  const made = answer.headers['x-object-version-id']
  const marker = answer.headers['x-backend-marker'] === 'true' ? { 'x-amz-delete-marker': 'true' } : {}
  return { status: 204, headers: version === null ? (typeof made === 'string' ? { 'x-amz-version-id': made, 'x-amz-delete-marker': 'true' } : {}) : { 'x-amz-version-id': version, ...marker } }
}

export async function mayBypass(at: S3Request): Promise<boolean> {
  return permitted({ ...at, granted: undefined }, { action: 's3:BypassGovernanceRetention', right: 'own' }).then(() => true, () => false)
}

export async function deleteMany(at: S3Request): Promise<Answer> {
  bucketRow(at)
  if (at.headers['content-md5'] === undefined && !Object.keys(at.headers).some((name) => name.startsWith('x-amz-checksum-') || name === 'x-amz-trailer')) throw s3Fault('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*')
  const wish = parseDelete(await smallBody(at, 2 << 20, 'MalformedXML'))
  const done: { Key: string; VersionId?: string; DeleteMarker?: boolean; DeleteMarkerVersionId?: string }[] = []
  const failed: { Key: string; VersionId?: string; Code: string; Message: string }[] = []
  const { 'if-match': _match, ...plain } = at.headers
  for (const { key, version_id, etag } of wish.objects) {
    const named = { Key: key, ...(version_id === undefined ? {} : { VersionId: version_id }) }
    try {
      const one = { ...at, key, headers: etag === undefined ? plain : { ...plain, 'if-match': etag }, query: new URLSearchParams(version_id === undefined ? {} : { versionId: version_id }) }
      const { headers } = await deleteObject(await permitted(one, deleteWish(one)))
      const marker = headers['x-amz-delete-marker'] === 'true' ? { DeleteMarker: true, DeleteMarkerVersionId: String(headers['x-amz-version-id']) } : {}
      done.push({ ...named, ...marker })
    } catch (thrown) {
      const fault = asFault(thrown)
      if (fault.kind === 'internal') throw thrown
      const { code, message } = s3Error(fault)
      failed.push({ ...named, Code: code, Message: message })
    }
  }
  if (failed.length === 0 && done.length === 0) throw s3Fault('MalformedXML')
  return xml('DeleteResult', { Deleted: wish.quiet ? [] : done, Error: failed })
}
