/**
 * Copies every table of one database into another, of the same engine or of another. The source must not change meanwhile: nothing may run on it. Who is
 * stopped begins again and goes on. (Out of an SQLite file that is in use: `live.ts`.)
 */
import { conflict } from '../../fault.ts'
import type { Database } from '../database.ts'
import type { HouseMigrations } from '../table.ts'
import type { Any } from './catalog.ts'
import { copyTables, type MoveOptions, type TableMove } from './copy.ts'
import { countOf } from './rows.ts'
import { beginSource, leaveSource } from './source.ts'
import { beginTarget, endTarget } from './target.ts'

export interface OfflineOptions extends MoveOptions {
  /** What this move is known by, and where it goes, without the secret. */
  move: { id: string; place: string }
}

/** Undefined when it was stopped. Throws `conflict` when the target holds tables that no move made, or ends with other counts than the source. */
export async function moveDatabase(source: Database, target: Database, houses: readonly HouseMigrations[], options: OfflineOptions): Promise<TableMove[] | undefined> {
  const [from, to] = [source.as<Any>(), target.as<Any>()]
  const shapes = await beginTarget(from, to, houses, options.move.id, options.now())
  await beginSource(from, options.move, options.now())
  const done = await copyTables(from, to, shapes, options)
  if (done.length < shapes.length) return undefined
  for (const { table } of done) {
    const [has, wants] = [await countOf(to, table), await countOf(from, table)]
    if (has !== wants) throw conflict(`${table} has ${has} rows in the target and ${wants} in the source: the source was changed while it was moved. Begin anew with a fresh database.`)
  }
  await leaveSource(from, options.now())
  await endTarget(to, options.now())
  return done
}
