/** Builds a `Database` from a Kysely: transactions with `afterCommit`, tried again when the engine asks for it. */
import type { Kysely } from 'kysely'
import type { Database, Engine, Tx } from './database.ts'
import { isRetryable, toFault } from './engine-error.ts'

const ATTEMPTS = 8

interface DatabaseOptions {
  /** Wraps the work of a transaction; the engine may mark it. */
  around?: <T>(work: () => Promise<T>) => Promise<T>
}

export function databaseOf<Schema>(kysely: Kysely<Schema>, engine: Engine, options: DatabaseOptions = {}): Database<Schema> {
  const around = options.around ?? ((work) => work())
  const database: Database<Schema> = {
    engine,
    query: kysely,
    async transaction(work) {
      for (let attempt = 1; ; attempt++) {
        const after: (() => void)[] = []
        try {
          const result = await kysely.transaction().execute((trx) => around(() => work(txOf(trx, engine, after))))
          for (const run of after) run()
          return result
        } catch (thrown) {
          if (attempt < ATTEMPTS && isRetryable(engine, thrown)) continue
          throw toFault(engine, thrown)
        }
      }
    },
    as: <Other>() => database as unknown as Database<Other>,
    close: () => kysely.destroy(),
  }
  return database
}

function txOf<Schema>(query: Kysely<Schema>, engine: Engine, after: (() => void)[]): Tx<Schema> {
  const tx: Tx<Schema> = {
    engine,
    query,
    afterCommit: (run) => void after.push(run),
    as: <Other>() => tx as unknown as Tx<Other>,
  }
  return tx
}
