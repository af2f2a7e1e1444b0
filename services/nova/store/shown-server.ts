/** What of a server's row an answer needs, read in one statement: each column that is fetched costs. */
import { sql as raw } from 'kysely'
import { prepared } from '#base/sql/prepared.ts'
import type { NovaSql } from './servers.ts'
import type { NovaTables, ServerRow } from './tables.ts'

type Unseen = 'vcpus' | 'memory_mb' | 'key_data' | 'private' | 'buried'

export type ShownServer = Omit<ServerRow, Unseen> & {
  /** How many there are; undefined: unknown. */
  devices?: number
  tags?: number
}

const COLUMNS = [
  'id', 'project_id', 'user_id', 'name', 'description', 'hostname', 'vm_state', 'task_state', 'power_state', 'progress', 'host', 'node', 'host_id', 'availability_zone', 'pinned_az',
  'flavor_id', 'flavor', 'image_id', 'image', 'key_name', 'user_data', 'config_drive', 'auto_disk_config', 'metadata', 'network_info', 'security_groups', 'scheduler_hints', 'group_id',
  'fault', 'locked_by', 'locked_reason', 'reservation_id', 'launch_index', 'access_ip_v4', 'access_ip_v6', 'root_device_name', 'created_at', 'updated_at', 'launched_at', 'terminated_at', 'deleted',
] as const satisfies readonly (keyof ShownServer)[] // oxfmt-ignore

const byId = prepared<NovaTables, [id: string], ShownServer>((query, id) =>
  query
    .selectFrom('nova_servers')
    .select(COLUMNS)
    .select([raw<number>`(select count(*) from nova_block_devices where server_id = ${id})`.as('devices'), raw<number>`(select count(*) from nova_server_tags where server_id = ${id})`.as('tags')])
    .where('id', '=', id),
)

export async function shownServer(sql: NovaSql, id: string): Promise<ShownServer | undefined> {
  const [row] = await byId(sql, id)
  // PostgreSQL counts in numbers that may come as text.
  return row && { ...row, devices: Number(row.devices), tags: Number(row.tags) }
}
