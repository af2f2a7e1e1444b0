/** Keypairs: public halves only. */
import type { NovaSql } from './servers.ts'
import { nextNumber } from './servers.ts'
import type { KeypairRow } from './tables.ts'

/** A duplicate name throws; the caller tells it from a taken number by looking. */
export async function insertKeypair(sql: NovaSql, row: Omit<KeypairRow, 'id'>): Promise<number> {
  const id = await nextNumber(sql, 'nova_keypairs')
  await sql.query.insertInto('nova_keypairs').values({ ...row, id }).execute()
  return id
}

export async function keypairOf(sql: NovaSql, userId: string, name: string): Promise<KeypairRow | undefined> {
  return sql.query.selectFrom('nova_keypairs').selectAll().where('user_id', '=', userId).where('name', '=', name).executeTakeFirst()
}

/** By name; `after` is the name of the last one seen. */
export async function keypairsOf(sql: NovaSql, userId: string, limit: number, after?: string): Promise<KeypairRow[]> {
  let q = sql.query.selectFrom('nova_keypairs').selectAll().where('user_id', '=', userId)
  if (after !== undefined) q = q.where('name', '>', after)
  return q.orderBy('name').limit(limit).execute()
}

export async function keypairCount(sql: NovaSql, userId: string): Promise<number> {
  const row = await sql.query.selectFrom('nova_keypairs').select((eb) => eb.fn.countAll<number>().as('count')).where('user_id', '=', userId).executeTakeFirstOrThrow()
  return Number(row.count)
}

export async function deleteKeypair(sql: NovaSql, userId: string, name: string): Promise<boolean> {
  return (await sql.query.deleteFrom('nova_keypairs').where('user_id', '=', userId).where('name', '=', name).executeTakeFirst()).numDeletedRows === 1n
}
