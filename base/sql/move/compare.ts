/** Every row beside its copy, while both change: what differs is looked at again once the target has caught up. */
import { conflict } from '../../fault.ts'
import type { Database } from '../database.ts'
import type { Suspect } from './catch-up.ts'
import type { Any, Shape } from './catalog.ts'
import { type Key, keyOf, type Row, rowsAt, rowsOf, sameRow, slice } from './rows.ts'
import { isWaiting } from './source.ts'

/** Who is written all the time is not waited for: the triggers are. */
const ATTEMPTS = 20

/** Adds the rows that differ or stand on one side alone to `found`, and gives how many were compared. `empty`: the target is known to have none. */
export async function compare(source: Database<Any>, target: Database<Any>, shape: Shape, { batch, empty }: { batch: number; empty: boolean }, found: Suspect[], yielding: () => Promise<void>): Promise<number> {
  let last: Key | undefined
  for (let count = 0; ; ) {
    const rows = await slice(source, shape, last, batch)
    const end = rows.length < batch
    const upTo = end ? undefined : keyOf(shape, rows.at(-1)!)
    const there = new Map((empty ? [] : await slice(target, shape, last, undefined, upTo)).map((row) => [JSON.stringify(keyOf(shape, row)), row]))
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

/** Throws `conflict` when a row is another in the target although nothing of it is on its way. */
export async function recheck(source: Database<Any>, target: Database<Any>, suspects: readonly Suspect[], follow: () => Promise<unknown>): Promise<void> {
  let left = suspects
  for (let attempt = 0; left.length > 0 && attempt < ATTEMPTS; attempt++) {
    await follow()
    const still: Suspect[] = []
    for (const suspect of left) {
      const { shape, key } = suspect
      const [row] = (await rowsOf(source, shape, [key])) as (Row | undefined)[]
      if (await isWaiting(source, shape.name, key)) {
        still.push(suspect)
        continue
      }
      const [copy] = (await rowsAt(target, shape, [JSON.parse(key) as Key])) as (Row | undefined)[]
      if (row === undefined ? copy !== undefined : copy === undefined || !sameRow(shape, row, copy)) {
        throw conflict(`The row ${key} of the table ${shape.name} is another in the target. Give this move up and begin anew with a fresh database; the source is as it was.`)
      }
    }
    left = still
  }
}
