/** Brings into the target what has changed in the source since it was written down there: the rows as they are now, or that they are gone. */
import type { Database, Sql } from '../database.ts'
import type { Any, Shape } from './catalog.ts'
import { type Key, put, rowsOf } from './rows.ts'
import { changesOf, countChanges, dropChanges } from './source.ts'

/** A row that differs and may yet be on its way. */
export interface Suspect { shape: Shape; key: string }

/** Of many that wait, more at a time: it must be faster than those who write. */
const [AT_ONCE, WHEN_MANY] = [1_000, 5_000]

const isDatabase = (source: Sql<Any> | Database<Any>): source is Database<Any> => 'transaction' in source

/**
 * The oldest changes; gives how many. First the target has them, then they are struck out: who dies in between does it again. `source` may be a transaction
 * of the source, which then holds the striking out too. `grown` gets the rows by which each table has grown.
 */
export async function catchUp(source: Sql<Any> | Database<Any>, target: Database<Any>, shapes: ReadonlyMap<string, Shape>, grown: Map<string, number>): Promise<number> {
  const changes = await changesOf(source, (await countChanges(source)) > 2 * AT_ONCE ? WHEN_MANY : AT_ONCE)
  const last = changes.at(-1)
  if (!last) return 0
  const byTable = new Map<string, Set<string>>()
  for (const { table_name, row_key } of changes) byTable.set(table_name, (byTable.get(table_name) ?? new Set()).add(row_key))
  const puts = []
  for (const [table, keys] of byTable) {
    const shape = shapes.get(table)
    if (shape) puts.push({ shape, keys: [...keys].map((key) => JSON.parse(key) as Key), rows: await rowsOf(source, shape, [...keys]) })
  }
  const more = await put(target, puts, async () => {})
  for (const [table, count] of more) grown.set(table, (grown.get(table) ?? 0) + count)
  if (isDatabase(source)) await source.transaction((tx) => dropChanges(tx, last.id))
  else await dropChanges(source, last.id)
  return changes.length
}
