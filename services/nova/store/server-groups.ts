/** Server groups, as far as the scheduler needs them. */
import type { NovaSql } from './servers.ts'
import type { ServerGroupRow } from './tables.ts'

export async function serverGroupById(sql: NovaSql, id: string): Promise<ServerGroupRow | undefined> {
  return sql.query.selectFrom('nova_server_groups').selectAll().where('id', '=', id).executeTakeFirst()
}
