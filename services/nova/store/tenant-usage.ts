/** Servers that lived in a span of time. */
import type { NovaSql } from './servers.ts'
import type { ServerRow } from './tables.ts'

export type UsedServer = Pick<ServerRow, 'id' | 'project_id' | 'name' | 'vm_state' | 'vcpus' | 'memory_mb' | 'flavor' | 'launched_at' | 'terminated_at' | 'deleted'>

export interface UsageQuery {
  project_id?: string
  /** Milliseconds. */
  begin: number
  end: number
  limit?: number
  marker?: string
}

/** By project, then by server. undefined: there is no such marker. */
export async function usedServers(sql: NovaSql, query: UsageQuery): Promise<UsedServer[] | undefined> {
  let q = sql.query
    .selectFrom('nova_servers')
    .select(['id', 'project_id', 'name', 'vm_state', 'vcpus', 'memory_mb', 'flavor', 'launched_at', 'terminated_at', 'deleted'])
    .where('launched_at', '<', query.end)
    .where((eb) => eb.or([eb('terminated_at', 'is', null), eb('terminated_at', '>', query.begin)]))
  if (query.project_id !== undefined) q = q.where('project_id', '=', query.project_id)
  if (query.marker !== undefined) {
    const at = await sql.query.selectFrom('nova_servers').select(['id', 'project_id']).where('id', '=', query.marker).executeTakeFirst()
    if (!at) return undefined
    q = q.where((eb) => eb.or([eb('project_id', '>', at.project_id), eb.and([eb('project_id', '=', at.project_id), eb('id', '>', at.id)])]))
  }
  q = q.orderBy('project_id').orderBy('id')
  if (query.limit !== undefined) q = q.limit(query.limit)
  return q.execute()
}
