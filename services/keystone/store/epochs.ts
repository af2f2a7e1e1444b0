/**
 * Two numbers that rise when something changes that tokens are judged by. Reading them costs one small query and tells whether a
 * judgement made earlier, in this process or another, still holds: no message has to arrive for a revocation to be true.
 *
 * `judgement`: users, projects, assignments, trusts, … — what one token's answer hangs on.
 * `tables`: roles, implied roles, the catalog — small tables that are kept whole in memory.
 */
import { rowsBy } from '#base/sql/prepared.ts'
import { sql } from 'kysely'
import type { Db } from './rows.ts'

export type EpochName = 'judgement' | 'tables'

export async function readEpochs(db: Db): Promise<string> {
  const rows = await rowsBy<{ value: number }>(db as never, 'keystone_epochs', {}, ['name'], ['value'])
  return `${rows[0]?.value} ${rows[1]?.value}`
}

export async function raiseEpoch(tx: Db, name: EpochName): Promise<void> {
  await tx.query.updateTable('keystone_epochs').set({ value: sql<number>`value + 1` }).where('name', '=', name).execute()
}
