/**
 * Copies every table of one database into another, of the same engine or of another, in batches. How far it came stands in the target, committed with
 * each batch; so who is stopped begins again and goes on. The source must not change meanwhile: nothing may run on it.
 */
import { sql } from 'kysely'
import { conflict } from '../fault.ts'
import type { Database, Engine } from './database.ts'
import { big, type HouseMigrations, migrate, type Migration, name, nullable, text } from './table.ts'

const PROGRESS = 'move_tables'
const NOT_MOVED = new Set([PROGRESS, 'schema_migrations'])

/** `last_key` is JSON of the primary key of the last row that was copied; `ended_at` milliseconds, null while rows are missing. */
const progress: Migration = {
  name: '0001-progress',
  up: (m) => m.createTable(PROGRESS, { table_name: name(128), last_key: nullable(text()), row_count: big(), ended_at: nullable(big()) }, { primary: ['table_name'] }),
}
const moveMigrations: HouseMigrations = { house: 'move', migrations: [progress] }

export interface TableMove { table: string; rows: number }

export interface MoveOptions {
  now(): number
  /** Rows in a batch at most. Default 500. */
  batch?: number
  signal?: AbortSignal
  report?(move: TableMove): void
}

// The tables are whatever the migrations made.
// oxlint-disable-next-line no-explicit-any
type Any = any

/** Migrates both. Throws `conflict` when the target holds tables that no move made, or ends with other counts than the source. */
export async function moveDatabase(source: Database, target: Database, houses: readonly HouseMigrations[], options: MoveOptions): Promise<TableMove[]> {
  const from = source.as<Any>()
  const to = target.as<Any>()
  const before = await tablesOf(to)
  if (before.length > 0 && !before.some((one) => one.name === PROGRESS)) throw conflict(`The target is not empty: it has the table ${before[0]!.name}. A move wants a fresh database.`)
  await migrate(source, houses, options.now())
  // Its own table first: by it a move that was stopped knows the target again.
  await migrate(target, [moveMigrations], options.now())
  await migrate(target, houses, options.now())
  const there = new Map((await tablesOf(to)).map((one) => [one.name, one.columns]))
  const tables = (await tablesOf(from)).filter((one) => !NOT_MOVED.has(one.name))
  for (const { name: table, columns } of tables) {
    const missing = columns.filter((column) => !there.get(table)?.includes(column))
    if (missing.length > 0) throw conflict(`The target has no ${there.has(table) ? `columns ${missing.join(', ')} in the` : ''} table ${table}.`)
  }
  const begun = new Map((await to.query.selectFrom(PROGRESS).selectAll().execute()).map((row: Any) => [row.table_name as string, row as { last_key: string | null; row_count: number; ended_at: number | null }]))
  if (begun.size === 0) {
    await to.transaction(async (tx) => {
      // What migrations themselves put in comes with the source.
      for (const { name: table } of tables) await tx.query.deleteFrom(table).execute()
      await tx.query.insertInto(PROGRESS).values(tables.map((one) => ({ table_name: one.name, last_key: null, row_count: 0, ended_at: null }))).execute()
    })
  }
  const done: TableMove[] = []
  for (const { name: table, columns } of tables) {
    const state = begun.get(table) ?? { last_key: null, row_count: 0, ended_at: null }
    const rows = state.ended_at === null ? await moveTable(from, to, table, columns, state, options) : Number(state.row_count)
    if (options.signal?.aborted) return done
    done.push({ table, rows })
  }
  for (const { table } of done) {
    const [has, wants] = [await countOf(to, table), await countOf(from, table)]
    if (has !== wants) throw conflict(`${table} has ${has} rows in the target and ${wants} in the source: the source was changed while it was moved. Begin anew with a fresh database.`)
  }
  return done
}

async function moveTable(from: Database<Any>, to: Database<Any>, table: string, columns: readonly string[], state: { last_key: string | null; row_count: number }, options: MoveOptions): Promise<number> {
  const key = await keyOf(from, table)
  const batch = Math.min(options.batch ?? 500, Math.floor(10_000 / columns.length))
  let last = state.last_key === null ? undefined : (JSON.parse(state.last_key) as unknown[])
  let count = Number(state.row_count)
  while (!options.signal?.aborted) {
    let query = from.query.selectFrom(table).select(columns as string[]).limit(batch)
    for (const column of key) query = query.orderBy(column)
    if (last) query = query.where(sql<boolean>`(${sql.join(key.map((column) => sql.ref(column)))}) > (${sql.join(last)})`)
    const rows = (await query.execute()) as Record<string, unknown>[]
    const end = rows.length < batch
    if (rows.length > 0) last = key.map((column) => rows.at(-1)![column])
    count += rows.length
    await to.transaction(async (tx) => {
      if (rows.length > 0) await tx.query.insertInto(table).values(rows.map(plain)).execute()
      await tx.query.updateTable(PROGRESS).set({ last_key: last ? JSON.stringify(last) : null, row_count: count, ended_at: end ? options.now() : null }).where('table_name', '=', table).execute()
    })
    options.report?.({ table, rows: count })
    if (end) break
  }
  return count
}

const plain = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).map(([column, value]) => [column, value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value) : value]))

async function countOf(db: Database<Any>, table: string): Promise<number> {
  const row = await db.query.selectFrom(table).select((eb) => eb.fn.countAll().as('count')).executeTakeFirstOrThrow()
  return Number(row.count)
}

/** Names of tables and columns, from the engine's own catalog. */
async function tablesOf(db: Database<Any>): Promise<{ name: string; columns: string[] }[]> {
  const rows = (await CATALOG[db.engine].execute(db.query)).rows as { table_name: string; column_name: string }[]
  const tables = new Map<string, string[]>()
  for (const row of rows) tables.set(row.table_name, [...(tables.get(row.table_name) ?? []), row.column_name])
  return [...tables].map(([table, columns]) => ({ name: table, columns })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

const CATALOG: Readonly<Record<Engine, ReturnType<typeof sql>>> = {
  sqlite: sql`select m.name as table_name, c.name as column_name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and m.name not like 'sqlite_%'`,
  postgres: sql`select table_name, column_name from information_schema.columns where table_schema = current_schema() order by ordinal_position`,
  mysql: sql`select table_name as table_name, column_name as column_name from information_schema.columns where table_schema = database() order by ordinal_position`,
}

async function keyOf(db: Database<Any>, table: string): Promise<string[]> {
  const query = {
    sqlite: sql`select name as column_name from pragma_table_info(${table}) where pk > 0 order by pk`,
    postgres: sql`select k.column_name from information_schema.table_constraints t join information_schema.key_column_usage k on k.constraint_name = t.constraint_name and k.table_schema = t.table_schema where t.constraint_type = 'PRIMARY KEY' and t.table_schema = current_schema() and t.table_name = ${table} order by k.ordinal_position`,
    mysql: sql`select column_name as column_name from information_schema.key_column_usage where constraint_name = 'PRIMARY' and table_schema = database() and table_name = ${table} order by ordinal_position`,
  }[db.engine]
  const rows = (await query.execute(db.query)).rows as { column_name: string }[]
  if (rows.length === 0) throw conflict(`The table ${table} has no primary key.`)
  return rows.map((row) => row.column_name)
}
