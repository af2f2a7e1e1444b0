/** What the servers on hosts take, counted from their rows. */
import type { NovaSql } from './servers.ts'
import type { FlavorSnapshot } from './tables.ts'

export interface HostUsage {
  vcpus: number
  memory_mb: number
  local_gb: number
  instances: number
  /** Servers in the middle of something. */
  busy: number
}

export const NO_USAGE: HostUsage = { vcpus: 0, memory_mb: 0, local_gb: 0, instances: 0, busy: 0 }

/** By stored id of the host. Servers of one flavor are counted together, so this reads few rows of a full cloud. */
export async function hostUsages(sql: NovaSql, hostIds?: readonly string[]): Promise<Map<string, HostUsage>> {
  return new Map([...(await grouped(sql, hostIds)).entries()].map(([hostId, byProject]) => [hostId, [...byProject.values()].reduce(plus)]))
}

/** Of one host, by project. */
export async function hostUsageByProject(sql: NovaSql, hostId: string): Promise<Map<string, HostUsage>> {
  return (await grouped(sql, [hostId])).get(hostId) ?? new Map()
}

export function plus(a: HostUsage, b: HostUsage): HostUsage {
  return { vcpus: a.vcpus + b.vcpus, memory_mb: a.memory_mb + b.memory_mb, local_gb: a.local_gb + b.local_gb, instances: a.instances + b.instances, busy: a.busy + b.busy }
}

async function grouped(sql: NovaSql, hostIds: readonly string[] | undefined): Promise<Map<string, Map<string, HostUsage>>> {
  let q = sql.query
    .selectFrom('nova_servers')
    .select((eb) => ['host_id', 'project_id', 'flavor', eb.fn.countAll<number>().as('instances'), eb.fn.count<number>('task_state').as('busy')])
    .where('deleted', '=', 0)
    .where('host_id', 'is not', null)
  if (hostIds) q = q.where('host_id', 'in', hostIds.length === 0 ? [''] : hostIds)
  const usages = new Map<string, Map<string, HostUsage>>()
  for (const row of await q.groupBy(['host_id', 'project_id', 'flavor']).execute()) {
    const { vcpus, memory_mb, root_gb, ephemeral_gb } = JSON.parse(row.flavor) as FlavorSnapshot
    const count = Number(row.instances)
    const usage = { vcpus: vcpus * count, memory_mb: memory_mb * count, local_gb: (root_gb + ephemeral_gb) * count, instances: count, busy: Number(row.busy) }
    const projects = usages.get(row.host_id!) ?? new Map<string, HostUsage>()
    projects.set(row.project_id, plus(projects.get(row.project_id) ?? NO_USAGE, usage))
    usages.set(row.host_id!, projects)
  }
  return usages
}

export async function serversOnHosts(sql: NovaSql, hostIds: readonly string[]): Promise<Map<string, { uuid: string; name: string }[]>> {
  if (hostIds.length === 0) return new Map()
  const rows = await sql.query.selectFrom('nova_servers').select(['id', 'name', 'host_id']).where('host_id', 'in', hostIds).where('deleted', '=', 0).orderBy('created_at').orderBy('id').execute()
  const found = new Map<string, { uuid: string; name: string }[]>()
  for (const row of rows) found.set(row.host_id!, [...(found.get(row.host_id!) ?? []), { uuid: row.id, name: row.name }])
  return found
}

/** By the names of their services' hosts. */
export async function anyServersOnHosts(sql: NovaSql, hosts: readonly string[]): Promise<boolean> {
  if (hosts.length === 0) return false
  return (await sql.query.selectFrom('nova_servers').select('id').where('host', 'in', [...hosts]).where('deleted', '=', 0).limit(1).executeTakeFirst()) !== undefined
}

/** Moves from or to a host that are not over. */
export async function anyMovesOfHost(sql: NovaSql, host: string): Promise<boolean> {
  const over = ['accepted', 'completed', 'confirmed', 'reverted', 'error', 'failed', 'cancelled', 'done']
  return (await sql.query.selectFrom('nova_migrations').select('id').where((eb) => eb.or([eb('source_compute', '=', host), eb('dest_compute', '=', host)])).where('status', 'not in', over).limit(1).executeTakeFirst()) !== undefined
}
