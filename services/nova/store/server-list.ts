/**
 * Lists of servers: conditions in SQL where every engine says the same, patterns and derived states in code while the pages are filled.
 * Always keyset: the marker is the last server seen.
 */
import { invalid } from '#base/fault.ts'
import { type RawBuilder, sql as raw } from 'kysely'
import type { NovaSql } from './servers.ts'
import type { ServerRow } from './tables.ts'

export interface ServerQuery {
  project_id?: string
  /** `live`: not deleted. */
  deleted: 'live' | 'deleted' | 'both'
  equal: { column: keyof ServerRow; value: string | number | null }[]
  /** Part of the text, any case; a cheap first look for `matches`. */
  contains: { column: keyof ServerRow; text: string }[]
  vm_states?: readonly string[]
  /** Without these statuses a list shows no soft-deleted servers. */
  without_vm_states?: readonly string[]
  flavor_id?: string
  updated_since?: number
  updated_before?: number
  tags?: readonly string[]
  tags_any?: readonly string[]
  not_tags?: readonly string[]
  not_tags_any?: readonly string[]
  matches: ((row: ServerRow) => boolean)[]
  sort: { column: keyof ServerRow; dir: 'asc' | 'desc' }[]
  limit: number
  marker?: string
}

const NUMBERS = new Set<keyof ServerRow>(['power_state', 'progress', 'launch_index', 'created_at', 'updated_at', 'launched_at', 'terminated_at', 'auto_disk_config', 'deleted', 'vcpus', 'memory_mb'])
const PAGE = 500

export async function selectServers(sql: NovaSql, query: ServerQuery): Promise<{ rows: ServerRow[]; more: boolean }> {
  if (query.limit === 0) return { rows: [], more: false }
  let after: ServerRow | undefined
  if (query.marker !== undefined) {
    after = await sql.query.selectFrom('nova_servers').selectAll().where('id', '=', query.marker).executeTakeFirst()
    if (!after || (query.project_id !== undefined && after.project_id !== query.project_id) || (query.deleted === 'live' && after.deleted === 1)) {
      throw invalid(`marker [${query.marker.slice(0, 100)}] not found`, { field: 'marker' })
    }
  }
  const wanted = query.limit + 1
  const rows: ServerRow[] = []
  for (;;) {
    const size = query.matches.length === 0 ? wanted - rows.length : PAGE
    const page = await pageAfter(sql, query, after, size)
    for (const row of page) if (query.matches.every((one) => one(row))) rows.push(row)
    if (rows.length >= wanted || page.length < size) break
    after = page.at(-1)
  }
  const more = rows.length > query.limit
  return { rows: rows.slice(0, query.limit), more }
}

function pageAfter(sql: NovaSql, query: ServerQuery, after: ServerRow | undefined, size: number): Promise<ServerRow[]> {
  let q = sql.query.selectFrom('nova_servers').selectAll()
  if (query.project_id !== undefined) q = q.where('project_id', '=', query.project_id)
  if (query.deleted !== 'both') q = q.where('deleted', '=', query.deleted === 'live' ? 0 : 1)
  for (const { column, value } of query.equal) q = value === null ? q.where(column, 'is', null) : q.where(column, '=', value as never)
  for (const { column, text } of query.contains) q = q.where(raw<boolean>`lower(${raw.ref(column)}) like ${`%${text.toLowerCase().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`} escape '\\'`)
  if (query.vm_states) q = q.where('vm_state', 'in', query.vm_states.length === 0 ? [''] : [...query.vm_states])
  if (query.without_vm_states?.length) q = q.where('vm_state', 'not in', [...query.without_vm_states])
  if (query.flavor_id !== undefined) q = q.where('flavor_id', '=', query.flavor_id)
  if (query.updated_since !== undefined) q = q.where('updated_at', '>=', query.updated_since)
  if (query.updated_before !== undefined) q = q.where('updated_at', '<=', query.updated_before)
  for (const tag of query.tags ?? []) q = q.where('id', 'in', (eb) => eb.selectFrom('nova_server_tags').select('server_id').where('tag', '=', tag))
  if (query.tags_any?.length) q = q.where('id', 'in', (eb) => eb.selectFrom('nova_server_tags').select('server_id').where('tag', 'in', [...query.tags_any!]))
  if (query.not_tags_any?.length) q = q.where('id', 'not in', (eb) => eb.selectFrom('nova_server_tags').select('server_id').where('tag', 'in', [...query.not_tags_any!]))
  if (query.not_tags?.length) {
    const all = [...query.not_tags]
    q = q.where((eb) => eb.not(eb.and(all.map((tag) => eb('id', 'in', eb.selectFrom('nova_server_tags').select('server_id').where('tag', '=', tag))))))
  }
  if (after) {
    const marker = after
    q = q.where((eb) =>
      eb.or(
        query.sort.map(({ column, dir }, i) =>
          eb.and([
            ...query.sort.slice(0, i).map((before) => raw<boolean>`${key(before.column)} = ${valueOf(marker, before.column)}`),
            dir === 'asc' ? raw<boolean>`${key(column)} > ${valueOf(marker, column)}` : raw<boolean>`${key(column)} < ${valueOf(marker, column)}`,
          ]),
        ),
      ),
    )
  }
  for (const { column, dir } of query.sort) q = q.orderBy(key(column), dir)
  return q.limit(size).execute()
}

/** Nulls sort as the least value of their kind, on every engine. */
function key(column: keyof ServerRow): RawBuilder<unknown> {
  if (column === 'id' || column === 'created_at') return raw.ref(column)
  return NUMBERS.has(column) ? raw`coalesce(${raw.ref(column)}, -1)` : raw`coalesce(${raw.ref(column)}, '')`
}

function valueOf(row: ServerRow, column: keyof ServerRow): string | number {
  return row[column] ?? (NUMBERS.has(column) ? -1 : '')
}
