/** Trusts: counted down, ended with all that were passed on from them, swept away when long over. */
import { forbidden } from '#base/fault.ts'
import { sql } from 'kysely'
import type { TrustRow } from './tables.ts'
import type { Db } from './rows.ts'

/** Takes one use; 403 when none is left. */
export async function consumeTrust(db: Db, id: string): Promise<void> {
  const done = await db.query.updateTable('keystone_trusts').set({ remaining_uses: sql<number>`remaining_uses - 1` }).where('id', '=', id).where('remaining_uses', '>', 0).executeTakeFirst()
  if (Number(done.numUpdatedRows) === 0) throw forbidden(`No remaining uses for trust: ${id}.`)
}

/** This one and every one redelegated from it. */
export async function endTrust(tx: Db, id: string, now: number): Promise<void> {
  for (let level = [id]; level.length > 0; ) {
    await tx.query.updateTable('keystone_trusts').set({ deleted_at: now }).where('id', 'in', level).where('deleted_at', 'is', null).execute()
    level = (await tx.query.selectFrom('keystone_trusts').select('id').where('redelegated_trust_id', 'in', level).where('deleted_at', 'is', null).execute()).map((row) => row.id)
  }
}

export async function listTrusts(db: Db, filter: Partial<Pick<TrustRow, 'trustor_user_id' | 'trustee_user_id'>>): Promise<TrustRow[]> {
  let query = db.query.selectFrom('keystone_trusts').selectAll().where('deleted_at', 'is', null)
  if (filter.trustor_user_id !== undefined) query = query.where('trustor_user_id', '=', filter.trustor_user_id)
  if (filter.trustee_user_id !== undefined) query = query.where('trustee_user_id', '=', filter.trustee_user_id)
  return query.orderBy('id').execute()
}

/** Removes what was deleted or has ended before (milliseconds). */
export async function flushTrusts(db: Db, before: number): Promise<number> {
  const done = await db.query
    .deleteFrom('keystone_trusts')
    .where((eb) => eb.or([eb('deleted_at', '<', before), eb('expires_at', '<', before)]))
    .executeTakeFirst()
  return Number(done.numDeletedRows)
}
