/** Queries on transfers of volumes between projects. */
import type { Sql } from '#base/sql/database.ts'
import type { TransferRow } from './more-tables.ts'
import type { CinderTables } from './tables.ts'

type Db = Sql<CinderTables>

export async function transferById(db: Db, transferId: string): Promise<TransferRow | undefined> {
  return db.query.selectFrom('cinder_transfers').selectAll().where('id', '=', transferId).executeTakeFirst()
}

export async function insertTransfer(db: Db, row: TransferRow): Promise<void> {
  await db.query.insertInto('cinder_transfers').values(row).execute()
}

export async function setTransfer(db: Db, transferId: string, patch: Partial<TransferRow>): Promise<void> {
  await db.query.updateTable('cinder_transfers').set(patch).where('id', '=', transferId).execute()
}

export async function deleteTransfer(db: Db, transferId: string): Promise<void> {
  await db.query.deleteFrom('cinder_transfers').where('id', '=', transferId).execute()
}
