/** Opens PostgreSQL as a `Database`. Transactions are serializable: what is counted in one is still true at its commit; those that guard themselves need not be. */
import { type Dialect, Kysely, PostgresAdapter, PostgresIntrospector, sql } from 'kysely'
import pg from 'pg'
import { HousePostgresCompiler } from './compilers.ts'
import type { Database, OpenOptions } from './database.ts'
import { houseDialect } from './house-driver.ts'
import { PostgresHouseDriver } from './postgres-driver.ts'
import { databaseOf } from './transaction.ts'

/** Measured with two processes that make servers as fast as they can: with three each most gets done; with one a third less, with eight half. */
const AT_ONCE = 3

/** bigint, and the numeric that sums and averages come as: whole numbers up to 2^53 by the contract of `table.ts`. */
const NUMBERS: ReadonlySet<number> = new Set([20, 1700])

/** Waits for whoever has it; it goes with the transaction. */
const hold = async (query: Kysely<never>, key: string): Promise<void> => void (await sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(query))

export function openPostgres<Schema>(options: OpenOptions): Database<Schema> {
  const connections = Math.max(4, options.connections ?? 10)
  // Each serializable transaction may look aside over one more connection: one is always left for that, whatever the others do.
  const at_once = Math.min(AT_ONCE, connections - 2)
  const guarded = { isolation: 'read committed', at_once: connections - at_once - 1, hold } as const
  const pool = new pg.Pool({
    connectionString: options.url,
    max: connections,
    connectionTimeoutMillis: 10_000,
    // What is said is sent at once, without waiting for the answer to what was said before.
    pipeline: true,
    idle_in_transaction_session_timeout: 60_000,
    application_name: 'ondol',
    // A scan of a whole table makes a serializable transaction collide with every writer of that table: an index, where there is one, with a few.
    // The price put on such a scan is beyond any bound, so that a table of ten rows without an index would be worth compiling: 30 ms each time.
    options: `-c enable_seqscan=off -c jit=off${options.durability === 'fast' || options.durability === 'none' ? ' -c synchronous_commit=off' : ''}`,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') => (NUMBERS.has(oid) ? Number : pg.types.getTypeParser(oid, format as 'text'))) as typeof pg.types.getTypeParser,
    },
  })
  // A connection that dies is replaced by the pool, and its query is told; without listeners it would end the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => void client.on('error', () => {}))
  const inner: Dialect = {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new PostgresHouseDriver(pool),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new HousePostgresCompiler(),
  }
  return databaseOf(new Kysely<Schema>({ dialect: houseDialect('postgres', inner, inner.createQueryCompiler, options.onQuery) }), 'postgres', { patient: true, isolation: 'serializable', at_once, guarded })
}
