/** Queries on backups. */
import type { Sql } from '#base/sql/database.ts'
import type { BackupRow } from './more-tables.ts'
import type { CinderTables } from './tables.ts'

type Db = Sql<CinderTables>

export async function backupById(db: Db, backupId: string): Promise<BackupRow | undefined> {
  return db.query.selectFrom('cinder_backups').selectAll().where('id', '=', backupId).executeTakeFirst()
}

/** Newest first. */
export async function backupsOfVolume(db: Db, volumeId: string): Promise<BackupRow[]> {
  return db.query.selectFrom('cinder_backups').selectAll().where('volume_id', '=', volumeId).orderBy('data_timestamp', 'desc').orderBy('id').execute()
}

/** Which of these have others that build on them. */
export async function parentsAmong(db: Db, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const rows = await db.query.selectFrom('cinder_backups').select('parent_id').distinct().where('parent_id', 'in', ids).execute()
  return new Set(rows.map((row) => row.parent_id!))
}

export async function insertBackup(db: Db, row: BackupRow): Promise<void> {
  await db.query.insertInto('cinder_backups').values(row).execute()
}

export async function setBackup(db: Db, backupId: string, patch: Partial<BackupRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_backups').set(patch).where('id', '=', backupId).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function moveBackup(db: Db, backupId: string, from: readonly string[], patch: Partial<BackupRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_backups').set(patch).where('id', '=', backupId).where('status', 'in', from).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function deleteBackupRow(db: Db, backupId: string): Promise<void> {
  await db.query.deleteFrom('cinder_backups').where('id', '=', backupId).execute()
}

/** How many backups share these bytes. */
export async function backupsWithData(db: Db, dataId: string): Promise<number> {
  return (await db.query.selectFrom('cinder_backups').select('id').where('data_id', '=', dataId).execute()).length
}
