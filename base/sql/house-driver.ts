/**
 * A driver as the houses see it, whatever the engine: duplicates are one Fault, a lost server another, and after a failed statement
 * a transaction takes no more of them (as PostgreSQL has it; so nobody comes to rely on the others going on).
 */
import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryCompiler, QueryResult, TransactionSettings } from 'kysely'
import { underWay } from '../under-way.ts'
import type { Engine, QueryLog } from './database.ts'
import { isRetryable, toFault } from './engine-error.ts'

const STATEMENT_ATTEMPTS = 5

export function houseDialect(engine: Engine, inner: Dialect, createQueryCompiler: () => QueryCompiler, onQuery?: QueryLog): Dialect {
  return {
    createAdapter: () => inner.createAdapter(),
    createDriver: () => new HouseDriver(engine, inner.createDriver(), onQuery),
    createIntrospector: (db) => inner.createIntrospector(db),
    createQueryCompiler,
  }
}

class HouseDriver implements Driver {
  readonly #engine: Engine
  readonly #inner: Driver
  readonly #onQuery: QueryLog | undefined

  constructor(engine: Engine, inner: Driver, onQuery: QueryLog | undefined) {
    this.#engine = engine
    this.#inner = inner
    this.#onQuery = onQuery
  }

  init(): Promise<void> {
    return this.#inner.init()
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    try {
      return new HouseConnection(this.#engine, await timed(this.#engine, () => this.#inner.acquireConnection()), this.#onQuery)
    } catch (thrown) {
      throw toFault(this.#engine, thrown)
    }
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const own = connection as HouseConnection
    await own.guard(() => this.#inner.beginTransaction(own.inner, settings))
    own.state = 'open'
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const own = connection as HouseConnection
    await own.guard(() => this.#inner.commitTransaction(own.inner))
    own.state = 'none'
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    const own = connection as HouseConnection
    // Until another begins: what still comes of this one must not happen outside of any.
    own.state = 'failed'
    await own.guard(() => this.#inner.rollbackTransaction(own.inner))
  }

  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return this.#inner.releaseConnection((connection as HouseConnection).inner)
  }

  destroy(): Promise<void> {
    return this.#inner.destroy()
  }
}

class HouseConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection
  state: 'none' | 'open' | 'failed' = 'none'
  readonly #engine: Engine
  readonly #onQuery: QueryLog | undefined

  constructor(engine: Engine, inner: DatabaseConnection, onQuery: QueryLog | undefined) {
    this.#engine = engine
    this.inner = inner
    this.#onQuery = onQuery
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.state === 'failed') throw new Error('A statement of this transaction failed before: end it, and begin another')
    const began = this.#onQuery ? performance.now() : 0
    for (let attempt = 1; ; attempt++) {
      try {
        return await timed(this.#engine, () => this.inner.executeQuery<R>(query))
      } catch (thrown) {
        // Outside a transaction a statement that lost a deadlock did nothing, and may simply run again.
        if (this.state === 'none' && attempt < STATEMENT_ATTEMPTS && isRetryable(this.#engine, thrown)) continue
        if (this.state === 'open') this.state = 'failed'
        throw toFault(this.#engine, thrown)
      } finally {
        this.#onQuery?.(query.sql, performance.now() - began)
      }
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }

  async guard(run: () => Promise<void>): Promise<void> {
    try {
      await timed(this.#engine, run)
    } catch (thrown) {
      throw toFault(this.#engine, thrown)
    }
  }
}

/** SQLite answers in this process, at once; the others over a socket. */
const timed = <T>(engine: Engine, work: () => Promise<T>): Promise<T> => (engine === 'sqlite' ? work() : underWay(work))
