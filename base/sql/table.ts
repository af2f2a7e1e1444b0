/**
 * Tables as data, and the migrations that make them, the same on every engine.
 *
 *     export const initial: Migration = { name: '0001-initial', up: async (m) => {
 *       await m.createTable('placement_traits', { id: id(), name: string(255) }, { primary: ['id'], unique: [['name']] })
 *     } }
 */
import { sql, type Kysely } from 'kysely'
import type { Database, Engine } from './database.ts'

export interface Column {
  type: 'string' | 'name' | 'text' | 'int' | 'big' | 'double' | 'bytes'
  length?: number
  nullable: boolean
  default?: string | number
}

/** A UUID in either spelling, or a short name. */
export const id = (): Column => ({ type: 'string', length: 64, nullable: false })
export const string = (length = 255): Column => ({ type: 'string', length, nullable: false })
/** Text of at most `length` bytes of UTF-8 that may stand in a key where `string` of that length would be too long for MariaDB. */
export const name = (length: number): Column => ({ type: 'name', length, nullable: false })
/** Unbounded text; not indexable. */
export const text = (): Column => ({ type: 'text', nullable: false })
/** JSON kept as text; parse it in the store. */
export const json = text
/** Whole number up to 2^31. */
export const int = (): Column => ({ type: 'int', nullable: false })
/** Whole number up to 2^53: milliseconds since the epoch, bytes. */
export const big = (): Column => ({ type: 'big', nullable: false })
export const double = (): Column => ({ type: 'double', nullable: false })
/** 0 or 1. */
export const flag = (): Column => ({ type: 'int', nullable: false })
export const bytes = (): Column => ({ type: 'bytes', nullable: false })
export const nullable = (column: Column): Column => ({ ...column, nullable: true })
export const withDefault = (column: Column, value: string | number): Column => ({ ...column, default: value })

export interface TableKeys {
  primary: readonly string[]
  unique?: readonly (readonly string[])[]
  index?: readonly (readonly string[])[]
}

export interface Migrator {
  readonly engine: Engine
  // Migrations see tables that no longer have types.
  // oxlint-disable-next-line no-explicit-any
  readonly query: Kysely<any>
  createTable(name: string, columns: Readonly<Record<string, Column>>, keys: TableKeys): Promise<void>
  addColumn(table: string, name: string, column: Column): Promise<void>
  createIndex(table: string, columns: readonly string[], unique?: boolean): Promise<void>
}

export interface Migration {
  name: string
  up(migrator: Migrator): Promise<void>
}

export interface HouseMigrations {
  /** Prefix of the house's tables, without underscore. */
  house: string
  migrations: readonly Migration[]
}

/** Brings every house's tables up to date, each missing migration in its own transaction. Safe to call from several processes. */
export async function migrate(database: Database, houses: readonly HouseMigrations[], now: number): Promise<string[]> {
  // oxlint-disable-next-line no-explicit-any
  const db = database.as<any>()
  return withLock(db, LOCK, (query) => migrateLocked(db, query, houses, now))
}

