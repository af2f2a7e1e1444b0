/**
 * Queries that are built and compiled once, and then only given their values: building a query costs several times what SQLite needs to
 * answer it.
 *
 *     const serverOf = prepared((query: Kysely<NovaTables>, id: string) => query.selectFrom('nova_servers').selectAll().where('id', '=', id))
 *     const [server] = await serverOf(sql, id)
 *
 * `build` runs once per engine with placeholders instead of values, so it may not look at them: every value goes into the query as it is.
 */
import type { CompiledQuery, Compilable, Kysely, QueryExecutor } from 'kysely'
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
  return preparedFor(build.length - 1, build)
}

function preparedFor<Schema, Args extends readonly unknown[], Row>(count: number, build: (query: Kysely<Schema>, ...args: Args) => Compilable<Row>): (sql: Sql<Schema>, ...args: Args) => Promise<Row[]> {
  const byEngine = new Map<Engine, Ready>()
  const ready = (sql: Sql<Schema>): Ready => {
    const compiled = build(sql.query, ...(Array.from({ length: count }, (_, i) => new Placeholder(i)) as unknown as Args)).compile()
    const made: Ready = { compiled, slots: compiled.parameters.map((one) => (one instanceof Placeholder ? one : { fixed: one })) }
    byEngine.set(sql.engine, made)
    return made
  }
  return async (sql, ...args) => {
    const { compiled, slots } = byEngine.get(sql.engine) ?? ready(sql)
    const parameters = slots.map((slot) => (slot instanceof Placeholder ? args[slot.index] : slot.fixed))
    const filled: Filled = { query: compiled.query, queryId: compiled.queryId, sql: compiled.sql, parameters, args }
    const { rows } = await sql.query.executeQuery<Row>(filled as CompiledQuery<Row>)
    return rows
  }
}

/** With what it was filled with. */
interface Filled extends CompiledQuery {
  readonly args: readonly unknown[]
}

/** The same query for another engine than it was compiled for. */
export function recompiled(query: CompiledQuery, executor: QueryExecutor): CompiledQuery {
  const again = executor.compileQuery(query.query, query.queryId)
  const { args } = query as Partial<Filled>
  return args ? { ...again, parameters: again.parameters.map((one) => (one instanceof Placeholder ? args[one.index] : one)) } : again
}

const byShape = new Map<string, (sql: Sql<never>, ...values: unknown[]) => Promise<unknown[]>>()

/** The rows whose columns have these values, in this order: the most frequent question of all, each shape of it compiled once. */
export function rowsBy<Row>(sql: Sql<never>, table: string, key: Readonly<Record<string, unknown>>, order: readonly string[] = [], columns?: readonly string[]): Promise<Row[]> {
  const names = Object.keys(key)
  const shape = `${table}|${names.join()}|${order.join()}|${columns ? columns.join() : '*'}`
  let ask = byShape.get(shape)
  if (!ask) {
    // The table is a value here, which Kysely's types cannot follow.
    // oxlint-disable-next-line no-explicit-any
    const build = (query: Kysely<any>, ...values: unknown[]): Compilable<unknown> => {
      let select = columns ? query.selectFrom(table).select(columns as string[]) : query.selectFrom(table).selectAll()
      names.forEach((name, i) => {
        select = select.where(name, '=', values[i])
      })
      for (const name of order) select = select.orderBy(name)
      return select
    }
    byShape.set(shape, (ask = preparedFor(names.length, build) as never))
  }
  return ask(sql, ...Object.values(key)) as Promise<Row[]>
}
