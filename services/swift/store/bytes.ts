/** What the rows say of bytes: which are held, which may go, which are bad. */
import type { Database, Sql } from '#base/sql/database.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { poolOf } from '../core/policies.ts'
import type { QuarantineRow, Stored, SwiftTables } from './tables.ts'

type Db = Sql<SwiftTables>

/** In the order of ids, behind `after`. */
export async function dueBytes(db: Db, now: number, after: string): Promise<string[]> {
  return (await db.query.selectFrom('swift_cleanup').select('bytes_id').where('due_at', '<=', now).where('bytes_id', '>', after).orderBy('bytes_id').limit(500).execute()).map((row) => row.bytes_id)
}

export async function forgetBytes(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await db.query.deleteFrom('swift_cleanup').where('bytes_id', 'in', ids).execute()
}

/** Of these bytes, those that an object, a version, a part or the cleanup holds. */
export async function heldBytes(db: Db, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const held = new Set<string>()
  for (const table of ['swift_objects', 'swift_versions', 'swift_upload_parts', 'swift_cleanup'] as const) {
    for (const row of await db.query.selectFrom(table).select('bytes_id').where('bytes_id', 'in', ids).execute()) held.add(row.bytes_id)
  }
  return held
}

/** Places with a name in which rows have bytes; composite objects are not looked into. Jumps from one place to the next by the index. */
export async function poolsHeld(db: Db): Promise<Set<string>> {
  const held = new Set<string>()
  for (const table of ['swift_objects', 'swift_versions', 'swift_upload_parts'] as const) {
    for (let from = '@'; ; ) {
      const row = await db.query.selectFrom(table).select('bytes_id').where('bytes_id', '>', from).where('bytes_id', '<', 'A').orderBy('bytes_id').limit(1).executeTakeFirst()
      if (!row) break
      held.add(poolOf(row.bytes_id))
      // What follows the slash in the order of bytes.
      from = `@${poolOf(row.bytes_id)}0`
    }
  }
  return held
}

/** Bytes that composite objects hold, all of them: there is no index into their lists. */
export async function bytesInParts(db: Db): Promise<Set<string>> {
  const held = new Set<string>()
  for (const table of ['swift_objects', 'swift_versions'] as const) {
    for (const row of await db.query.selectFrom(table).select('parts').where('parts', 'is not', null).execute()) for (const part of JSON.parse(row.parts!) as { bytes_id: string }[]) held.add(part.bytes_id)
  }
  return held
}

export type Held = Pick<Stored, 'bytes_id' | 'stored' | 'parts' | 'container_id' | 'name' | 'etag'>

/** Rows with their bytes, in the order of their keys, for the auditor. */
export async function objectsAfter(db: Db, after: { container_id: string; name: string } | undefined, limit: number): Promise<Held[]> {
  let query = db.query.selectFrom('swift_objects').select(['container_id', 'name', 'bytes_id', 'stored', 'parts', 'etag'])
  if (after) query = query.where((eb) => eb.or([eb('container_id', '>', after.container_id), eb.and([eb('container_id', '=', after.container_id), eb('name', '>', after.name)])]))
  return query.orderBy('container_id').orderBy('name').limit(limit).execute()
}

/** The same bytes lie elsewhere now; false when nothing holds them any more. */
export async function relocateBytes(db: Database<SwiftTables>, from: string, to: string): Promise<boolean> {
  return db.transaction(async (tx) => {
    let moved = 0n
    for (const table of ['swift_objects', 'swift_versions', 'swift_upload_parts'] as const) moved += (await tx.query.updateTable(table).set({ bytes_id: to }).where('bytes_id', '=', from).executeTakeFirst()).numUpdatedRows
    return moved > 0n
  })
}

export async function reportBad(db: Db, row: QuarantineRow): Promise<void> {
  try {
    await db.query.insertInto('swift_quarantine').values(row).execute()
  } catch (thrown) {
    if (!isDuplicate(db.engine, thrown)) throw thrown
  }
}

export const badBytes = (db: Db): Promise<QuarantineRow[]> => db.query.selectFrom('swift_quarantine').selectAll().orderBy('found_at').limit(1000).execute()
