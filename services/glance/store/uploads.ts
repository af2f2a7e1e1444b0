/** Queries on uploads under way. */
import type { Sql } from '#base/sql/database.ts'
import type { GlanceTables, UploadRow } from './tables.ts'

type Db = Sql<GlanceTables>

export async function insertUpload(db: Db, row: UploadRow): Promise<void> {
  await db.query.deleteFrom('glance_uploads').where('image_id', '=', row.image_id).execute()
  await db.query.insertInto('glance_uploads').values(row).execute()
}

export async function deleteUpload(db: Db, imageId: string): Promise<void> {
  await db.query.deleteFrom('glance_uploads').where('image_id', '=', imageId).execute()
}

export async function beatUploads(db: Db, owner: string, beat_at: number): Promise<void> {
  await db.query.updateTable('glance_uploads').set({ beat_at }).where('owner', '=', owner).execute()
}
