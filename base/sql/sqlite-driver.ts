/**
 * Kysely on `node:sqlite`. Statements are synchronous, so one connection writes and another reads (WAL lets both go on). A
 * transaction holds the writer from BEGIN IMMEDIATE to its end; single writes queue behind it. Reads outside a transaction
 * never wait.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { QueryLog } from './database.ts'

const inTransaction = new AsyncLocalStorage<object>()

export interface SqliteOptions {
  path: string
  durability: 'safe' | 'fast'
  onQuery?: QueryLog
}

class Handle {
  readonly database: DatabaseSync
  readonly #statements = new LRUCache<string, StatementSync>({ max: 1000 })

  constructor(options: SqliteOptions) {
    this.database = new DatabaseSync(options.path, { timeout: 10_000 })
    this.database.exec('PRAGMA journal_mode = WAL')
    this.database.exec(`PRAGMA synchronous = ${options.durability === 'safe' ? 'FULL' : 'NORMAL'}`)
    this.database.exec('PRAGMA foreign_keys = ON; PRAGMA cache_size = -32000; PRAGMA temp_store = MEMORY')
  }

  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  close(): void {
    this.#statements.clear()
    this.database.close()
  }
}

export class SqliteDriver implements Driver {
  readonly #options: SqliteOptions
  #writer!: Handle
  #reader!: Handle
  #lock: Promise<void> = Promise.resolve()

  constructor(options: SqliteOptions) {
    this.#options = options
  }

  async init(): Promise<void> {
    this.#writer = new Handle(this.#options)
    this.#reader = new Handle(this.#options)
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new SqliteConnection(this)
  }

  async releaseConnection(): Promise<void> {}

  async beginTransaction(connection: DatabaseConnection, _settings: TransactionSettings): Promise<void> {
    const own = connection as SqliteConnection
    own.release = await this.lockWriter()
    this.#writer.prepare('BEGIN IMMEDIATE').run()
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      this.#writer.prepare('COMMIT').run()
    } finally {
      ;(connection as SqliteConnection).unlock()
    }
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      if (this.#writer.database.isTransaction) this.#writer.prepare('ROLLBACK').run()
    } finally {
      ;(connection as SqliteConnection).unlock()
    }
  }

  async destroy(): Promise<void> {
    this.#reader?.close()
    this.#writer?.close()
  }

  /** Waits for the writer; the returned function gives it back. */
  async lockWriter(): Promise<() => void> {
    const before = this.#lock
    let release!: () => void
    this.#lock = new Promise((resolve) => {
      release = resolve
    })
    await before
    return release
  }

  get locked(): Promise<void> {
    return this.#lock
  }

  run<R>(query: CompiledQuery, writer: boolean): QueryResult<R> {
    const began = this.#options.onQuery ? performance.now() : 0
    const statement = (writer ? this.#writer : this.#reader).prepare(query.sql)
    const parameters = query.parameters as SQLInputValue[]
    let result: QueryResult<R>
    if (statement.columns().length > 0) {
      result = { rows: statement.all(...parameters) as R[] }
    } else {
      const done = statement.run(...parameters)
      result = { rows: [], numAffectedRows: BigInt(done.changes), insertId: BigInt(done.lastInsertRowid) }
    }
    this.#options.onQuery?.(query.sql, performance.now() - began)
    return result
  }
}

class SqliteConnection implements DatabaseConnection {
  release: (() => void) | undefined
  readonly #driver: SqliteDriver

  constructor(driver: SqliteDriver) {
    this.#driver = driver
  }

  unlock(): void {
    this.release?.()
    this.release = undefined
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.release) return this.#driver.run(query, true)
    if (query.query.kind === 'SelectQueryNode') return this.#driver.run(query, false)
    if (inTransaction.getStore() === this.#driver) {
      throw new Error('A write outside the transaction that is open around it would wait for itself: pass the transaction on')
    }
    const release = await this.#driver.lockWriter()
    try {
      return this.#driver.run(query, true)
    } finally {
      release()
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }
}

/** Marks `work` as running inside a transaction of this driver, so that a write beside it is refused and not waited for. */
export function markTransaction<T>(driver: object, work: () => Promise<T>): Promise<T> {
  return inTransaction.run(driver, work)
}
