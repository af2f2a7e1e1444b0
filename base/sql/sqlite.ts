/** Opens an SQLite file as a `Database`. */
import { type CompiledQuery, type Dialect, Kysely, type QueryExecutor, type QueryResult, SqliteAdapter, SqliteIntrospector } from 'kysely'
import { HouseSqliteCompiler } from './compilers.ts'
import type { Database } from './database.ts'
import { houseDialect } from './house-driver.ts'
import { databaseOf } from './transaction.ts'
import { markTransaction, SqliteDriver, type SqliteOptions } from './sqlite-driver.ts'

export function openSqlite<Schema>(options: SqliteOptions): Database<Schema> {
  const driver = new SqliteDriver(options)
  const inner: Dialect = {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new HouseSqliteCompiler(),
  }
  const kysely = new Kysely<Schema>({ dialect: houseDialect('sqlite', inner, inner.createQueryCompiler) })
  readAtOnce(kysely.getExecutor(), driver)
  return databaseOf(kysely, 'sqlite', { around: (work) => markTransaction(driver, work) })
}

/**
 * A read outside a transaction needs no connection of its own and waits for nobody: it is answered at once, without the way through Kysely's
 * connections, which costs more than the read. What fails goes that way after all: it knows what to try again and how to say it. (A
 * transaction makes an executor of its own, and keeps it.)
 */
function readAtOnce(executor: QueryExecutor, driver: SqliteDriver): void {
  const theLongWay = executor.executeQuery.bind(executor)
  executor.executeQuery = <R>(query: CompiledQuery<unknown>): Promise<QueryResult<R>> => {
    if (query.query.kind !== 'SelectQueryNode' || !driver.open) return theLongWay<R>(query as CompiledQuery<R>)
    try {
      return Promise.resolve(driver.run<R>(query, false))
    } catch {
      return theLongWay<R>(query as CompiledQuery<R>)
    }
  }
}
