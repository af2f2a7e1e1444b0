/** Resource providers and their trees. */
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { Resources } from '../contract/allocations.ts'
import { fits } from './fits.ts'
import type { PlacementSql, PlacementTx, ProviderRow } from './tables.ts'

export interface ProviderFilter {
  name?: string
  uuid?: string
  /** Any provider of the wanted tree. */
  in_tree?: string
  resources?: Resources
  /** One of each inner list must be there. */
  required_traits?: readonly (readonly string[])[]
  forbidden_traits?: readonly string[]
  member_of?: readonly (readonly string[])[]
  forbidden_aggregates?: readonly string[]
}

export async function providerGet(db: PlacementSql, uuid: string): Promise<ProviderRow | undefined> {
  return db.query.selectFrom('placement_providers').selectAll().where('uuid', '=', uuid).executeTakeFirst()
}

export async function providersGet(db: PlacementSql, uuids: readonly string[]): Promise<Map<string, ProviderRow>> {
  if (uuids.length === 0) return new Map()
  const rows = await db.query.selectFrom('placement_providers').selectAll().where('uuid', 'in', uuids).execute()
  return new Map(rows.map((row) => [row.uuid, row]))
}

/** Every provider of the tree that has this root. */
export async function providerTree(db: PlacementSql, root: string): Promise<ProviderRow[]> {
  return db.query.selectFrom('placement_providers').selectAll().where('root_provider_uuid', '=', root).execute()
}

export async function providerList(db: PlacementSql, filter: ProviderFilter): Promise<Selectable<ProviderRow>[]> {
  let query = db.query.selectFrom('placement_providers as p').selectAll('p')
  if (filter.name !== undefined) query = query.where('p.name', '=', filter.name)
  if (filter.uuid !== undefined) query = query.where('p.uuid', '=', filter.uuid)
  if (filter.in_tree !== undefined) {
    query = query.where('p.root_provider_uuid', 'in', (eb) => eb.selectFrom('placement_providers as q').select('q.root_provider_uuid').where('q.uuid', '=', filter.in_tree!))
  }
  for (const traits of filter.required_traits ?? []) {
    query = query.where((eb) => eb.exists(eb.selectFrom('placement_provider_traits as t').select('t.trait').whereRef('t.resource_provider_uuid', '=', 'p.uuid').where('t.trait', 'in', traits)))
  }
  if (filter.forbidden_traits?.length) {
    query = query.where((eb) =>
      eb.not(eb.exists(eb.selectFrom('placement_provider_traits as t').select('t.trait').whereRef('t.resource_provider_uuid', '=', 'p.uuid').where('t.trait', 'in', filter.forbidden_traits!))),
    )
  }
  for (const aggregates of filter.member_of ?? []) {
    query = query.where('p.uuid', 'in', (eb) => eb.selectFrom('placement_provider_aggregates as a').select('a.resource_provider_uuid').where('a.aggregate_uuid', 'in', aggregates))
  }
  if (filter.forbidden_aggregates?.length) {
    query = query.where('p.uuid', 'not in', (eb) => eb.selectFrom('placement_provider_aggregates as a').select('a.resource_provider_uuid').where('a.aggregate_uuid', 'in', filter.forbidden_aggregates!))
  }
  for (const [name, amount] of Object.entries(filter.resources ?? {})) {
    query = query.where((eb) =>
      eb.exists(eb.selectFrom('placement_inventories as i').select('i.resource_class').whereRef('i.resource_provider_uuid', '=', 'p.uuid').where('i.resource_class', '=', name).where(fits('i', amount))),
    )
  }
  return query.orderBy('p.created_at').orderBy('p.uuid').execute()
}

export async function providerInsert(tx: PlacementTx, row: ProviderRow): Promise<void> {
  await tx.query.insertInto('placement_providers').values(row).execute()
}

export async function providerUpdate(tx: PlacementTx, uuid: string, patch: Pick<ProviderRow, 'name' | 'parent_provider_uuid' | 'updated_at'>): Promise<void> {
  await tx.query.updateTable('placement_providers').set(patch).where('uuid', '=', uuid).execute()
}

/** Gives a whole subtree, and all that it has, another root. */
export async function providersMove(tx: PlacementTx, uuids: readonly string[], root: string, now: number): Promise<void> {
  await tx.query.updateTable('placement_providers').set({ root_provider_uuid: root, updated_at: now }).where('uuid', 'in', uuids).execute()
  for (const table of ['placement_inventories', 'placement_provider_traits', 'placement_provider_aggregates'] as const) {
    await tx.query.updateTable(table).set({ root_provider_uuid: root }).where('resource_provider_uuid', 'in', uuids).execute()
  }
}

export async function providerHasChildren(db: PlacementSql, uuid: string): Promise<boolean> {
  const child = await db.query.selectFrom('placement_providers').select('uuid').where('parent_provider_uuid', '=', uuid).limit(1).executeTakeFirst()
  return child !== undefined
}

export async function providerHasAllocations(db: PlacementSql, uuid: string): Promise<boolean> {
  const claim = await db.query.selectFrom('placement_allocations').select(sql<number>`1`.as('one')).where('resource_provider_uuid', '=', uuid).limit(1).executeTakeFirst()
  return claim !== undefined
}

export async function providerDelete(tx: PlacementTx, uuid: string): Promise<void> {
  await tx.query.deleteFrom('placement_inventories').where('resource_provider_uuid', '=', uuid).execute()
  await tx.query.deleteFrom('placement_provider_traits').where('resource_provider_uuid', '=', uuid).execute()
  await tx.query.deleteFrom('placement_provider_aggregates').where('resource_provider_uuid', '=', uuid).execute()
  await tx.query.deleteFrom('placement_providers').where('uuid', '=', uuid).execute()
}
