/** Queries on image members: projects an image is shared with. */
import type { Sql } from '#base/sql/database.ts'
import type { GlanceTables, MemberRow } from './tables.ts'

type Db = Sql<GlanceTables>

export async function membersOf(db: Db, imageId: string): Promise<MemberRow[]> {
  return db.query.selectFrom('glance_members').selectAll().where('image_id', '=', imageId).orderBy('created_at').orderBy('member').execute()
}

export async function memberOf(db: Db, imageId: string, member: string): Promise<MemberRow | undefined> {
  return db.query.selectFrom('glance_members').selectAll().where('image_id', '=', imageId).where('member', '=', member).executeTakeFirst()
}

export async function insertMember(db: Db, row: MemberRow): Promise<void> {
  await db.query.insertInto('glance_members').values(row).execute()
}

export async function setMemberStatus(db: Db, imageId: string, member: string, status: string, updated_at: number): Promise<void> {
  await db.query.updateTable('glance_members').set({ status, updated_at }).where('image_id', '=', imageId).where('member', '=', member).execute()
}

export async function deleteMember(db: Db, imageId: string, member: string): Promise<boolean> {
  const done = await db.query.deleteFrom('glance_members').where('image_id', '=', imageId).where('member', '=', member).executeTakeFirst()
  return done.numDeletedRows === 1n
}
