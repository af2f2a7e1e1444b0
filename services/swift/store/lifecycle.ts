/** Rows of a bucket in the order of their names, page by page, for its lifecycle. */
import { byKey } from '#base/sql/compilers.ts'
import type { Sql } from '#base/sql/database.ts'
import type { ObjectRow, SwiftTables, VersionRow } from './tables.ts'

type Db = Sql<SwiftTables>

const PAGE = 500

export const objectsFrom = (db: Db, containerId: string, after: string | undefined): Promise<ObjectRow[]> => {
  let query = db.query.selectFrom('swift_objects').selectAll().where('container_id', '=', containerId)
  if (after !== undefined) query = query.where('name', '>', after)
  return query.orderBy('name', byKey()).limit(PAGE).execute()
}

/** The newest of a name first. */
export const versionsFrom = (db: Db, containerId: string, after: { name: string; rank: string } | undefined): Promise<VersionRow[]> => {
  let query = db.query.selectFrom('swift_versions').selectAll().where('container_id', '=', containerId)
  if (after) query = query.where('name', '>=', after.name).where((eb) => eb.or([eb('name', '>', after.name), eb.and([eb('name', '=', after.name), eb('rank', '>', after.rank)])]))
  return query.orderBy('name', byKey()).orderBy('rank', byKey()).limit(PAGE).execute()
}

/** When what stands now was made, of those of the names where something stands. */
export async function standingSince(db: Db, containerId: string, names: readonly string[]): Promise<Map<string, number>> {
  if (names.length === 0) return new Map()
  const rows = await db.query.selectFrom('swift_objects').select(['name', 'created_at']).where('container_id', '=', containerId).where('name', 'in', names).execute()
  return new Map(rows.map((row) => [row.name, Number(row.created_at)]))
}

export const LIFECYCLE_PAGE = PAGE
