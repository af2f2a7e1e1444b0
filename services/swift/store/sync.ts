/** Queries on what another cloud is still to be told. A row says only that a name changed; what it is now stands in the objects. */
import { byKey } from '#base/sql/compilers.ts'
import type { Sql } from '#base/sql/database.ts'
import type { SwiftTables, SyncRow } from './tables.ts'

type Db = Sql<SwiftTables>

/** The name that stands for all of a container: no object has it. */
export const WHOLE = ''

/** In a transaction that holds the container. */
export async function noteChange(tx: Db, row: SyncRow): Promise<void> {
  const done = await tx.query.updateTable('swift_sync').set({ changed_at: row.changed_at }).where('container_id', '=', row.container_id).where('name', '=', row.name).executeTakeFirst()
  // MariaDB counts a row that stays as it is as not updated: so it looks again.
  if (done.numUpdatedRows === 0n && !(await changeOf(tx, row.container_id, row.name))) await tx.query.insertInto('swift_sync').values(row).execute()
}

const changeOf = (db: Db, containerId: string, name: string): Promise<SyncRow | undefined> => db.query.selectFrom('swift_sync').selectAll().where('container_id', '=', containerId).where('name', '=', name).executeTakeFirst()

/** Containers that have changes. */
export const changedContainers = async (db: Db): Promise<string[]> => (await db.query.selectFrom('swift_sync').select('container_id').distinct().orderBy('container_id').execute()).map((row) => row.container_id)
/** `after`: names behind this one; undefined from the first, which may be the whole. */
export function changesOf(db: Db, containerId: string, after: string | undefined, limit: number): Promise<SyncRow[]> {
  let query = db.query.selectFrom('swift_sync').selectAll().where('container_id', '=', containerId)
  if (after !== undefined) query = query.where('name', '>', after)
  return query.orderBy('name', byKey()).limit(limit).execute()
}

/** Unless it changed again meanwhile. */
export async function forgetChange(db: Db, row: SyncRow): Promise<void> {
  await db.query.deleteFrom('swift_sync').where('container_id', '=', row.container_id).where('name', '=', row.name).where('changed_at', '=', row.changed_at).execute()
}
export async function forgetChanges(db: Db, containerId: string): Promise<void> {
  await db.query.deleteFrom('swift_sync').where('container_id', '=', containerId).execute()
}
