/** One row by its key, in any of Keystone's tables: what every noun needs and none needs to word anew. */
import { rowsBy } from '#base/sql/prepared.ts'
import type { Sql } from '#base/sql/database.ts'
import type { Kysely } from 'kysely'
import type { KeystoneTables } from './tables.ts'

export type Db = Sql<KeystoneTables>
export type Key<T extends keyof KeystoneTables> = Partial<KeystoneTables[T]>

// The table is a parameter here, which Kysely cannot follow; the signatures below keep rows and tables together.
// oxlint-disable-next-line no-explicit-any
const loose = (db: Db): Kysely<Record<string, any>> => db.query as unknown as Kysely<Record<string, any>>

export async function findRow<T extends keyof KeystoneTables>(db: Db, table: T, key: Key<T>): Promise<KeystoneTables[T] | undefined> {
  return (await rowsBy<KeystoneTables[T]>(db as never, table, key as Record<string, unknown>))[0]
}

export async function findRows<T extends keyof KeystoneTables>(db: Db, table: T, key: Key<T> = {}, order?: keyof KeystoneTables[T] & string): Promise<KeystoneTables[T][]> {
  return rowsBy<KeystoneTables[T]>(db as never, table, key as Record<string, unknown>, order ? [order] : [])
}

/** Rows whose `column` is one of `values`; asks in slices, so that any number will do. */
export async function rowsIn<T extends keyof KeystoneTables>(db: Db, table: T, column: keyof KeystoneTables[T] & string, values: readonly string[]): Promise<KeystoneTables[T][]> {
  if (values.length === 1) return rowsBy<KeystoneTables[T]>(db as never, table, { [column]: values[0] })
  const rows: KeystoneTables[T][] = []
  for (let at = 0; at < values.length; at += 500) {
    rows.push(...((await loose(db).selectFrom(table as string).selectAll().where(column as string, 'in', values.slice(at, at + 500)).execute()) as KeystoneTables[T][]))
  }
  return rows
}

export async function insertRow<T extends keyof KeystoneTables>(db: Db, table: T, row: KeystoneTables[T]): Promise<void> {
  await loose(db).insertInto(table as string).values(row as Record<string, unknown>).execute()
}

export async function updateRow<T extends keyof KeystoneTables>(db: Db, table: T, key: Key<T>, patch: Partial<KeystoneTables[T]>): Promise<number> {
  if (Object.keys(patch).length === 0) return 0
  let query = loose(db).updateTable(table as string).set(patch as Record<string, unknown>)
  for (const [column, value] of Object.entries(key)) query = query.where(column, '=', value)
  return Number((await query.executeTakeFirst()).numUpdatedRows)
}

export async function deleteRows<T extends keyof KeystoneTables>(db: Db, table: T, key: Key<T>): Promise<number> {
  let query = loose(db).deleteFrom(table as string)
  for (const [column, value] of Object.entries(key)) query = query.where(column, '=', value)
  return Number((await query.executeTakeFirst()).numDeletedRows)
}

/** Ids of what was just inserted may collide with a name: true when that row is there already. */
export async function rowExists<T extends keyof KeystoneTables>(db: Db, table: T, key: Key<T>): Promise<boolean> {
  return (await findRow(db, table, key)) !== undefined
}
