/** Users and their passwords. */
import type { PasswordRow, UserRow } from './tables.ts'
import { type Db, findRow } from './rows.ts'

export async function getUser(db: Db, id: string): Promise<UserRow | undefined> {
  return findRow(db, 'keystone_users', { id })
}

export async function userByName(db: Db, domain_id: string, name: string): Promise<UserRow | undefined> {
  return findRow(db, 'keystone_users', { domain_id, name })
}

/** The newest first. */
export async function passwordsOf(db: Db, user_id: string): Promise<PasswordRow[]> {
  return db.query.selectFrom('keystone_passwords').selectAll().where('user_id', '=', user_id).orderBy('generation', 'desc').execute()
}

export async function currentPassword(db: Db, user_id: string): Promise<PasswordRow | undefined> {
  return db.query.selectFrom('keystone_passwords').selectAll().where('user_id', '=', user_id).orderBy('generation', 'desc').limit(1).executeTakeFirst()
}

/** The current one of each. */
export async function currentPasswords(db: Db, user_ids: readonly string[]): Promise<Map<string, PasswordRow>> {
  const found = new Map<string, PasswordRow>()
  for (let at = 0; at < user_ids.length; at += 500) {
    const rows = await db.query.selectFrom('keystone_passwords').selectAll().where('user_id', 'in', user_ids.slice(at, at + 500)).orderBy('generation').execute()
    for (const row of rows) found.set(row.user_id, row)
  }
  return found
}

export async function dropPasswords(db: Db, user_id: string, below: number): Promise<void> {
  await db.query.deleteFrom('keystone_passwords').where('user_id', '=', user_id).where('generation', '<', below).execute()
}

export interface ExpiryBound {
  operator: 'lt' | 'lte' | 'gt' | 'gte' | 'eq' | 'neq'
  /** Milliseconds. */
  at: number
}

const OPERATORS = { lt: '<', lte: '<=', gt: '>', gte: '>=', eq: '=', neq: '!=' } as const

/** Whose password, the one they have now, ends within these bounds. */
export async function usersByExpiry(db: Db, bounds: readonly ExpiryBound[]): Promise<string[]> {
  let query = db.query.selectFrom('keystone_passwords').selectAll()
  for (const { operator, at } of bounds) query = query.where('expires_at', OPERATORS[operator], at)
  const rows = await query.execute()
  const current = await currentPasswords(db, [...new Set(rows.map((row) => row.user_id))])
  return rows.filter((row) => current.get(row.user_id)?.id === row.id).map((row) => row.user_id)
}
