/** Queries that every noun's table knows: one by id, a page, insert, change, remove. Tables are named by the caller's noun. */
import { prepared, rowsBy } from '#base/sql/prepared.ts'
import { type Expression, type ExpressionBuilder, type Kysely, sql, type SqlBool } from 'kysely'
import type { Sql } from '#base/sql/database.ts'
import type { Row } from './tables.ts'

export type AnyTables = Record<string, Row>
export type Where = (eb: ExpressionBuilder<AnyTables, string>) => Expression<SqlBool>

const any = (db: Sql<never>): Kysely<AnyTables> => db.query as unknown as Kysely<AnyTables>

export interface PageWish {
  table: string
  /** Columns to read; all when absent. */
  columns?: readonly string[]
  where: readonly Where[]
  sort: readonly { key: string; dir: 'asc' | 'desc' }[]
  limit?: number
  /** The row after which the page begins. */
  after?: Row
  reverse?: boolean
}

export async function rowOf(db: Sql<never>, table: string, id: string, where: readonly Where[] = [], key = 'id'): Promise<Row | undefined> {
  if (where.length === 0) return (await rowsBy<Row>(db, table, { [key]: id }))[0]
  let query = any(db).selectFrom(table).selectAll().where(key, '=', id)
  for (const one of where) query = query.where(one)
  return query.executeTakeFirst()
}

/** How many rows of another table name a row's id in a column: one question less than looking there. */
export interface Counted {
  as: string
  table: string
  column: string
}

const counting = new Map<string, (db: Sql<AnyTables>, id: string) => Promise<Row[]>>()

/** One row by its id, with a count beside its columns. */
export async function countedRow(db: Sql<never>, table: string, id: string, counted: Counted): Promise<Row | undefined> {
  const key = `${table}|${counted.table}|${counted.column}`
  let ask = counting.get(key)
  if (!ask) {
    ask = prepared<AnyTables, [id: string], Row>((query, of) =>
      query.selectFrom(table).selectAll(table).select(sql<number>`(select count(*) from ${sql.table(counted.table)} where ${sql.ref(counted.column)} = ${of})`.as(counted.as)).where('id', '=', of),
    )
    counting.set(key, ask)
  }
  return (await ask(db as never, id))[0]
}

export async function page(db: Sql<never>, wish: PageWish): Promise<Row[]> {
  const base = any(db).selectFrom(wish.table)
  let query = wish.columns ? base.select(wish.columns as string[]) : base.selectAll()
  for (const one of wish.where) query = query.where(one)
  const sort = wish.reverse ? wish.sort.map(({ key, dir }) => ({ key, dir: dir === 'asc' ? ('desc' as const) : ('asc' as const) })) : wish.sort
  const { after } = wish
  if (after) {
    // Nulls come first, as in SQLite and MariaDB; `is null` makes the order the same on PostgreSQL.
    query = query.where((eb) =>
      eb.or(sort.map(({ key, dir }, i) => eb.and([...sort.slice(0, i).map((before) => eb(before.key, after[before.key] === null ? 'is' : '=', after[before.key] as never)), beyond(eb, key, dir, after[key])]))),
    )
  }
  for (const { key, dir } of sort) query = query.orderBy(key, dir)
  if (wish.limit !== undefined) query = query.limit(wish.limit)
  const rows = await query.execute()
  return wish.reverse ? rows.reverse() : rows
}

function beyond(eb: ExpressionBuilder<AnyTables, string>, key: string, dir: 'asc' | 'desc', value: unknown): Expression<SqlBool> {
  if (dir === 'asc') return value === null ? eb(key, 'is not', null) : eb(key, '>', value as never)
  return value === null ? sql<SqlBool>`1 = 0` : eb.or([eb(key, '<', value as never), eb(key, 'is', null)])
}

export async function insertRow(db: Sql<never>, table: string, row: Row | readonly Row[]): Promise<void> {
  await any(db).insertInto(table).values(row as never).execute()
}

/** How many rows were there to change. */
export async function changeRow(db: Sql<never>, table: string, id: string, patch: Row, key = 'id'): Promise<number> {
  const done = await any(db).updateTable(table).set(patch as never).where(key, '=', id).executeTakeFirst()
  return Number(done.numUpdatedRows)
}

export async function removeRow(db: Sql<never>, table: string, id: string, key = 'id'): Promise<number> {
  const done = await any(db).deleteFrom(table).where(key, '=', id).executeTakeFirst()
  return Number(done.numDeletedRows)
}

export async function rowsWhere(db: Sql<never>, table: string, where: readonly Where[], columns?: readonly string[]): Promise<Row[]> {
  const base = any(db).selectFrom(table)
  let query = columns ? base.select(columns as string[]) : base.selectAll()
  for (const one of where) query = query.where(one)
  return query.execute()
}

/** `in` with any number of values: engines bound how many parameters a statement may have. */
export async function rowsIn(db: Sql<never>, table: string, column: string, values: readonly string[], columns?: readonly string[]): Promise<Row[]> {
  if (values.length === 0) return []
  if (values.length === 1) return rowsBy<Row>(db, table, { [column]: values[0] }, [], columns)
  const out: Row[] = []
  for (let at = 0; at < values.length; at += 500) {
    const part = values.slice(at, at + 500)
    out.push(...(await rowsWhere(db, table, [(eb) => eb(column, 'in', part)], columns)))
  }
  return out
}

export async function countWhere(db: Sql<never>, table: string, where: readonly Where[]): Promise<number> {
  let query = any(db).selectFrom(table).select((eb) => eb.fn.countAll().as('n'))
  for (const one of where) query = query.where(one)
  const row = (await query.executeTakeFirstOrThrow()) as { n: unknown }
  return Number(row.n)
}
