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
}

export interface Database<Schema = Record<never, never>> extends Sql<Schema> {
  /**
   * All or nothing. Serialization failures and deadlocks are tried again, so `work` may run more than once and must have no
   * effect outside the transaction but through `afterCommit`.
   */
  transaction<T>(work: (tx: Tx<Schema>) => Promise<T>): Promise<T>
  /** The same database with another house's tables. */
  as<Other>(): Database<Other>
  close(): Promise<void>
}

export type QueryLog = (sql: string, milliseconds: number) => void

export interface OpenOptions {
  /** `sqlite:/path/file.db`, `postgres://user:secret@host:port/db`, `mysql://user:secret@host:port/db` (also `mariadb://`). */
  url: string
  /** `safe` syncs every commit to the disk; `fast` leaves that to the system (a crash of the process loses nothing). */
  durability?: 'safe' | 'fast'
  /** Connections at most (PostgreSQL, MariaDB). Default 10. */
  connections?: number
  onQuery?: QueryLog
}
