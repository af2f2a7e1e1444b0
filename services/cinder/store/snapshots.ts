/** Queries on snapshots. */
import type { Sql, Tx } from '#base/sql/database.ts'
import type { CinderTables, SnapshotRow } from './tables.ts'
import { writeFacts } from './volumes.ts'

type Db = Sql<CinderTables>

export async function snapshotById(db: Db, snapshotId: string): Promise<SnapshotRow | undefined> {
  return db.query.selectFrom('cinder_snapshots').selectAll().where('id', '=', snapshotId).executeTakeFirst()
}

/** Oldest first. */
export async function snapshotsOf(db: Db, volumeId: string): Promise<SnapshotRow[]> {
  return db.query.selectFrom('cinder_snapshots').selectAll().where('volume_id', '=', volumeId).orderBy('created_at').orderBy('id').execute()
}

export async function snapshotsOfGroup(db: Db, groupSnapshotId: string): Promise<SnapshotRow[]> {
  return db.query.selectFrom('cinder_snapshots').selectAll().where('group_snapshot_id', '=', groupSnapshotId).orderBy('created_at').orderBy('id').execute()
}

export async function insertSnapshot(tx: Tx<CinderTables>, row: SnapshotRow): Promise<void> {
  await tx.query.insertInto('cinder_snapshots').values(row).execute()
  if (row.metadata !== '{}') await writeFacts(tx, row.id, 'snapshot', row.metadata)
}

export async function setSnapshot(db: Db, snapshotId: string, patch: Partial<SnapshotRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_snapshots').set(patch).where('id', '=', snapshotId).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function moveSnapshot(db: Db, snapshotId: string, from: readonly string[], patch: Partial<SnapshotRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_snapshots').set(patch).where('id', '=', snapshotId).where('status', 'in', from).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function setSnapshotMetadata(tx: Tx<CinderTables>, snapshotId: string, metadata: Readonly<Record<string, string>>, now: number): Promise<void> {
  const text = JSON.stringify(metadata)
  await setSnapshot(tx, snapshotId, { metadata: text, updated_at: now })
  await writeFacts(tx, snapshotId, 'snapshot', text)
}

export async function deleteSnapshotRows(tx: Tx<CinderTables>, snapshotId: string): Promise<void> {
  await tx.query.deleteFrom('cinder_snapshots').where('id', '=', snapshotId).execute()
  await tx.query.deleteFrom('cinder_facts').where('owner_id', '=', snapshotId).execute()
}
