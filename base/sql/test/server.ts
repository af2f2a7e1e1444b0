/** A database server that a test has started and will stop. */
import type { Engine } from '../database.ts'

export interface SqlServer {
  readonly engine: Engine
  /** Milliseconds from nothing to the first query, initialization included. */
  readonly startedIn: number
  /** Folder of PostgreSQL's unix socket: the way in for processes in other network namespaces. */
  readonly socketFolder?: string
  /** An empty database; its URL for `openDatabase`. */
  createDatabase(): Promise<string>
  /** Ends it as a power cut would. */
  kill(): Promise<void>
  stop(): Promise<void>
}
