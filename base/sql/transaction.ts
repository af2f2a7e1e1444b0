/** Builds a `Database` from a Kysely: transactions with `afterCommit`, tried again when the engine asks for it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { IsolationLevel, Kysely } from 'kysely'
import { underWay } from '../under-way.ts'
import type { Database, Engine, Sql, Tx } from './database.ts'
import { isRetryable, toFault } from './engine-error.ts'

const ATTEMPTS = 8
/** Where several processes write at once, losing a race many times over is no accident. */
const PATIENT_ATTEMPTS = 40

interface DatabaseOptions {
  /** Wraps the work of a transaction; the engine may mark it. */
  around?: <T>(work: () => Promise<T>) => Promise<T>
  isolation?: IsolationLevel
  /** Tries a lost race again after a pause by chance, and more often. */
  patient?: boolean
  /**
   * Transactions of this process under way at one moment. Serializable ones that overlap make each other begin anew, and the more overlap the more
   * often: a few at a time get more done than many. (None waits for another of its own process: on SQLite that could never end.)
   */
  at_once?: number
  /** How the engine runs transactions that guard themselves; absent: as the others. */
  guarded?: { isolation: IsolationLevel; at_once: number; hold(query: Kysely<never>, key: string): Promise<void> }
}

/** Lets so many in; the others wait in order. What is returned leaves. */
function turns(most: number): () => Promise<() => void> {
  const waiting: (() => void)[] = []
  let inside = 0
  const leave = (): void => {
    const next = waiting.shift()
    if (next) next()
    else inside--
  }
  return async () => {
    if (inside < most) inside++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    return leave
  }
}

export function databaseOf<Schema>(kysely: Kysely<Schema>, engine: Engine, options: DatabaseOptions = {}): Database<Schema> {
  const attempts = options.patient ? PATIENT_ATTEMPTS : ATTEMPTS
  const turn = options.at_once === undefined ? undefined : turns(options.at_once)
  const guardedTurn = options.guarded && turns(options.guarded.at_once)
  const around = options.around ?? ((work) => work())
  const database: Database<Schema> = {
    engine,
    query: kysely,
    async transaction(work, { guarded = false } = {}) {
      const own = guarded ? options.guarded : undefined
      const isolation = own?.isolation ?? options.isolation
      const hold = async (query: Kysely<Schema>, key: string): Promise<void> => {
        if (!guarded) throw new Error('Only a guarded transaction can hold a key: another may not see what was done under it before')
        await own?.hold(query as unknown as Kysely<never>, key)
      }
      for (let attempt = 1; ; attempt++) {
        const leave = await (own ? guardedTurn : turn)?.()
        const after: (() => void)[] = []
        try {
          const begun = isolation ? kysely.transaction().setIsolationLevel(isolation) : kysely.transaction()
          // A guarded one reads what is committed anyway.
          const result = await begun.execute((trx) => around(() => work(txOf(trx, engine, after, hold, options.guarded && !guarded ? database : undefined))))
          for (const run of after) run()
          return result
        } catch (thrown) {
          if (!isRetryable(engine, thrown) || attempt >= attempts) throw toFault(engine, thrown)
        } finally {
          leave?.()
        }
        if (options.patient) await underWay(() => delay(Math.random() * Math.min(100, 2 ** attempt)))
      }
    },
    as: <Other>() => database as unknown as Database<Other>,
    close: () => kysely.destroy(),
  }
  return database
}

function txOf<Schema>(query: Kysely<Schema>, engine: Engine, after: (() => void)[], hold: (query: Kysely<Schema>, key: string) => Promise<void>, aside: Sql<Schema> = { engine, query }): Tx<Schema> {
  const tx: Tx<Schema> = {
    engine,
    query,
    aside,
    hold: (key) => hold(query, key),
    afterCommit: (run) => void after.push(run),
    as: <Other>() => tx as unknown as Tx<Other>,
  }
  return tx
}
