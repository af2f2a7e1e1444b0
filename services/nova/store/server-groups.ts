/** Server groups. A server knows its group; a group's members are the live servers that name it. */
import type { NovaSql } from './servers.ts'
import type { ServerGroupRow } from './tables.ts'

export async function insertServerGroup(sql: NovaSql, row: ServerGroupRow): Promise<void> {
  await sql.query.insertInto('nova_server_groups').values(row).execute()
}

export async function serverGroupById(sql: NovaSql, id: string): Promise<ServerGroupRow | undefined> {
  return sql.query.selectFrom('nova_server_groups').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Oldest first. Without a project, those of all. */
export async function listServerGroups(sql: NovaSql, page: { project_id?: string; limit: number; offset: number }): Promise<ServerGroupRow[]> {
  let q = sql.query.selectFrom('nova_server_groups').selectAll()
  if (page.project_id !== undefined) q = q.where('project_id', '=', page.project_id)
  return q.orderBy('created_at').orderBy('id').limit(page.limit).offset(page.offset).execute()
}

export async function serverGroupCount(sql: NovaSql, projectId: string, userId?: string): Promise<number> {
  let q = sql.query.selectFrom('nova_server_groups').select((eb) => eb.fn.countAll<number>().as('count')).where('project_id', '=', projectId)
  if (userId !== undefined) q = q.where('user_id', '=', userId)
  return Number((await q.executeTakeFirstOrThrow()).count)
}

/** Its servers are without a group after it; in the caller's transaction. */
export async function deleteServerGroup(sql: NovaSql, id: string): Promise<boolean> {
  await sql.query.updateTable('nova_servers').set({ group_id: null }).where('group_id', '=', id).execute()
  return (await sql.query.deleteFrom('nova_server_groups').where('id', '=', id).executeTakeFirst()).numDeletedRows === 1n
}

/** Ids of live members by group. */
export async function membersOfGroups(sql: NovaSql, groupIds: readonly string[]): Promise<Map<string, string[]>> {
  if (groupIds.length === 0) return new Map()
  const rows = await sql.query.selectFrom('nova_servers').select(['id', 'group_id']).where('group_id', 'in', groupIds).where('deleted', '=', 0).orderBy('created_at').orderBy('id').execute()
  const members = new Map<string, string[]>()
  for (const row of rows) members.set(row.group_id!, [...(members.get(row.group_id!) ?? []), row.id])
  return members
}
