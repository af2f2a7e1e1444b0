/** Queries about servers. A state changes only by `casServer`: zero rows means that another was faster. */
import { rowsBy } from '#base/sql/prepared.ts'
import type { Sql, Tx } from '#base/sql/database.ts'
import { sql as raw } from 'kysely'
import type { NovaTables, ServerRow } from './tables.ts'

export type NovaSql = Sql<NovaTables>

export async function insertServer(sql: NovaSql, row: ServerRow): Promise<void> {
  await sql.query.insertInto('nova_servers').values(row).execute()
}

export async function serverById(sql: NovaSql, id: string): Promise<ServerRow | undefined> {
  return (await rowsBy<ServerRow>(sql as never, 'nova_servers', { id }))[0]
}

/** Where it stands, with its row held until the end of the transaction. */
export async function takenServer(tx: Tx<NovaTables>, id: string): Promise<Pick<ServerRow, 'deleted' | 'vm_state' | 'task_state'> | undefined> {
  return tx.query.selectFrom('nova_servers').select(['deleted', 'vm_state', 'task_state']).where('id', '=', id).forUpdate().executeTakeFirst()
}

export async function serversByIds(sql: NovaSql, ids: readonly string[]): Promise<ServerRow[]> {
  if (ids.length === 0) return []
  return sql.query.selectFrom('nova_servers').selectAll().where('id', 'in', ids).execute()
}

/** Live servers on a host. */
export async function serversOnHost(sql: NovaSql, hostId: string): Promise<ServerRow[]> {
  return sql.query.selectFrom('nova_servers').selectAll().where('host_id', '=', hostId).where('deleted', '=', 0).execute()
}

export interface Expected {
  vm_state?: string
  /** null: idle. `undefined`: whatever it is. A list: any of these. */
  task_state?: string | null | readonly (string | null)[]
}

/** Writes `patch` if the live server is as expected; false when it is not. */
export async function casServer(sql: NovaSql, id: string, expected: Expected, patch: Partial<ServerRow>): Promise<boolean> {
  // Written so that no index fits: before its first statistics PostgreSQL would rather go through all that live than look for the one id.
  let update = sql.query.updateTable('nova_servers').set(patch).where('id', '=', id).where(raw<number>`deleted + 0`, '=', 0)
  if (expected.vm_state !== undefined) update = update.where('vm_state', '=', expected.vm_state)
  const { task_state } = expected
  if (task_state === null) update = update.where('task_state', 'is', null)
  else if (typeof task_state === 'string') update = update.where('task_state', '=', task_state)
  else if (task_state !== undefined) {
    const named = task_state.filter((one) => one !== null)
    update = update.where((eb) => eb.or([...(task_state.includes(null) ? [eb('task_state', 'is', null)] : []), ...(named.length > 0 ? [eb('task_state', 'in', named)] : [])]))
  }
  return (await update.executeTakeFirst()).numUpdatedRows === 1n
}

/** What is no state: metadata, names, addresses. */
export async function patchServer(sql: NovaSql, id: string, patch: Partial<Omit<ServerRow, 'id' | 'vm_state' | 'task_state'>>): Promise<boolean> {
  return (await sql.query.updateTable('nova_servers').set(patch).where('id', '=', id).executeTakeFirst()).numUpdatedRows === 1n
}

export interface Usage {
  instances: number
  cores: number
  ram: number
}

/** What a project's live servers use, counted from the rows (S14). */
export async function usageOf(sql: NovaSql, projectId: string): Promise<Usage> {
  return usageWhere(sql, projectId)
}

/** The same of one user's servers in it. */
export async function usageOfUser(sql: NovaSql, projectId: string, userId: string): Promise<Usage> {
  return usageWhere(sql, projectId, userId)
}

async function usageWhere(sql: NovaSql, projectId: string, userId?: string): Promise<Usage> {
  let q = sql.query
    .selectFrom('nova_servers')
    .select((eb) => [eb.fn.countAll<number>().as('instances'), eb.fn.sum<number>('vcpus').as('cores'), eb.fn.sum<number>('memory_mb').as('ram')])
    .where('project_id', '=', projectId)
    .where('deleted', '=', 0)
  if (userId !== undefined) q = q.where('user_id', '=', userId)
  const row = await q.executeTakeFirstOrThrow()
  return { instances: Number(row.instances), cores: Number(row.cores ?? 0), ram: Number(row.ram ?? 0) }
}

/** Ids and hosts of a server group's live members. */
export async function groupMembers(sql: NovaSql, groupId: string): Promise<{ id: string; host_id: string | null; host: string | null; task_state: string | null }[]> {
  return sql.query.selectFrom('nova_servers').select(['id', 'host_id', 'host', 'task_state']).where('group_id', '=', groupId).where('deleted', '=', 0).execute()
}

/** Live servers and those that are busy, per host. */
export async function hostLoads(sql: NovaSql): Promise<Map<string, { instances: number; busy: number }>> {
  const rows = await sql.query
    .selectFrom('nova_servers')
    .select((eb) => ['host_id', eb.fn.countAll<number>().as('instances'), eb.fn.count<number>('task_state').as('busy')])
    .where('deleted', '=', 0)
    .where('host_id', 'is not', null)
    .groupBy('host_id')
    .execute()
  return new Map(rows.map((row) => [row.host_id!, { instances: Number(row.instances), busy: Number(row.busy) }]))
}

/** Deleted servers of which a guest may be left on the host. */
export async function unburiedOn(sql: NovaSql, hostId: string): Promise<string[]> {
  const rows = await sql.query.selectFrom('nova_servers').select('id').where('host_id', '=', hostId).where('deleted', '=', 1).where('buried', '=', 0).execute()
  return rows.map((row) => row.id)
}

export async function bury(sql: NovaSql, hostId: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await sql.query.updateTable('nova_servers').set({ buried: 1 }).where('id', 'in', ids).where('host_id', '=', hostId).where('deleted', '=', 1).execute()
}

/** Soft-deleted and shelved servers whose time has come are found by their state. */
export async function serversInState(sql: NovaSql, vm_state: string, limit: number): Promise<ServerRow[]> {
  return sql.query.selectFrom('nova_servers').selectAll().where('vm_state', '=', vm_state).where('deleted', '=', 0).where('task_state', 'is', null).orderBy('updated_at').limit(limit).execute()
}

export async function purgeServers(sql: NovaSql, deletedBefore: number): Promise<void> {
  const old = await sql.query.selectFrom('nova_servers').select('id').where('deleted', '=', 1).where('buried', '=', 1).where('updated_at', '<', deletedBefore).limit(500).execute()
  const ids = old.map((row) => row.id)
  if (ids.length === 0) return
  for (const table of ['nova_server_tags', 'nova_block_devices', 'nova_actions', 'nova_migrations'] as const) {
    await sql.query.deleteFrom(table).where('server_id', 'in', ids).execute()
  }
  await sql.query.deleteFrom('nova_servers').where('id', 'in', ids).execute()
}

/** The next free whole-number id of a table that has one for old clients; the caller tries again on a duplicate. */
export async function nextNumber(sql: NovaSql, table: 'nova_migrations' | 'nova_services' | 'nova_compute_nodes' | 'nova_keypairs' | 'nova_aggregates'): Promise<number> {
  const row = await sql.query.selectFrom(table).select(raw<number | null>`max(id)`.as('top')).executeTakeFirst()
  return Number(row?.top ?? 0) + 1
}
