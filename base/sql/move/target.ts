/** What a target knows about the move into it: which one it is, how far every table is, and whether it has ended. Committed with the rows. */
import { conflict } from '../../fault.ts'
import type { Database, Sql } from '../database.ts'
import { big, type HouseMigrations, id, int, migrate, type Migration, name, nullable, text } from '../table.ts'
import { type Any, hasTable, type Shape, shapesOf, tablesOf } from './catalog.ts'

const PROGRESS = 'move_tables'
const TARGET = 'move_target'

/** `last_key` is JSON of the primary key of the last row that was copied; `ended_at` milliseconds, null while rows are missing. */
const progress: Migration = {
  name: '0001-progress',
  up: (m) => m.createTable(PROGRESS, { table_name: name(128), last_key: nullable(text()), row_count: big(), ended_at: nullable(big()) }, { primary: ['table_name'] }),
}
/** One row. `migrations` says by which the tables were made; `ended_at` is null until the data lives here. */
const ofMove: Migration = {
  name: '0002-move',
  up: (m) => m.createTable(TARGET, { number: int(), move_id: id(), migrations: text(), began_at: big(), ended_at: nullable(big()) }, { primary: ['number'] }),
}
const moveMigrations: HouseMigrations = { house: 'move', migrations: [progress, ofMove] }

export interface TableProgress { last_key: string | null; row_count: number; ended_at: number | null }

export interface TargetMove { move_id: string; ended_at: number | null }

/** The move into this database; undefined when there was none. */
export async function targetMove(db: Sql<Any>): Promise<TargetMove | undefined> {
  if (!(await hasTable(db, TARGET))) return undefined
  const row = await db.query.selectFrom(TARGET).select(['move_id', 'ended_at']).executeTakeFirst()
  return row && { move_id: row.move_id, ended_at: row.ended_at === null ? null : Number(row.ended_at) }
}

/**
 * Migrates both and gives the tables. Throws `conflict` when the target holds tables that no move made, or those of another move. Where the source has
 * got other tables since the move began, it begins anew.
 */
export async function beginTarget(source: Database<Any>, target: Database<Any>, houses: readonly HouseMigrations[], moveId: string, now: number): Promise<Shape[]> {
  const before = await tablesOf(target)
  if (before.length > 0 && !before.some((one) => one.name === PROGRESS)) throw conflict(`The target is not empty: it has the table ${before[0]!.name}. A move wants a fresh database.`)
  await migrate(source, houses, now)
  // Its own tables first: by them a move that was stopped knows the target again.
  await migrate(target, [moveMigrations], now)
  const begun = await targetMove(target)
  if (begun && begun.move_id !== moveId) throw conflict(begun.ended_at === null ? 'The target holds part of another move, or of one that was given up. A move wants a fresh database.' : 'The target holds a database that was moved there already. A move wants a fresh database.')
  await migrate(target, houses, now)
  const shapes = await shapesOf(source, target)
  const made = ((await source.query.selectFrom('schema_migrations').select(['house', 'name']).orderBy('house').orderBy('name').execute()) as { house: string; name: string }[]).filter((one) => !one.house.startsWith('move')).map((one) => `${one.house}/${one.name}`).join('\n')
  const known = begun && ((await target.query.selectFrom(TARGET).select('migrations').executeTakeFirstOrThrow()).migrations as string)
  if (known !== made) {
    await target.transaction(async (tx) => {
      await tx.query.deleteFrom(TARGET).execute()
      await tx.query.deleteFrom(PROGRESS).execute()
      // What migrations themselves put in comes with the source.
      for (const { name: table } of shapes) await tx.query.deleteFrom(table).execute()
      await tx.query.insertInto(PROGRESS).values(shapes.map((one) => ({ table_name: one.name, last_key: null, row_count: 0, ended_at: null }))).execute()
      await tx.query.insertInto(TARGET).values({ number: 1, move_id: moveId, migrations: made, began_at: now, ended_at: null }).execute()
    })
  }
  return shapes
}

export async function progressOf(target: Sql<Any>): Promise<Map<string, TableProgress>> {
  const rows = (await target.query.selectFrom(PROGRESS).selectAll().execute()) as (TableProgress & { table_name: string })[]
  return new Map(rows.map((row) => [row.table_name, { last_key: row.last_key, row_count: Number(row.row_count), ended_at: row.ended_at === null ? null : Number(row.ended_at) }]))
}

export async function keepProgress(tx: Sql<Any>, table: string, at: TableProgress): Promise<void> {
  await tx.query.updateTable(PROGRESS).set({ ...at }).where('table_name', '=', table).execute()
}

/** Of tables that had no rows when they were looked at. */
export async function keepEmpty(db: Sql<Any>, tables: readonly string[], now: number): Promise<void> {
  if (tables.length > 0) await db.query.updateTable(PROGRESS).set({ ended_at: now }).where('table_name', 'in', tables).execute()
}

/** From here on the data lives in the target. */
export async function endTarget(target: Sql<Any>, now: number): Promise<void> {
  await target.query.updateTable(TARGET).set({ ended_at: now }).where('ended_at', 'is', null).execute()
}

/** Takes away what a move that is given up has brought. False where that is not this move's, or the data lives there. */
export async function clearTarget(source: Sql<Any>, target: Database<Any>, moveId: string): Promise<boolean> {
  const found = await targetMove(target)
  if (!found || found.move_id !== moveId || found.ended_at !== null) return false
  const ours = new Set([...(await tablesOf(source)).map((one) => one.name), PROGRESS, 'schema_migrations'])
  // The one by which it is known goes last, so that this may be tried again.
  for (const { name: table } of await tablesOf(target)) if (ours.has(table) && table !== TARGET) await target.query.schema.dropTable(table).execute()
  await target.query.schema.dropTable(TARGET).execute()
  return true
}
