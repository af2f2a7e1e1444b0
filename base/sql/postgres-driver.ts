/**
 * PostgreSQL's connections, with what saves the server work: statements that come again are planned once per connection, and a transaction begins
 * with its first statement, in one message to the server.
 */
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely'
import type { Pool, PoolClient } from 'pg'

/** A statement gets a name when it comes a second time; of so many. Those with lists of values come in many lengths, and each plan takes memory. */
const NAMES = 1_000
const SEEN = 4_000
/** A migration by another process changed what a plan gives; or a pooler between us and the server has lost it, or has it already. */
const STALE: ReadonlySet<string> = new Set(['0A000', '26000', '42P05'])

export class PostgresHouseDriver implements Driver {
  readonly #pool: Pool
  readonly #names = new Names()
  readonly #connections = new WeakMap<PoolClient, PostgresConnection>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const client = await this.#pool.connect()
    let connection = this.#connections.get(client)
    if (!connection) this.#connections.set(client, (connection = new PostgresConnection(client, this.#names)))
    return connection
  }

  async beginTransaction(connection: DatabaseConnection, { isolationLevel }: TransactionSettings): Promise<void> {
    ;(connection as PostgresConnection).begin(`begin isolation level ${isolationLevel ?? 'serializable'}`)
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as PostgresConnection).end('commit')
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as PostgresConnection).end('rollback')
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    ;(connection as PostgresConnection).release()
  }

  async destroy(): Promise<void> {
    await this.#pool.end()
  }
}

class PostgresConnection implements DatabaseConnection {
  readonly #client: PoolClient
  readonly #names: Names
  /** What begins a transaction and has not been said yet. */
  #unsaid: string | undefined
  #broken = false

  constructor(client: PoolClient, names: Names) {
    this.#client = client
    this.#names = names
  }

  begin(text: string): void {
    this.#unsaid = text
  }

  /** Nothing is said about a transaction in which nothing was. */
  async end(text: string): Promise<void> {
    if (this.#unsaid !== undefined) this.#unsaid = undefined
    else await this.#client.query(text)
  }

  /** A connection with stale plans makes no use of them, and goes; a new one takes its place. */
  release(): void {
    this.#unsaid = undefined
    this.#client.release(this.#broken)
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      const { command, rowCount, rows } = await this.#say(query)
      return COUNTED.has(command) ? { rows: rows as R[], numAffectedRows: BigInt(rowCount ?? 0) } : { rows: (rows ?? []) as R[] }
    } catch (thrown) {
      if (STALE.has((thrown as { code?: string }).code ?? '')) this.#broken = true
      throw thrown
    }
  }

  async #say({ sql, parameters }: CompiledQuery) {
    const name = parameters.length === 0 || this.#broken ? undefined : this.#names.of(sql)
    const said = name === undefined ? { text: sql, values: parameters as unknown[] } : { name, text: sql, values: parameters as unknown[] }
    if (this.#unsaid === undefined) return this.#client.query(said)
    const begin = this.#unsaid
    this.#unsaid = undefined
    // Both go in one write, and are answered one after the other.
    const { stream } = (this.#client as unknown as { connection: { stream: { cork(): void; uncork(): void } } }).connection
    stream.cork()
    const begun = this.#client.query(begin)
    const result = this.#client.query(said)
    stream.uncork()
    // Neither may be left without someone who hears of its failure.
    result.catch(() => {})
    await begun
    return result
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }
}

const COUNTED: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE'])

class Names {
  readonly #named = new Map<string, string>()
  readonly #seen = new Set<string>()

  of(sql: string): string | undefined {
    const name = this.#named.get(sql)
    if (name !== undefined || this.#named.size >= NAMES) return name
    if (!this.#seen.has(sql)) {
      if (this.#seen.size < SEEN) this.#seen.add(sql)
      return undefined
    }
    this.#seen.delete(sql)
    const made = `o${this.#named.size}`
    this.#named.set(sql, made)
    return made
  }
}
