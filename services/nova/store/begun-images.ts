/** Images that a request was about to make of a server, written down before: when the request dies, somebody knows of them. */
import type { NovaSql } from './servers.ts'
import type { BegunImageRow } from './tables.ts'

export async function insertBegunImage(sql: NovaSql, row: BegunImageRow): Promise<void> {
  await sql.query.insertInto('nova_begun_images').values(row).execute()
}

export async function begunImages(sql: NovaSql, before: number): Promise<BegunImageRow[]> {
  return sql.query.selectFrom('nova_begun_images').selectAll().where('created_at', '<', before).orderBy('created_at').limit(100).execute()
}

export async function forgetBegunImage(sql: NovaSql, imageId: string): Promise<void> {
  await sql.query.deleteFrom('nova_begun_images').where('image_id', '=', imageId).execute()
}
