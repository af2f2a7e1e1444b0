/** Users who came by federation, and the memberships that a mapping gave them for a time. */
import type { Db } from './rows.ts'

/** `ttl` milliseconds after which a membership that was not renewed has ended; an identity provider may name its own (minutes). */
export async function expiringGroupIdsOf(db: Db, user_id: string, now: number, ttl: number): Promise<string[]> {
  const rows = await db.query.selectFrom('keystone_expiring_memberships').selectAll().where('user_id', '=', user_id).execute()
  if (rows.length === 0) return []
  const providers = new Map((await db.query.selectFrom('keystone_identity_providers').select(['id', 'authorization_ttl']).execute()).map((row) => [row.id, row.authorization_ttl]))
  return rows.filter((row) => row.verified_at + (providers.get(row.idp_id) === null || providers.get(row.idp_id) === undefined ? ttl : providers.get(row.idp_id)! * 60_000) > now).map((row) => row.group_id)
}
