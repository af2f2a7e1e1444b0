/** Inventories of providers. */
import { sql } from 'kysely'
import type { Inventory } from '../contract/inventories.ts'
import type { InventoryRow, PlacementSql, PlacementTx, ProviderRow } from './tables.ts'

export async function inventoryList(db: PlacementSql, provider: string): Promise<InventoryRow[]> {
  return db.query.selectFrom('placement_inventories').selectAll().where('resource_provider_uuid', '=', provider).execute()
}

export async function inventoryGet(db: PlacementSql, provider: string, resource_class: string): Promise<InventoryRow | undefined> {
  return db.query.selectFrom('placement_inventories').selectAll().where('resource_provider_uuid', '=', provider).where('resource_class', '=', resource_class).executeTakeFirst()
}

export async function inventoriesOf(db: PlacementSql, providers: readonly string[]): Promise<InventoryRow[]> {
  if (providers.length === 0) return []
  return db.query.selectFrom('placement_inventories').selectAll().where('resource_provider_uuid', 'in', providers).execute()
}

export async function inventoryInsert(tx: PlacementTx, provider: Pick<ProviderRow, 'uuid' | 'root_provider_uuid'>, records: Readonly<Record<string, Inventory>>, now: number): Promise<void> {
  const rows = Object.entries(records).map(([resource_class, record]): InventoryRow => ({
    resource_class,
    root_provider_uuid: provider.root_provider_uuid,
    resource_provider_uuid: provider.uuid,
    ...record,
    used: 0,
    created_at: now,
    updated_at: now,
  }))
  if (rows.length > 0) await tx.query.insertInto('placement_inventories').values(rows).execute()
}

/** False when there is none. */
export async function inventoryUpdate(tx: PlacementTx, provider: string, resource_class: string, record: Inventory, now: number): Promise<boolean> {
  const done = await tx.query
    .updateTable('placement_inventories')
    .set({ ...record, updated_at: now })
    .where('resource_provider_uuid', '=', provider)
    .where('resource_class', '=', resource_class)
    .executeTakeFirst()
  return done.numUpdatedRows > 0n
}

export async function inventoryDelete(tx: PlacementTx, provider: string, classes: readonly string[]): Promise<void> {
  if (classes.length === 0) return
  await tx.query.deleteFrom('placement_inventories').where('resource_provider_uuid', '=', provider).where('resource_class', 'in', classes).execute()
}

/** Those of the classes that have allocations on the provider. */
export async function classesInUse(db: PlacementSql, provider: string, classes: readonly string[]): Promise<string[]> {
  if (classes.length === 0) return []
  const rows = await db.query.selectFrom('placement_allocations').select('resource_class').distinct().where('resource_provider_uuid', '=', provider).where('resource_class', 'in', classes).execute()
  return rows.map((row) => row.resource_class)
}

/** Sums the allocations of these providers and classes anew into `used`. */
export async function inventoryRecount(tx: PlacementTx, providers: readonly string[], classes: readonly string[]): Promise<void> {
  if (providers.length === 0 || classes.length === 0) return
  const counted = sql<number>`(select coalesce(sum(a.used), 0) from placement_allocations as a
    where a.resource_provider_uuid = placement_inventories.resource_provider_uuid and a.resource_class = placement_inventories.resource_class)`
  await tx.query
    .updateTable('placement_inventories')
    .set({ used: counted })
    .where('resource_provider_uuid', 'in', providers)
    .where('resource_class', 'in', classes)
    .execute()
}
