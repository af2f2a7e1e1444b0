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
  /** `none`: nothing is ever synced to the disk; for databases that nobody wants after the process. */
  durability: 'safe' | 'fast' | 'none'
  onQuery?: QueryLog
}

/**
 * A statement and how its rows are made. Asking a statement for its columns costs as much as a small query, and rows that node:sqlite
 * builds itself are slow to read, so each statement's columns are learnt once and its rows made of arrays.
 */
interface Prepared {
  statement: StatementSync
  /** Absent when it answers no rows. */
  rows?: { width: number; make: (values: unknown[]) => unknown }
}

function prepared(statement: StatementSync): Prepared {
  const names = statement.columns().map((column) => column.name)
  if (names.length === 0) return { statement }
  statement.setReturnArrays(true)
  // A literal with all its keys has one hidden class from its birth.
  const literal = names.map((name, i) => `${JSON.stringify(name)}: values[${i}]`).join(', ')
  // The text is made of names of columns alone, each quoted.
  // oxlint-disable-next-line no-new-func, no-implied-eval
  return { statement, rows: { width: names.length, make: new Function('values', `return {${literal}}`) as (values: unknown[]) => unknown } }
}

class Handle {
  readonly database: DatabaseSync
  readonly #statements = new LRUCache<string, Prepared>({ max: 1000 })

  constructor(options: SqliteOptions) {
    this.database = new DatabaseSync(options.path, { timeout: 10_000 })
    this.database.exec(`PRAGMA synchronous = ${{ safe: 'FULL', fast: 'NORMAL', none: 'OFF' }[options.durability]}`)
    this.database.exec('PRAGMA journal_mode = WAL')
    this.database.exec('PRAGMA foreign_keys = ON; PRAGMA cache_size = -32000; PRAGMA temp_store = MEMORY')
  }

  prepare(sql: string): Prepared {
    return this.#statements.get(sql) ?? this.#learn(sql)
  }

  all<R>(sql: string, parameters: SQLInputValue[]): R[] | undefined {
    const { statement, rows } = this.prepare(sql)
    if (!rows) return undefined
    const found = statement.all(...parameters) as unknown as unknown[][]
    // `select *` has other columns once a migration has run.
    const make = found.length > 0 && found[0]!.length !== rows.width ? this.#learn(sql).rows!.make : rows.make
    return found.map((values) => make(values) as R)
  }

  #learn(sql: string): Prepared {
    const made = prepared(this.database.prepare(sql))
    this.#statements.set(sql, made)
    return made
  }

  close(): void {
    this.#statements.clear()
    this.database.close()
  }
}

export class SqliteDriver implements Driver {
  /** Between `init` and `destroy`. */
  open = false
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
    this.open = true
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new SqliteConnection(this)
  }

  async releaseConnection(): Promise<void> {}

  async beginTransaction(connection: DatabaseConnection, _settings: TransactionSettings): Promise<void> {
    const own = connection as SqliteConnection
    own.release = await this.lockWriter()
    this.#writer.prepare('BEGIN IMMEDIATE').statement.run()
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      this.#writer.prepare('COMMIT').statement.run()
    } finally {
      ;(connection as SqliteConnection).unlock()
    }
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      if (this.#writer.database.isTransaction) this.#writer.prepare('ROLLBACK').statement.run()
    } finally {
      ;(connection as SqliteConnection).unlock()
    }
  }

  async destroy(): Promise<void> {
    this.open = false
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
    const handle = writer ? this.#writer : this.#reader
    const parameters = query.parameters as SQLInputValue[]
    const rows = handle.all<R>(query.sql, parameters)
    let result: QueryResult<R>
    if (rows) result = { rows }
    else {
      const done = handle.prepare(query.sql).statement.run(...parameters)
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
