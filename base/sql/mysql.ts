/**
 * Opens MariaDB (10.11 and later) or MySQL as a `Database`. The session speaks standard SQL: double quotes are names, a backslash is a
 * backslash, too long a text is an error. Values always travel apart from the statement (prepared statements), never inside its text.
 */
import { CompiledQuery, type DatabaseConnection, type Driver, Kysely, MysqlAdapter, MysqlIntrospector, type QueryResult, type TransactionSettings } from 'kysely'
import mysql, { type Pool, type PoolConnection, type ResultSetHeader } from 'mysql2'
import { HouseMysqlCompiler, ignoresOneDuplicate } from './compilers.ts'
import type { Database, OpenOptions } from './database.ts'
import { isDuplicate } from './engine-error.ts'
import { houseDialect } from './house-driver.ts'
import { databaseOf } from './transaction.ts'

const SESSION = [
  `SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`,
  // What is counted in a transaction is still true at its commit.
  'SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE',
]

export function openMysql<Schema>(options: OpenOptions): Database<Schema> {
  const pool = mysql.createPool({
    uri: options.url.replace(/^mariadb:/, 'mysql:'),
    connectionLimit: options.connections ?? 10,
    connectTimeout: 10_000,
    maxPreparedStatements: 500,
    charset: 'UTF8MB4_BIN',
    decimalNumbers: true,
    supportBigNumbers: true,
    enableKeepAlive: true,
    // Short binary columns are names kept as bytes (`name` of table.ts); long ones are bytes.
    typeCast: (field: { type: string; string(encoding?: string): string | null }, next: () => unknown) => (field.type === 'VAR_STRING' ? field.string('utf8') : next()),
  })
  const inner = {
    createAdapter: () => new MysqlAdapter(),
    createDriver: () => new MysqlDriver(pool),
    createIntrospector: (db: Kysely<Schema>) => new MysqlIntrospector(db),
    createQueryCompiler: () => new HouseMysqlCompiler(),
  }
  return databaseOf(new Kysely<Schema>({ dialect: houseDialect('mysql', inner, inner.createQueryCompiler, options.onQuery) }), 'mysql', { patient: true })
}

class MysqlDriver implements Driver {
  readonly #pool: Pool
  /** Connections whose session is set up. */
  readonly #ready = new WeakSet<PoolConnection>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const raw = await new Promise<PoolConnection>((resolve, reject) => this.#pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection))))
    const connection = new MysqlConnection(raw)
    if (!this.#ready.has(raw)) {
      try {
        for (const statement of SESSION) await connection.executeQuery(CompiledQuery.raw(statement))
      } catch (thrown) {
        raw.destroy()
        throw thrown
      }
      this.#ready.add(raw)
    }
    return connection
  }

  async beginTransaction(connection: DatabaseConnection, _settings: TransactionSettings): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    ;(connection as MysqlConnection).raw.release()
  }

  async destroy(): Promise<void> {
    await new Promise<void>((resolve, reject) => this.#pool.end((error) => (error ? reject(error) : resolve())))
  }
}

class MysqlConnection implements DatabaseConnection {
  readonly raw: PoolConnection

  constructor(raw: PoolConnection) {
    this.raw = raw
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      const result = await this.#run(query.sql, query.parameters)
      if (Array.isArray(result)) return { rows: result as R[] }
      return { rows: [], insertId: BigInt(result.insertId), numAffectedRows: BigInt(result.affectedRows) }
    } catch (thrown) {
      if (isDuplicate('mysql', thrown) && ignoresOneDuplicate(query.query)) return { rows: [], numAffectedRows: 0n }
      throw thrown
    }
  }

  #run(sql: string, parameters: readonly unknown[]): Promise<unknown[] | ResultSetHeader> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, result: unknown): void => (error ? reject(error) : resolve(result as unknown[] | ResultSetHeader))
      // Some statements (begin, DDL) cannot be prepared on every server; they have no values.
      if (parameters.length === 0) this.raw.query(sql, done)
      else this.raw.execute(sql, parameters.map(wireValue) as never[], done)
    })
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }
}

/** Whole numbers go as such: the client would send them as floating point, which LIMIT refuses and which loses an index. */
function wireValue(value: unknown): unknown {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return mysql.TypedParameter.LONGLONG(value)
  if (typeof value === 'boolean') return value ? 1 : 0
  return value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : (value ?? null)
}
