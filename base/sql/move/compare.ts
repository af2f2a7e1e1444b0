/** Every row beside its copy, while both change: what differs is looked at again, unless it is on its way. */
import { conflict } from '../../fault.ts'
import type { Database } from '../database.ts'
import type { Suspect } from './catch-up.ts'
import type { Any, Shape } from './catalog.ts'
import { type Key, keyOf, type Row, rowsAt, rowsOf, sameRow, slice, span } from './rows.ts'
import { waitingIn } from './source.ts'

/** Adds the rows that differ or stand on one side alone to `found`, and gives how many were compared. `empty`: the target is known to have none. */
export async function compare(source: Database<Any>, target: Database<Any>, shape: Shape, { batch, empty }: { batch: number; empty: boolean }, found: Suspect[], yielding: () => Promise<void>): Promise<number> {
  let last: Key | undefined
  for (let count = 0; ; ) {
    const rows = await slice(source, shape, last, batch)
    const end = rows.length < batch
    const upTo = end ? undefined : keyOf(shape, rows.at(-1)!)
    const copies = empty ? [] : await span(target, shape, last, upTo, batch)
    const there = new Map(copies.map((row) => [JSON.stringify(keyOf(shape, row)), row]))
    for (const row of rows) {
      const key = JSON.stringify(keyOf(shape, row))
      const copy = there.get(key)
      if (!copy || !sameRow(shape, row, copy)) found.push({ shape, key })
      there.delete(key)
    }
    for (const key of there.keys()) found.push({ shape, key })
    count += rows.length
    if (end) return count
    last = upTo
    await yielding()
  }
}

/** Throws `conflict` when a row is another in the target although nothing of it is on its way. Since they were found nothing may have been written to the target. */
export async function recheck(source: Database<Any>, target: Database<Any>, suspects: readonly Suspect[]): Promise<void> {
  for (const shape of new Set(suspects.map((one) => one.shape))) {
    const keys = suspects.filter((one) => one.shape === shape).map((one) => one.key)
    const rows = byKey(shape, await rowsOf(source, shape, keys))
    // Looked up after the rows were read: what changes meanwhile is among them, and is written over the copy whatever that is.
    const waiting = await waitingIn(source, shape.name)
    const judged = keys.filter((key) => !waiting.has(key))
    const copies = byKey(shape, await rowsAt(target, shape, judged.map((key) => JSON.parse(key) as Key)))
    for (const key of judged) {
      const [row, copy] = [rows.get(key), copies.get(key)]
      if (row === undefined ? copy === undefined : copy !== undefined && sameRow(shape, row, copy)) continue
      throw conflict(`The row ${key} of the table ${shape.name} is another in the target. Give this move up and begin anew with a fresh database; the source is as it was.`)
    }
  }
}

const byKey = (shape: Shape, rows: readonly Row[]): Map<string, Row> => new Map(rows.map((row) => [JSON.stringify(keyOf(shape, row)), row]))
