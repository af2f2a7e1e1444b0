/** Opens an SQLite file as a `Database`. */
import { Kysely, SqliteAdapter, SqliteIntrospector, type Dialect } from 'kysely'
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
  return databaseOf(new Kysely<Schema>({ dialect: houseDialect('sqlite', inner, inner.createQueryCompiler) }), 'sqlite', { around: (work) => markTransaction(driver, work) })
}
