/** The row that a key and its `versionId` mean, and changes to what is kept beside its bytes. */
import { s3Fault } from '../../core/s3/errors.ts'
import { versionStamp, versionText } from '../../house.ts'
import { changeMetadata, newestVersion, objectOf, versionOf } from '../../store/objects.ts'
import type { ObjectRow, VersionRow } from '../../store/tables.ts'
import { bucketRow, type S3Request } from './request.ts'

export type Row = ObjectRow & Partial<Pick<VersionRow, 'rank'>>

/** Of what has no bytes of its own (a mark of a deletion): MethodNotAllowed. */
export async function rowAt(at: S3Request): Promise<Row> {
  const { house, key, query } = at
  const into = bucketRow(at)
  const text = query.get('versionId')
  const current = await objectOf(house.db, into.id, key)
  const alive = current && (current.delete_at === null || Number(current.delete_at) > house.world.clock.now()) ? current : undefined
  if (text === null) {
    if (!alive) {
      const newest = await newestVersion(house.db, into.id, key)
      throw s3Fault('NoSuchKey', undefined, { Key: key, ...(newest?.deleted === 1 ? { 'x-amz-delete-marker': 'true', 'x-amz-version-id': versionText(newest.version_id) } : {}) })
    }
    return alive
  }
  const stamp = versionStamp(text)
  if (stamp === undefined) throw s3Fault('InvalidArgument', 'Invalid version id specified', { ArgumentName: 'versionId', ArgumentValue: text.slice(0, 80) })
  if (current && current.version_id === stamp) return current
  const old = await versionOf(house.db, into.id, key, stamp)
  if (!old) throw s3Fault('NoSuchVersion', undefined, { Key: key, VersionId: text })
  if (old.deleted === 1) throw s3Fault('MethodNotAllowed', undefined, { Method: at.rq.http.method, ResourceType: 'DeleteMarker' })
  return old
}

/** `change` sees what stands now, and may throw. */
export async function changeRow({ house }: S3Request, row: Row, change: (metadata: Record<string, string>) => Record<string, string>): Promise<void> {
  if (!(await house.commits.run((commit) => changeMetadata(commit, row, change)))) throw s3Fault('OperationAborted')
}
