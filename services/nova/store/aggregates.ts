/** Aggregates: named groups of compute hosts, with metadata; one with `availability_zone` in it is a zone. */
import { nextNumber, type NovaSql } from './servers.ts'
import type { AggregateHostRow, AggregateRow } from './tables.ts'

/** A taken name throws a duplicate, and so does a taken number: the caller looks which. */
export async function insertAggregate(sql: NovaSql, row: Omit<AggregateRow, 'id'>): Promise<AggregateRow> {
  const whole = { ...row, id: await nextNumber(sql, 'nova_aggregates') }
  await sql.query.insertInto('nova_aggregates').values(whole).execute()
  return whole
}

export async function aggregateById(sql: NovaSql, id: number): Promise<AggregateRow | undefined> {
  return sql.query.selectFrom('nova_aggregates').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function aggregateByName(sql: NovaSql, name: string): Promise<AggregateRow | undefined> {
  return sql.query.selectFrom('nova_aggregates').selectAll().where('name', '=', name).executeTakeFirst()
}

export async function patchAggregate(sql: NovaSql, id: number, patch: Partial<AggregateRow>): Promise<boolean> {
  return (await sql.query.updateTable('nova_aggregates').set(patch).where('id', '=', id).executeTakeFirst()).numUpdatedRows === 1n
}

export async function deleteAggregate(sql: NovaSql, id: number): Promise<boolean> {
  return (await sql.query.deleteFrom('nova_aggregates').where('id', '=', id).executeTakeFirst()).numDeletedRows === 1n
}

export async function hostsOfAggregate(sql: NovaSql, id: number): Promise<string[]> {
  const rows = await sql.query.selectFrom('nova_aggregate_hosts').select('host').where('aggregate_id', '=', id).orderBy('host').execute()
  return rows.map((row) => row.host)
}

/** One that is there already throws a duplicate. */
export async function insertAggregateHost(sql: NovaSql, row: AggregateHostRow): Promise<void> {
  await sql.query.insertInto('nova_aggregate_hosts').values(row).execute()
}

export async function deleteAggregateHost(sql: NovaSql, id: number, host: string): Promise<boolean> {
  return (await sql.query.deleteFrom('nova_aggregate_hosts').where('aggregate_id', '=', id).where('host', '=', host).executeTakeFirst()).numDeletedRows === 1n
}

/** The other aggregates in which any of these hosts stands. */
export async function otherAggregatesOf(sql: NovaSql, hosts: readonly string[], except: number): Promise<AggregateRow[]> {
  if (hosts.length === 0) return []
  return sql.query
    .selectFrom('nova_aggregates')
    .selectAll()
    .where('id', '!=', except)
    .where('id', 'in', (eb) => eb.selectFrom('nova_aggregate_hosts').select('aggregate_id').where('host', 'in', [...hosts]))
    .orderBy('id')
    .execute()
}