// oxlint-disable-next-line no-explicit-any
async function migrateLocked(db: Database<any>, query: Kysely<any>, houses: readonly HouseMigrations[], now: number): Promise<string[]> {
  const base = migratorOf(query, db.engine)
  await query.schema
    .createTable('schema_migrations')
    .ifNotExists()
    .addColumn('house', 'varchar(64)', (c) => c.notNull())
    .addColumn('name', 'varchar(128)', (c) => c.notNull())
    .addColumn('applied_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('schema_migrations_pk', ['house', 'name'])
    .execute()
  const rows = await query.selectFrom('schema_migrations').select(['house', 'name']).execute()
  const done = new Set(rows.map((row: { house: string; name: string }) => `${row.house}/${row.name}`))
  const applied: string[] = []
  const missing = houses.flatMap(({ house, migrations }) => migrations.filter((one) => !done.has(`${house}/${one.name}`)).map((one) => ({ house, one })))
  if (missing.length === 0) return applied
  const apply = async (m: Migrator): Promise<void> => {
    for (const { house, one } of missing) {
      const seen = await m.query.selectFrom('schema_migrations').select('name').where('house', '=', house).where('name', '=', one.name).execute()
      if (seen.length > 0) continue
      await one.up(m)
      await m.query.insertInto('schema_migrations').values({ house, name: one.name, applied_at: now }).execute()
      applied.push(`${house}/${one.name}`)
    }
  }
  // MariaDB commits on every DDL statement, so one transaction would promise what it cannot hold.
  if (db.engine === 'mysql') await apply(base)
  else
    await db.transaction((tx) => {
      applied.length = 0
      return apply(migratorOf(tx.query, tx.engine))
    })
  return applied
}

/** Of several processes on one database, one does the work of this number at a time. Not to be nested in itself. */
export async function alone<T>(database: Database, number: number, work: () => Promise<T>): Promise<T> {
  // oxlint-disable-next-line no-explicit-any
  return withLock(database.as<any>(), LOCK + number, work)
}

const LOCK = 1_869_505_388 // "ondl"

/** For migrations: two at a time would make the same table. The lock belongs to one connection, which is held meanwhile. */
// oxlint-disable-next-line no-explicit-any
async function withLock<T>(db: Database<any>, number: number, work: (query: Kysely<any>) => Promise<T>): Promise<T> {
  if (db.engine === 'sqlite') return work(db.query)
  const [lock, unlock] =
    db.engine === 'postgres'
      ? [sql`select pg_advisory_lock(${sql.lit(number)})`, sql`select pg_advisory_unlock(${sql.lit(number)})`]
      : [sql`select get_lock(concat(database(), ${sql.lit(`.ondol${number}`)}), 600)`, sql`select release_lock(concat(database(), ${sql.lit(`.ondol${number}`)}))`]
  return db.query.connection().execute(async (query) => {
    await lock.execute(query)
    try {
      return await work(query)
    } finally {
      await unlock.execute(query)
    }
  })
}

// oxlint-disable-next-line no-explicit-any
function migratorOf(query: Kysely<any>, engine: Engine): Migrator {
  const migrator: Migrator = {
    engine,
    query,
    async createTable(name, columns, keys) {
      const parts = Object.entries(columns).map(([column, spec]) => `${quote(engine, column)} ${columnSql(engine, spec)}`)
      parts.push(`PRIMARY KEY (${keys.primary.map((c) => quote(engine, c)).join(', ')})`)
      const indexes = [...(keys.unique ?? []).map((one) => ({ columns: one, unique: true })), ...(keys.index ?? []).map((one) => ({ columns: one, unique: false }))]
      const suffix = engine === 'mysql' ? ' CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : engine === 'sqlite' && keys.primary.length > 1 ? ' WITHOUT ROWID' : ''
      // On a server with its indexes in one go: there is a way to it and back for every statement.
      if (engine === 'mysql') parts.push(...indexes.map((one) => `${one.unique ? 'UNIQUE ' : ''}INDEX ${quote(engine, indexName(name, one.columns, one.unique))} (${columnList(engine, one.columns, one.unique)})`))
      const statements = [`CREATE TABLE ${quote(engine, name)} (${parts.join(', ')})${suffix}`, ...(engine === 'mysql' ? [] : indexes.map((one) => indexSql(engine, name, one.columns, one.unique)))]
      for (const statement of engine === 'postgres' ? [statements.join('; ')] : statements) await sql.raw(statement).execute(query)
    },
    async addColumn(table, name, column) {
      await sql.raw(`ALTER TABLE ${quote(engine, table)} ADD COLUMN ${quote(engine, name)} ${columnSql(engine, column)}`).execute(query)
    },
    async createIndex(table, columns, unique = false) {
      await sql.raw(indexSql(engine, table, columns, unique)).execute(query)
    },
  }
  return migrator
}

const indexName = (table: string, columns: readonly string[], unique: boolean): string => `${table}_${columns.join('_')}`.slice(0, 56) + (unique ? '_uq' : '_ix')

// PostgreSQL sorts by an index only when it has the nulls where the query wants them: first, as everywhere (compilers.ts).
const columnList = (engine: Engine, columns: readonly string[], unique: boolean): string => columns.map((c) => quote(engine, c) + (engine === 'postgres' && !unique ? ' NULLS FIRST' : '')).join(', ')

const indexSql = (engine: Engine, table: string, columns: readonly string[], unique: boolean): string =>
  `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${quote(engine, indexName(table, columns, unique))} ON ${quote(engine, table)} (${columnList(engine, columns, unique)})`

function quote(engine: Engine, name: string): string {
  return engine === 'mysql' ? `\`${name}\`` : `"${name}"`
}

function columnSql(engine: Engine, column: Column): string {
  // Text compares and sorts by its bytes on every engine.
  const collation = engine === 'postgres' ? ' COLLATE "C"' : ''
  const type = {
    string: `varchar(${column.length ?? 255})${collation}`,
    name: engine === 'mysql' ? `varbinary(${column.length})` : `varchar(${column.length})${collation}`,
    text: engine === 'mysql' ? 'mediumtext' : `text${collation}`,
    int: 'integer',
    big: 'bigint',
    double: engine === 'sqlite' ? 'real' : 'double precision',
    bytes: engine === 'postgres' ? 'bytea' : engine === 'mysql' ? 'longblob' : 'blob',
  }[column.type]
  const fallback = column.default === undefined ? '' : ` DEFAULT ${typeof column.default === 'number' ? column.default : `'${column.default.replaceAll("'", "''")}'`}`
  return `${type}${column.nullable ? '' : ' NOT NULL'}${fallback}`
}
