/** Flavors and who may use those that are not public. */
import { prepared, rowsBy } from '#base/sql/prepared.ts'
import type { Kysely } from 'kysely'
import type { NovaSql } from './servers.ts'
import type { FlavorRow, NovaTables } from './tables.ts'

export async function insertFlavor(sql: NovaSql, row: FlavorRow): Promise<void> {
  await sql.query.insertInto('nova_flavors').values(row).execute()
}

export async function flavorById(sql: NovaSql, flavorid: string): Promise<FlavorRow | undefined> {
  return (await rowsBy<FlavorRow>(sql as never, 'nova_flavors', { flavorid }))[0]
}

export async function patchFlavor(sql: NovaSql, flavorid: string, patch: Partial<FlavorRow>): Promise<boolean> {
  return (await sql.query.updateTable('nova_flavors').set(patch).where('flavorid', '=', flavorid).executeTakeFirst()).numUpdatedRows === 1n
}

export async function deleteFlavor(sql: NovaSql, flavorid: string): Promise<boolean> {
  await sql.query.deleteFrom('nova_flavor_access').where('flavorid', '=', flavorid).execute()
  return (await sql.query.deleteFrom('nova_flavors').where('flavorid', '=', flavorid).executeTakeFirst()).numDeletedRows === 1n
}

export async function mayUseFlavor(sql: NovaSql, flavorid: string, projectId: string): Promise<boolean> {
  return (await sql.query.selectFrom('nova_flavor_access').selectAll().where('flavorid', '=', flavorid).where('project_id', '=', projectId).executeTakeFirst()) !== undefined
}

export interface FlavorQuery {
  /** `for`: the public ones and those this project was given. */
  visible: { kind: 'all' } | { kind: 'public'; is_public: boolean } | { kind: 'for'; project_id: string }
  min_disk?: number
  min_ram?: number
  name?: string
  sort: { column: keyof FlavorRow; dir: 'asc' | 'desc' }
  limit: number
  marker?: string
}

/** What nearly everybody asks: all that a project may use, by their ids. */
const usableFlavors = prepared((query: Kysely<NovaTables>, project_id: string, limit: number) =>
  query
    .selectFrom('nova_flavors')
    .selectAll()
    .where('disabled', '=', 0)
    .where((eb) => eb.or([eb('is_public', '=', 1), eb('flavorid', 'in', eb.selectFrom('nova_flavor_access').select('flavorid').where('project_id', '=', project_id))]))
    .orderBy('flavorid')
    .limit(limit),
)

/** undefined: there is no such marker. */
export async function listFlavors(sql: NovaSql, query: FlavorQuery): Promise<FlavorRow[] | undefined> {
  const { visible: who, sort, limit, ...narrowed } = query
  if (who.kind === 'for' && sort.column === 'flavorid' && sort.dir === 'asc' && Object.keys(narrowed).length === 0) return usableFlavors(sql, who.project_id, limit)
  let q = sql.query.selectFrom('nova_flavors').selectAll().where('disabled', '=', 0)
  const { visible } = query
  if (visible.kind === 'public') q = q.where('is_public', '=', visible.is_public ? 1 : 0)
  if (visible.kind === 'for') {
    q = q.where((eb) => eb.or([eb('is_public', '=', 1), eb('flavorid', 'in', eb.selectFrom('nova_flavor_access').select('flavorid').where('project_id', '=', visible.project_id))]))
  }
  if (query.min_disk !== undefined) q = q.where('root_gb', '>=', query.min_disk)
  if (query.min_ram !== undefined) q = q.where('memory_mb', '>=', query.min_ram)
  if (query.name !== undefined) q = q.where('name', '=', query.name)
  const { column, dir } = query.sort
  if (query.marker !== undefined) {
    const at = await flavorById(sql, query.marker)
    if (!at) return undefined
    const op = dir === 'asc' ? '>' : '<'
    q = q.where((eb) => eb.or([eb(column, op, at[column] as never), eb.and([eb(column, '=', at[column] as never), eb('flavorid', op, at.flavorid)])]))
  }
  return q.orderBy(column, dir).orderBy('flavorid', dir).limit(query.limit).execute()
}

/** Replaces the extra specs by what `to` makes of them, in the caller's transaction; false when there is no such flavor. */
export async function changeExtraSpecs(sql: NovaSql, flavorid: string, to: (now: Record<string, string>) => Record<string, string>, now: number): Promise<boolean> {
  // The write comes first and holds the row, so that two changes at once do not lose one of them.
  if (!(await patchFlavor(sql, flavorid, { updated_at: now }))) return false
  const row = (await flavorById(sql, flavorid))!
  return patchFlavor(sql, flavorid, { extra_specs: JSON.stringify(to(JSON.parse(row.extra_specs) as Record<string, string>)) })
}

/** Projects that may use it. */
export async function flavorAccess(sql: NovaSql, flavorid: string): Promise<string[]> {
  const rows = await sql.query.selectFrom('nova_flavor_access').select('project_id').where('flavorid', '=', flavorid).orderBy('project_id').execute()
  return rows.map((row) => row.project_id)
}

export async function insertFlavorAccess(sql: NovaSql, flavorid: string, project_id: string): Promise<void> {
  await sql.query.insertInto('nova_flavor_access').values({ flavorid, project_id }).execute()
}

export async function deleteFlavorAccess(sql: NovaSql, flavorid: string, project_id: string): Promise<boolean> {
  return (await sql.query.deleteFrom('nova_flavor_access').where('flavorid', '=', flavorid).where('project_id', '=', project_id).executeTakeFirst()).numDeletedRows === 1n
}
