/** Tags of servers. */
import { rowsBy } from '#base/sql/prepared.ts'
import type { NovaSql } from './servers.ts'

export async function tagsOf(sql: NovaSql, serverId: string): Promise<string[]> {
  const rows = await rowsBy<{ tag: string }>(sql as never, 'nova_server_tags', { server_id: serverId }, ['tag'], ['tag'])
  return rows.map((row) => row.tag)
}

export async function tagsOfMany(sql: NovaSql, serverIds: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  if (serverIds.length === 0) return found
  if (serverIds.length === 1) {
    const tags = await tagsOf(sql, serverIds[0]!)
    return tags.length === 0 ? found : found.set(serverIds[0]!, tags)
  }
  for (const { server_id, tag } of await sql.query.selectFrom('nova_server_tags').selectAll().where('server_id', 'in', serverIds).orderBy('tag').execute()) {
    const tags = found.get(server_id)
    if (tags) tags.push(tag)
    else found.set(server_id, [tag])
  }
  return found
}

export async function insertTags(sql: NovaSql, serverId: string, tags: readonly string[]): Promise<void> {
  if (tags.length > 0) await sql.query.insertInto('nova_server_tags').values(tags.map((tag) => ({ server_id: serverId, tag }))).execute()
}

export async function replaceTags(sql: NovaSql, serverId: string, tags: readonly string[]): Promise<void> {
  await sql.query.deleteFrom('nova_server_tags').where('server_id', '=', serverId).execute()
  await insertTags(sql, serverId, tags)
}

export async function deleteTag(sql: NovaSql, serverId: string, tag: string): Promise<boolean> {
  return (await sql.query.deleteFrom('nova_server_tags').where('server_id', '=', serverId).where('tag', '=', tag).executeTakeFirst()).numDeletedRows === 1n
}
