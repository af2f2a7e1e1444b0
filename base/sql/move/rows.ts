/** Rows of any table, read in the order of its key and written as they were read. */
import { CompiledQuery, sql } from 'kysely'
import { conflict, Fault } from '../../fault.ts'
import { byKey } from '../compilers.ts'
import type { Database, Engine, Sql, Tx } from '../database.ts'
import type { Any, Shape } from './catalog.ts'

export type Row = Readonly<Record<string, unknown>>
/** Values of the primary key, in its order. */
export type Key = readonly unknown[]

/** Values and bytes in one statement at most. */
const VALUES = 4_000
const BYTES = 1 << 20
const KEYS = 100
const TABLES = 40

export const keyOf = (shape: Shape, row: Row): Key => shape.key.map((column) => row[column])

/** Behind this key in its order. MariaDB uses no index for a comparison of rows, PostgreSQL none for the same in words. */
function beyond(engine: Engine, shape: Shape, key: Key): ReturnType<typeof sql<boolean>> {
  const columns = shape.key.map((column) => sql.ref(column))
  if (engine !== 'mysql' || key.length === 1) return sql<boolean>`(${sql.join(columns)}) > (${sql.join(key)})`
  const cases = key.map((_, i) => sql<boolean>`(${sql.join([...key.slice(0, i).map((value, k) => sql`${columns[k]} = ${value}`), sql`${columns[i]} > ${key[i]}`], sql` and `)})`)
  return sql<boolean>`(${sql.join(cases, sql` or `)})`
}

/** Rows behind `after`, at most `limit`. */
export async function slice(db: Sql<Any>, shape: Shape, after: Key | undefined, limit: number): Promise<Row[]> {
  let query = db.query.selectFrom(shape.name).select(shape.columns as string[]).limit(limit)
  for (const column of shape.key) query = query.orderBy(column, byKey())
  if (after) query = query.where(beyond(db.engine, shape, after))
  return (await query.execute()) as Row[]
}

/** Rows behind `after` up to `end`. (PostgreSQL, asked for both, would read on to the end of the table.) `about`: how many there may be. */
export async function span(db: Sql<Any>, shape: Shape, after: Key | undefined, end: Key | undefined, about: number): Promise<Row[]> {
  for (let limit = about + 50; ; limit *= 4) {
    const rows = await slice(db, shape, after, limit)
    const inside = end ? rows.filter((row) => inOrder(keyOf(shape, row), end) <= 0) : rows
    if (inside.length < limit) return inside
  }
}

/** As the engines order keys: numbers by their size, text by its bytes. */
function inOrder(one: Key, other: Key): number {
  for (const [i, value] of one.entries()) {
    const order = typeof value === 'number' ? value - Number(other[i]) : Buffer.compare(Buffer.from(String(value)), Buffer.from(String(other[i])))
    if (order !== 0) return order
  }
  return 0
}

export async function countOf(db: Sql<Any>, table: string): Promise<number> {
  const row: Any = await db.query.selectFrom(table).select((eb: Any) => eb.fn.countAll().as('count')).executeTakeFirstOrThrow()
  return Number(row.count)
}

/** Of many tables with few questions. */
export async function countsOf(db: Sql<Any>, tables: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (let i = 0; i < tables.length; i += TABLES) {
    const parts = tables.slice(i, i + TABLES).map((table) => sql`select ${sql.lit(table)} as table_name, count(*) as total from ${sql.table(table)}`)
    for (const row of (await sql<{ table_name: string; total: number }>`${sql.join(parts, sql` union all `)}`.execute(db.query)).rows) counts.set(row.table_name, Number(row.total))
  }
  return counts
}

const quoted = (name: string): string => `"${name}"`
const mark = (engine: Engine) => (engine === 'postgres' ? (i: number): string => `$${i + 1}` : (): string => '?')
const plain = (value: unknown): unknown => (value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value) : value)
const weight = (value: unknown): number => (typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.length : 8)

/** How many rows there were with these keys. */
export const remove = (tx: Sql<Any>, shape: Shape, keys: readonly Key[]): Promise<number> => removeBy(tx, shape, shape.key, keys)

async function removeBy(tx: Sql<Any>, shape: Shape, columns: readonly string[], keys: readonly Key[]): Promise<number> {
  let removed = 0n
  for (let i = 0; i < keys.length; i += KEYS) removed += await removeWhere(tx, shape, columns, keys.slice(i, i + KEYS))
  return Number(removed)
}

async function removeWhere(tx: Sql<Any>, shape: Shape, columns: readonly string[], keys: readonly Key[]): Promise<bigint> {
  const marked = mark(tx.engine)
  let n = 0
  const next = (): string => marked(n++)
  const where = columns.length === 1 ? `${quoted(columns[0]!)} in (${keys.map(next).join(', ')})` : keys.map(() => `(${columns.map((column) => `${quoted(column)} = ${next()}`).join(' and ')})`).join(' or ')
  const done = await tx.query.executeQuery(CompiledQuery.raw(`delete from ${quoted(shape.name)} where ${where}`, keys.flat()))
  return done.numAffectedRows ?? 0n
}

