/** Hosts: their services and hypervisors. */
import type { NovaSql } from './servers.ts'
import { nextNumber } from './servers.ts'
import type { AggregateHostRow, AggregateRow, ComputeNodeRow, ServiceRow } from './tables.ts'

export async function computeNodes(sql: NovaSql): Promise<ComputeNodeRow[]> {
  return sql.query.selectFrom('nova_compute_nodes').selectAll().orderBy('id').execute()
}

export async function computeNodeById(sql: NovaSql, uuid: string): Promise<ComputeNodeRow | undefined> {
  return sql.query.selectFrom('nova_compute_nodes').selectAll().where('uuid', '=', uuid).executeTakeFirst()
}

export async function insertComputeNode(sql: NovaSql, row: Omit<ComputeNodeRow, 'id'>): Promise<void> {
  await sql.query.insertInto('nova_compute_nodes').values({ ...row, id: await nextNumber(sql, 'nova_compute_nodes') }).execute()
}

export async function patchComputeNode(sql: NovaSql, uuid: string, patch: Partial<ComputeNodeRow>): Promise<void> {
  await sql.query.updateTable('nova_compute_nodes').set(patch).where('uuid', '=', uuid).execute()
}

export async function services(sql: NovaSql): Promise<ServiceRow[]> {
  return sql.query.selectFrom('nova_services').selectAll().orderBy('id').execute()
}

export async function serviceOf(sql: NovaSql, host: string, binary: string): Promise<ServiceRow | undefined> {
  return sql.query.selectFrom('nova_services').selectAll().where('host', '=', host).where('binary', '=', binary).executeTakeFirst()
}

export async function insertService(sql: NovaSql, row: Omit<ServiceRow, 'id'>): Promise<number> {
  const id = await nextNumber(sql, 'nova_services')
  await sql.query.insertInto('nova_services').values({ ...row, id }).execute()
  return id
}

export async function patchService(sql: NovaSql, id: number, patch: Partial<ServiceRow>): Promise<void> {
  await sql.query.updateTable('nova_services').set(patch).where('id', '=', id).execute()
}

/** The services of these compute hosts were alive now. */
export async function beatServices(sql: NovaSql, hostIds: readonly string[], now: number): Promise<string[]> {
  if (hostIds.length === 0) return []
  const known = await sql.query.selectFrom('nova_compute_nodes').select(['uuid', 'service_id']).where('uuid', 'in', hostIds).execute()
  if (known.length > 0) await sql.query.updateTable('nova_services').set({ last_seen_at: now }).where('id', 'in', known.map((row) => row.service_id)).execute()
  return known.map((row) => row.uuid)
}

export async function aggregates(sql: NovaSql): Promise<AggregateRow[]> {
  return sql.query.selectFrom('nova_aggregates').selectAll().orderBy('id').execute()
}

export async function aggregateHosts(sql: NovaSql): Promise<AggregateHostRow[]> {
  return sql.query.selectFrom('nova_aggregate_hosts').selectAll().execute()
}

/** With its compute nodes and its places in aggregates; in the caller's transaction. */
export async function deleteService(sql: NovaSql, service: Pick<ServiceRow, 'id' | 'binary' | 'host'>): Promise<void> {
  await sql.query.deleteFrom('nova_compute_nodes').where('service_id', '=', service.id).execute()
  if (service.binary === 'nova-compute') await sql.query.deleteFrom('nova_aggregate_hosts').where('host', '=', service.host).execute()
  await sql.query.deleteFrom('nova_services').where('id', '=', service.id).execute()
}
