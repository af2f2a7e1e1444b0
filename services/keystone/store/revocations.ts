/** Tokens that were ended one by one. */
import type { Db } from './rows.ts'
import type { RevocationRow } from './tables.ts'

export async function isRevoked(db: Db, audit_id: string, audit_chain_id: string): Promise<boolean> {
  const row = await db.query
    .selectFrom('keystone_revocations')
    .select('id')
    .where((eb) => eb.or([eb('audit_id', '=', audit_id), eb('audit_chain_id', '=', audit_chain_id)]))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Those since an instant that still matter; milliseconds. */
export async function revocationsSince(db: Db, since: number, now: number): Promise<RevocationRow[]> {
  return db.query.selectFrom('keystone_revocations').selectAll().where('revoked_at', '>=', since).where('forget_at', '>', now).orderBy('revoked_at').execute()
}
