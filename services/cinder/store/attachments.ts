/** Queries on attachments. */
import type { Sql } from '#base/sql/database.ts'
import type { AttachmentRow, CinderTables } from './tables.ts'

type Db = Sql<CinderTables>

export async function attachmentById(db: Db, attachmentId: string): Promise<AttachmentRow | undefined> {
  return db.query.selectFrom('cinder_attachments').selectAll().where('id', '=', attachmentId).executeTakeFirst()
}

export async function attachmentsOf(db: Db, volumeIds: readonly string[]): Promise<AttachmentRow[]> {
  return volumeIds.length === 0 ? [] : db.query.selectFrom('cinder_attachments').selectAll().where('volume_id', 'in', volumeIds).orderBy('created_at').orderBy('id').execute()
}

export async function insertAttachment(db: Db, row: AttachmentRow): Promise<void> {
  await db.query.insertInto('cinder_attachments').values(row).execute()
}

export async function setAttachment(db: Db, attachmentId: string, patch: Partial<AttachmentRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_attachments').set(patch).where('id', '=', attachmentId).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function deleteAttachment(db: Db, attachmentId: string): Promise<boolean> {
  const done = await db.query.deleteFrom('cinder_attachments').where('id', '=', attachmentId).executeTakeFirst()
  return done.numDeletedRows === 1n
}
