/** Queries on uploads in parts. A part's bytes are held by its row until the upload is completed or given up. */
import { byKey } from '#base/sql/compilers.ts'
import type { Sql } from '#base/sql/database.ts'
import type { Commit } from './commits.ts'
import { putObject, type PutRules } from './objects.ts'
import type { ObjectRow, SwiftTables, UploadPartRow, UploadRow } from './tables.ts'

type Db = Sql<SwiftTables>

/** `conflict` when the container is gone: an upload in it would never end. */
export async function insertUpload({ tx, hold }: Commit, row: UploadRow): Promise<void> {
  await hold(row.container_id)
  await tx.query.insertInto('swift_uploads').values(row).execute()
}

export const uploadById = (db: Db, id: string): Promise<UploadRow | undefined> => db.query.selectFrom('swift_uploads').selectAll().where('id', '=', id).executeTakeFirst()
export const partsOf = (db: Db, uploadId: string): Promise<UploadPartRow[]> => db.query.selectFrom('swift_upload_parts').selectAll().where('upload_id', '=', uploadId).orderBy('number', byKey()).execute()
export const uploadsIn = (db: Db, containerId: string): Promise<UploadRow[]> => db.query.selectFrom('swift_uploads').selectAll().where('container_id', '=', containerId).orderBy('name').orderBy('id').limit(10_000).execute()

/** The part in the place of an earlier one of its number; false when the upload is over. What it replaced goes. */
export async function putPart({ tx }: Commit, row: UploadPartRow, now: number): Promise<boolean> {
  const upload = await tx.query.updateTable('swift_uploads').set({ id: row.upload_id }).where('id', '=', row.upload_id).executeTakeFirst()
  if (upload.numUpdatedRows !== 1n) return false
  const old = await tx.query.selectFrom('swift_upload_parts').select('bytes_id').where('upload_id', '=', row.upload_id).where('number', '=', row.number).executeTakeFirst()
  if (old) {
    await tx.query.deleteFrom('swift_upload_parts').where('upload_id', '=', row.upload_id).where('number', '=', row.number).execute()
    await tx.query.insertInto('swift_cleanup').values({ bytes_id: old.bytes_id, due_at: now }).execute()
  }
  await tx.query.insertInto('swift_upload_parts').values(row).execute()
  return true
}

/**
 * Makes the object of these parts and ends the upload, at once; what of the parts the object does not hold goes. `over` when the upload is over already,
 * `changed` when a part is not the one that was looked at. What `rules` refuse leaves the upload as it is.
 */
export async function completeUpload(commit: Commit, uploadId: string, row: ObjectRow, wanted: readonly Pick<UploadPartRow, 'number' | 'etag'>[], rules: PutRules, now: number): Promise<'done' | 'over' | 'changed'> {
  const { tx, hold } = commit
  await hold(row.container_id)
  // Whoever brings a part waits from here on.
  const upload = await tx.query.updateTable('swift_uploads').set({ id: uploadId }).where('id', '=', uploadId).executeTakeFirst()
  if (upload.numUpdatedRows !== 1n) return 'over'
  const there = new Map((await partsOf(tx, uploadId)).map((part) => [part.number, part]))
  const pieces = JSON.parse(row.parts ?? '[]') as { bytes_id: string; size: number; secret_id?: string | null }[]
  for (const [i, { number, etag }] of wanted.entries()) {
    const part = there.get(number)
    if (part?.etag !== etag) return 'changed'
    // What is hidden by its own salt was read under that salt.
    if (part.secret_id?.startsWith('c.') && part.secret_id !== pieces[i]!.secret_id) return 'changed'
    // The same bytes may lie elsewhere by now, or have come a second time.
    Object.assign(pieces[i]!, { bytes_id: part.bytes_id, size: Number(part.size), secret_id: part.secret_id })
  }
  const used = new Set(pieces.map(({ bytes_id }) => bytes_id))
  row.parts = JSON.stringify(pieces)
  await putObject(commit, row, rules, now)
  await endUpload(commit, uploadId, used, now)
  return 'done'
}

/** False when it is over already. `used`: bytes that somebody else holds from now on. */
export async function endUpload({ tx }: Commit, uploadId: string, used: ReadonlySet<string>, now: number): Promise<boolean> {
  const done = await tx.query.deleteFrom('swift_uploads').where('id', '=', uploadId).executeTakeFirst()
  if (done.numDeletedRows !== 1n) return false
  const parts = await partsOf(tx, uploadId)
  await tx.query.deleteFrom('swift_upload_parts').where('upload_id', '=', uploadId).execute()
  const loose = parts.filter(({ bytes_id }) => bytes_id !== '' && !used.has(bytes_id)).map(({ bytes_id }) => ({ bytes_id, due_at: now }))
  if (loose.length > 0) await tx.query.insertInto('swift_cleanup').values(loose).execute()
  return true
}

/** With their container all uploads in it are over, and their bytes may go at once. */
export async function endUploadsIn(tx: Db, containerId: string): Promise<void> {
  const ids = (await tx.query.selectFrom('swift_uploads').select('id').where('container_id', '=', containerId).execute()).map((row) => row.id)
  // The uploads first: who is bringing a part holds its upload, so all parts are there by then.
  await tx.query.deleteFrom('swift_uploads').where('container_id', '=', containerId).execute()
  for (const id of ids) {
    const parts = (await partsOf(tx, id)).filter(({ bytes_id }) => bytes_id !== '')
    await tx.query.deleteFrom('swift_upload_parts').where('upload_id', '=', id).execute()
    if (parts.length > 0) await tx.query.insertInto('swift_cleanup').values(parts.map(({ bytes_id }) => ({ bytes_id, due_at: 0 }))).execute()
  }
}
