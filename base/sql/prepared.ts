/**
 * Queries that are built and compiled once, and then only given their values: building a query costs several times what SQLite needs to
 * answer it.
 *
 *     const serverOf = prepared((query: Kysely<NovaTables>, id: string) => query.selectFrom('nova_servers').selectAll().where('id', '=', id))
 *     const [server] = await serverOf(sql, id)
 *
 * `build` runs once per engine with placeholders instead of values, so it may not look at them: every value goes into the query as it is.
 */
import type { CompiledQuery, Compilable, Kysely } from 'kysely'
import type { Engine, Sql } from './database.ts'

class Placeholder {
  readonly index: number

  constructor(index: number) {
    this.index = index
  }
}

interface Ready {
  compiled: CompiledQuery
  /** For each parameter of the statement the argument it takes, or a fixed value. */
  slots: readonly (Placeholder | { fixed: unknown })[]
}

export function prepared<Schema, Args extends readonly unknown[], Row>(build: (query: Kysely<Schema>, ...args: Args) => Compilable<Row>): (sql: Sql<Schema>, ...args: Args) => Promise<Row[]> {
  const byEngine = new Map<Engine, Ready>()
  const ready = (sql: Sql<Schema>): Ready => {
    const compiled = build(sql.query, ...(Array.from({ length: build.length - 1 }, (_, i) => new Placeholder(i)) as unknown as Args)).compile()
    const made: Ready = { compiled, slots: compiled.parameters.map((one) => (one instanceof Placeholder ? one : { fixed: one })) }
    byEngine.set(sql.engine, made)
    return made
  }
  return async (sql, ...args) => {
    const { compiled, slots } = byEngine.get(sql.engine) ?? ready(sql)
    const parameters = slots.map((slot) => (slot instanceof Placeholder ? args[slot.index] : slot.fixed))
    const { rows } = await sql.query.executeQuery<Row>({ query: compiled.query, queryId: compiled.queryId, sql: compiled.sql, parameters })
    return rows
  }
}
