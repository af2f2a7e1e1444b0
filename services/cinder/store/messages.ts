/** Queries on messages to users. */
import type { Sql } from '#base/sql/database.ts'
import type { MessageRow } from './more-tables.ts'
import type { CinderTables } from './tables.ts'

type Db = Sql<CinderTables>

export async function insertMessage(db: Db, row: MessageRow): Promise<void> {
  await db.query.insertInto('cinder_messages').values(row).execute()
}

export async function messageById(db: Db, messageId: string): Promise<MessageRow | undefined> {
  return db.query.selectFrom('cinder_messages').selectAll().where('id', '=', messageId).executeTakeFirst()
}

export async function deleteMessage(db: Db, messageId: string): Promise<void> {
  await db.query.deleteFrom('cinder_messages').where('id', '=', messageId).execute()
}

export async function deleteExpiredMessages(db: Db, now: number): Promise<void> {
  await db.query.deleteFrom('cinder_messages').where('expires_at', '<', now).execute()
}
