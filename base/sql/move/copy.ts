/** Copies tables from one database to another in slices, by their keys. How far it came is committed with each slice. */
import type { Database } from '../database.ts'
import type { Any, Shape } from './catalog.ts'
import { keyOf, type Key, put, slice } from './rows.ts'
import { keepEmpty, keepProgress, progressOf, type TableProgress } from './target.ts'

export interface TableMove { table: string; rows: number }

export interface MoveOptions {
  now(): number
  /** Rows in a slice at most. Default 250. */
  batch?: number
  signal?: AbortSignal
  report?(move: TableMove): void
  /** Between two slices: lets others do something. */
  yielding?(): Promise<void>
}

const BATCH = 250

/** The tables that are done; fewer than all when it was stopped. */
export async function copyTables(source: Database<Any>, target: Database<Any>, shapes: readonly Shape[], options: MoveOptions): Promise<TableMove[]> {
  const begun = await progressOf(target)
  const done: TableMove[] = []
  // Most tables are empty, and each would cost a transaction over the wire.
  const empty: string[] = []
  for (const shape of shapes) if (begun.get(shape.name)?.last_key === null && (await slice(source, shape, undefined, 1)).length === 0) empty.push(shape.name)
  await keepEmpty(target, empty, options.now())
  for (const shape of shapes) {
    const state = begun.get(shape.name) ?? { last_key: null, row_count: 0, ended_at: null }
    if (empty.includes(shape.name)) state.ended_at = options.now()
    const rows = state.ended_at === null ? await copyTable(source, target, shape, state, options) : state.row_count
    if (options.signal?.aborted) return done
    done.push({ table: shape.name, rows })
    await options.yielding?.()
  }
  return done
}

async function copyTable(source: Database<Any>, target: Database<Any>, shape: Shape, state: TableProgress, options: MoveOptions): Promise<number> {
  const batch = Math.max(1, Math.min(options.batch ?? BATCH, Math.floor(10_000 / shape.columns.length)))
  let last: Key | undefined = state.last_key === null ? undefined : (JSON.parse(state.last_key) as unknown[])
  let count = state.row_count
  while (!options.signal?.aborted) {
    const rows = await slice(source, shape, last, batch)
    const end = rows.length < batch
    if (rows.length > 0) last = keyOf(shape, rows.at(-1)!)
    count += rows.length
    const at: TableProgress = { last_key: last ? JSON.stringify(last) : null, row_count: count, ended_at: end ? options.now() : null }
    await put(target, [{ shape, keys: [], rows }], (tx) => keepProgress(tx, shape.name, at))
    options.report?.({ table: shape.name, rows: count })
    if (end) break
    await options.yielding?.()
  }
  return count
}
