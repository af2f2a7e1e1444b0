/** Moves of servers between hosts and sizes. */
import type { NovaSql } from './servers.ts'
import type { MigrationRow } from './tables.ts'

export async function insertMigration(sql: NovaSql, row: MigrationRow): Promise<void> {
  await sql.query.insertInto('nova_migrations').values(row).execute()
}

export async function migrationByUuid(sql: NovaSql, uuid: string): Promise<MigrationRow | undefined> {
  return sql.query.selectFrom('nova_migrations').selectAll().where('uuid', '=', uuid).executeTakeFirst()
}

export async function migrationById(sql: NovaSql, serverId: string, id: number): Promise<MigrationRow | undefined> {
  return sql.query.selectFrom('nova_migrations').selectAll().where('server_id', '=', serverId).where('id', '=', id).executeTakeFirst()
}

export async function migrationsOfServer(sql: NovaSql, serverId: string, filter: { statuses?: readonly string[]; type?: MigrationRow['migration_type'] } = {}): Promise<MigrationRow[]> {
  let q = sql.query.selectFrom('nova_migrations').selectAll().where('server_id', '=', serverId)
  if (filter.statuses) q = q.where('status', 'in', [...filter.statuses])
  if (filter.type) q = q.where('migration_type', '=', filter.type)
  return q.orderBy('id', 'desc').execute()
}

export async function patchMigration(sql: NovaSql, uuid: string, patch: Partial<MigrationRow>): Promise<void> {
  await sql.query.updateTable('nova_migrations').set(patch).where('uuid', '=', uuid).execute()
}

/** Evacuated servers whose old guests may still be on this host. */
export async function unburiedEvacuationsFrom(sql: NovaSql, hostId: string): Promise<MigrationRow[]> {
  return sql.query.selectFrom('nova_migrations').selectAll().where('source_host_id', '=', hostId).where('buried', '=', 0).where('migration_type', '=', 'evacuation').where('status', 'in', ['done', 'completed']).execute()
}

/** Moves that have rested in one of these states since `before`. */
export async function movesInState(sql: NovaSql, statuses: readonly string[], before: number): Promise<MigrationRow[]> {
  return sql.query.selectFrom('nova_migrations').selectAll().where('status', 'in', [...statuses]).where('updated_at', '<=', before).orderBy('updated_at').limit(100).execute()
}

/** Moves that failed and were not looked at since. */
export async function failedMoves(sql: NovaSql, before: number): Promise<MigrationRow[]> {
  return sql.query.selectFrom('nova_migrations').selectAll().where('status', 'in', ['error', 'failed', 'cancelled']).where('buried', '=', 0).where('updated_at', '<=', before).orderBy('updated_at').limit(100).execute()
}

export interface MigrationQuery {
  host?: string
  source_compute?: string
  status?: string
  migration_type?: string
  instance_uuid?: string
  user_id?: string
  project_id?: string
  since?: number
  before?: number
  limit?: number
  marker?: string
  hidden?: boolean
}

/** Newest first; undefined when there is no such marker. */
export async function listMigrations(sql: NovaSql, query: MigrationQuery): Promise<MigrationRow[] | undefined> {
  let q = sql.query.selectFrom('nova_migrations').selectAll()
  if (query.host !== undefined) q = q.where((eb) => eb.or([eb('source_compute', '=', query.host!), eb('dest_compute', '=', query.host!)]))
  if (query.source_compute !== undefined) q = q.where('source_compute', '=', query.source_compute)
  if (query.status !== undefined) q = q.where('status', '=', query.status)
  if (query.migration_type !== undefined) q = q.where('migration_type', '=', query.migration_type as MigrationRow['migration_type'])
  if (query.instance_uuid !== undefined) q = q.where('server_id', '=', query.instance_uuid)
  if (query.user_id !== undefined) q = q.where('user_id', '=', query.user_id)
  if (query.project_id !== undefined) q = q.where('project_id', '=', query.project_id)
  if (query.since !== undefined) q = q.where('updated_at', '>=', query.since)
  if (query.before !== undefined) q = q.where('updated_at', '<=', query.before)
  if (query.marker !== undefined) {
    const at = await migrationByUuid(sql, query.marker)
    if (!at) return undefined
    q = q.where('id', '<', at.id)
  }
  q = q.orderBy('id', 'desc')
  if (query.limit !== undefined) q = q.limit(query.limit)
  return q.execute()
}
