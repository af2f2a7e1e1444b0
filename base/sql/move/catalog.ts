/** What tables a database has, from the engine's own catalog. */
import { sql } from 'kysely'
import { conflict } from '../../fault.ts'
import type { Database, Engine, Sql } from '../database.ts'

// The tables are whatever the migrations made.
// oxlint-disable-next-line no-explicit-any
export type Any = any

/** Tables of the move itself begin so; they and the list of migrations belong to their database and stay there. */
const OWN = 'move_'
const stays = (table: string): boolean => table.startsWith(OWN) || table === 'schema_migrations'

export interface Shape {
  name: string
  columns: readonly string[]
  /** The primary key, in its order. */
  key: readonly string[]
  /** Further unique keys; known of SQLite alone. */
  uniques: readonly (readonly string[])[]
}

/** Names of tables and columns. */
export async function tablesOf(db: Sql<Any>): Promise<{ name: string; columns: string[] }[]> {
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

export async function hasTable(db: Sql<Any>, table: string): Promise<boolean> {
  const query = {
    sqlite: sql`select name as found from sqlite_master where type = 'table' and name = ${table}`,
    postgres: sql`select table_name as found from information_schema.tables where table_schema = current_schema() and table_name = ${table}`,
    mysql: sql`select table_name as found from information_schema.tables where table_schema = database() and table_name = ${table}`,
  }[db.engine]
  return (await query.execute(db.query)).rows.length > 0
}

/** All tables that a move takes along. Throws `conflict` where one has no primary key, or the target has it otherwise. */
export async function shapesOf(source: Database<Any>, target: Database<Any>): Promise<Shape[]> {
  const there = new Map((await tablesOf(target)).map((one) => [one.name, one.columns]))
  const tables = (await tablesOf(source)).filter((one) => !stays(one.name))
  for (const { name: table, columns } of tables) {
    const missing = columns.filter((column) => !there.get(table)?.includes(column))
    if (missing.length > 0) throw conflict(`The target has no ${there.has(table) ? `columns ${missing.join(', ')} in the` : ''} table ${table}.`)
  }
  const keys = await keysOf(source)
  const uniques = await uniquesOf(source)
  return tables.map((table) => {
    const key = keys.get(table.name)
    if (!key) throw conflict(`The table ${table.name} has no primary key.`)
    return { ...table, key, uniques: uniques.get(table.name) ?? [] }
  })
}

async function keysOf(db: Database<Any>): Promise<Map<string, string[]>> {
  const query = {
    sqlite: sql`select m.name as table_name, c.name as column_name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and c.pk > 0 order by m.name, c.pk`,
    postgres: sql`select t.table_name, k.column_name from information_schema.table_constraints t join information_schema.key_column_usage k on k.constraint_name = t.constraint_name and k.table_schema = t.table_schema and k.table_name = t.table_name where t.constraint_type = 'PRIMARY KEY' and t.table_schema = current_schema() order by t.table_name, k.ordinal_position`,
    mysql: sql`select table_name as table_name, column_name as column_name from information_schema.key_column_usage where constraint_name = 'PRIMARY' and table_schema = database() order by table_name, ordinal_position`,
  }[db.engine]
  const keys = new Map<string, string[]>()
  for (const row of (await query.execute(db.query)).rows as { table_name: string; column_name: string }[]) keys.set(row.table_name, [...(keys.get(row.table_name) ?? []), row.column_name])
  return keys
}

async function uniquesOf(db: Database<Any>): Promise<Map<string, string[][]>> {
  const found = new Map<string, Map<string, string[]>>()
  if (db.engine === 'sqlite') {
    const query = sql`select m.name as table_name, l.name as index_name, i.name as column_name from sqlite_master m join pragma_index_list(m.name) l join pragma_index_info(l.name) i where m.type = 'table' and l."unique" = 1 and l.origin <> 'pk' order by m.name, l.name, i.seqno`
    for (const row of (await query.execute(db.query)).rows as { table_name: string; index_name: string; column_name: string }[]) {
      const indexes = found.get(row.table_name) ?? new Map<string, string[]>()
      indexes.set(row.index_name, [...(indexes.get(row.index_name) ?? []), row.column_name])
      found.set(row.table_name, indexes)
    }
  }
  return new Map([...found].map(([table, indexes]) => [table, [...indexes.values()]]))
}
