/** Takes away what has no meaning any more. Safe at any time, from any process. */
import type { Db } from './rows.ts'
import { flushTrusts } from './trusts.ts'

export interface Swept {
  revocations: number
  trusts: number
  oauth_tokens: number
  used_once: number
}

/** `now` milliseconds. Ended trusts are kept for a day, for those who ask what happened. */
export async function sweep(db: Db, now: number): Promise<Swept> {
  const revocations = await db.query.deleteFrom('keystone_revocations').where('forget_at', '<', now).executeTakeFirst()
  const oauth = await db.query.deleteFrom('keystone_oauth_tokens').where('expires_at', '<', now).executeTakeFirst()
  const used = await db.query.deleteFrom('keystone_used_once').where('forget_at', '<', now).executeTakeFirst()
  return { revocations: Number(revocations.numDeletedRows), trusts: await flushTrusts(db, now - 86_400_000), oauth_tokens: Number(oauth.numDeletedRows), used_once: Number(used.numDeletedRows) }
}
