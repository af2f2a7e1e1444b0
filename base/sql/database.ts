/**
 * The database as the houses see it: Kysely over SQLite, PostgreSQL or MariaDB/MySQL, with what differs between them hidden
 * here. Only `store/` rooms, the flow engine and migrations speak it (law 8).
 *
 * Columns are kept to what is the same everywhere: text, whole numbers (`number`; instants are milliseconds), and JSON as
 * text. Booleans are 0 and 1.
 */
import type { Kysely } from 'kysely'

export type Engine = 'sqlite' | 'postgres' | 'mysql'

/** What a query function of `store/` takes: a database, or a transaction under way. */
export interface Sql<Schema> {
  readonly engine: Engine
  readonly query: Kysely<Schema>
}

export interface Tx<Schema> extends Sql<Schema> {
  /** Runs after a successful commit, in order; never when the transaction fails. */
  afterCommit(run: () => void): void
  /** The same transaction seen with another house's tables. */
  as<Other>(): Tx<Other>
  /**
   * From here on whoever holds the same key elsewhere has ended, and what they did is seen; others wait for this transaction's end. So what is
   * counted after it is still true at the commit, as long as everyone who adds to it holds the key first. In `guarded` transactions only.
   */
  hold(key: string): Promise<void>
  /**
   * For looking around where a unique key has the last word: what is read here need not be true at the commit, and may not show what this
   * transaction did. On PostgreSQL that is outside of the transaction, so that nobody collides with it.
   */
  readonly aside: Sql<Schema>
}

export interface TransactionOptions {
  /**
   * Everything that this transaction decides by is guarded by itself: a condition in the update that writes it, a unique key, a row that it has
   * written or locked before, a key that it holds. It then waits where a serializable one would have to begin anew. PostgreSQL runs it `read committed`.
   */
  guarded?: boolean
}

export interface Database<Schema = Record<never, never>> extends Sql<Schema> {
  /**
   * All or nothing. Serialization failures and deadlocks are tried again, so `work` may run more than once and must have no
   * effect outside the transaction but through `afterCommit`.
   */
  transaction<T>(work: (tx: Tx<Schema>) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** The same database with another house's tables. */
  as<Other>(): Database<Other>
  close(): Promise<void>
}

export type QueryLog = (sql: string, milliseconds: number) => void

export interface OpenOptions {
  /** `sqlite:/path/file.db`, `postgres://user:secret@host:port/db`, `mysql://user:secret@host:port/db` (also `mariadb://`). */
  url: string
  /** `safe` syncs every commit to the disk; `fast` leaves that to the system (a crash of the process loses nothing); `none` never asks for it: for tests. */
  durability?: 'safe' | 'fast' | 'none'
  /** Connections at most (PostgreSQL, MariaDB). Default 10. */
  connections?: number
  onQuery?: QueryLog
}
