/** Opens an SQLite file as a `Database`. */
import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, type Dialect } from 'kysely'
import type { Database } from './database.ts'
import { databaseOf } from './transaction.ts'
import { markTransaction, SqliteDriver, type SqliteOptions } from './sqlite-driver.ts'

export function openSqlite<Schema>(options: SqliteOptions): Database<Schema> {
  const driver = new SqliteDriver(options)
  const dialect: Dialect = {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
  return databaseOf(new Kysely<Schema>({ dialect }), 'sqlite', { around: (work) => markTransaction(driver, work) })
}