/** As few statements as may be; never one for a whole batch of large rows. */
export async function insert(tx: Sql<Any>, shape: Shape, rows: readonly Row[]): Promise<void> {
  const marked = mark(tx.engine)
  const most = Math.max(1, Math.floor(VALUES / shape.columns.length))
  for (let i = 0; i < rows.length; ) {
    const values: unknown[] = []
    let bytes = 0
    let count = 0
    for (; i < rows.length && count < most && (count === 0 || bytes < BYTES); i++, count++) {
      for (const column of shape.columns) {
        const value = plain(rows[i]![column])
        bytes += weight(value)
        values.push(value)
      }
    }
    let n = 0
    const line = (): string => `(${shape.columns.map(() => marked(n++)).join(', ')})`
    const text = `insert into ${quoted(shape.name)} (${shape.columns.map(quoted).join(', ')}) values ${Array.from({ length: count }, line).join(', ')}`
    await tx.query.executeQuery(CompiledQuery.raw(text, values))
  }
}

export interface Put { shape: Shape; keys: readonly Key[]; rows: readonly Row[] }

/**
 * In one transaction: whatever the target has under these keys goes, and these rows are there. A unique key that a row of the target has still, and in the
 * source no longer, is taken from it: that row has changed since it was copied, so its turn is still to come. Gives by how much each table has grown.
 */
export async function put(target: Database<Any>, puts: readonly Put[], also: (tx: Tx<Any>) => Promise<void>): Promise<Map<string, number>> {
  let grown = new Map<string, number>()
  const attempt = (write: (tx: Tx<Any>, shape: Shape, rows: readonly Row[]) => Promise<number>) => async (tx: Tx<Any>): Promise<void> => {
    grown = new Map()
    for (const { shape, keys, rows } of puts) {
      const removed = keys.length > 0 ? await remove(tx, shape, keys) : 0
      grown.set(shape.name, (grown.get(shape.name) ?? 0) - removed + (await write(tx, shape, rows)))
    }
    await also(tx)
  }
  // From the fastest way to the one that names the row that cannot be written.
  for (const [i, way] of WAYS.entries()) {
    try {
      await target.transaction(attempt(way), { guarded: true })
      break
    } catch (thrown) {
      if (i === WAYS.length - 1 || (thrown instanceof Fault && thrown.code !== 'sql.duplicate')) throw thrown
    }
  }
  return grown
}

/** Each gives by how much the table has grown. */
const WAYS: readonly ((tx: Tx<Any>, shape: Shape, rows: readonly Row[]) => Promise<number>)[] = [
  async (tx, shape, rows) => {
    await insert(tx, shape, rows)
    return rows.length
  },
  async (tx, shape, rows) => {
    const gone = await makeRoom(tx, shape, rows)
    await insert(tx, shape, rows)
    return rows.length - gone
  },
  async (tx, shape, rows) => {
    let grown = 0
    for (const row of rows) {
      grown += 1 - (await makeRoom(tx, shape, [row]))
      try {
        await insert(tx, shape, [row])
      } catch (thrown) {
        if (thrown instanceof Fault) throw thrown
        throw conflict(`The target does not take the row ${JSON.stringify(keyOf(shape, row))} of the table ${shape.name}: ${(thrown as Error).message}`, { cause: thrown })
      }
    }
    return grown
  },
]

/** Removes whatever has a unique key of these rows, and gives how many they were. */
async function makeRoom(tx: Tx<Any>, shape: Shape, rows: readonly Row[]): Promise<number> {
  let gone = 0
  for (const unique of [shape.key, ...shape.uniques]) {
    const values = rows.map((row) => unique.map((column) => row[column])).filter((one) => !one.includes(null))
    gone += await removeBy(tx, shape, unique, values)
  }
  return gone
}

/** Whether a row came over as it was. Engines tell numbers of some columns as text. */
export function sameRow(shape: Shape, one: Row, other: Row): boolean {
  return shape.columns.every((column) => {
    const [a, b] = [one[column] ?? null, other[column] ?? null]
    if (a === b) return true
    if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
    return a !== null && b !== null && String(a) === String(b)
  })
}

/** Rows of an SQLite file by their keys, each key a JSON array as text. */
export async function rowsOf(db: Sql<Any>, shape: Shape, keys: readonly string[]): Promise<Row[]> {
  let query = db.query
    .selectFrom(sql`json_each(${`[${keys.join(',')}]`})`.as('wanted'))
    .crossJoin(`${shape.name} as found`)
    .select(shape.columns.map((column) => `found.${column}`))
  shape.key.forEach((column, i) => {
    query = query.where(sql<boolean>`${sql.ref(`found.${column}`)} = json_extract(wanted.value, ${sql.lit(`$[${i}]`)})`)
  })
  return (await query.execute()) as Row[]
}

/** Rows of any engine by their keys. */
export async function rowsAt(db: Sql<Any>, shape: Shape, keys: readonly Key[]): Promise<Row[]> {
  const out: Row[] = []
  for (let i = 0; i < keys.length; i += KEYS) {
    const some = keys.slice(i, i + KEYS)
    out.push(...((await db.query.selectFrom(shape.name).select(shape.columns as string[]).where((eb: Any) => eb.or(some.map((key) => eb.and(Object.fromEntries(shape.key.map((column, k) => [column, key[k]])))))).execute()) as Row[]))
  }
  return out
}
