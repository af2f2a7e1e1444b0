/** Custom resource classes. */
import { isStandardClass } from '../contract/resource-classes.ts'
import type { PlacementSql, PlacementTx, SymbolRow } from './tables.ts'

export async function classGet(db: PlacementSql, name: string): Promise<SymbolRow | undefined> {
  return db.query.selectFrom('placement_resource_classes').selectAll().where('name', '=', name).executeTakeFirst()
}

/** All custom ones, oldest first. */
export async function classList(db: PlacementSql): Promise<SymbolRow[]> {
  return db.query.selectFrom('placement_resource_classes').selectAll().orderBy('created_at').orderBy('name').execute()
}

/** Those of the names that no class has. */
export async function classesMissing(db: PlacementSql, names: Iterable<string>): Promise<string[]> {
  const custom = [...new Set(names)].filter((name) => !isStandardClass(name))
  if (custom.length === 0) return []
  const rows = await db.query.selectFrom('placement_resource_classes').select('name').where('name', 'in', custom).execute()
  const known = new Set(rows.map((row) => row.name))
  return custom.filter((name) => !known.has(name))
}

export async function classInsert(db: PlacementSql, name: string, now: number): Promise<void> {
  await db.query.insertInto('placement_resource_classes').values({ name, created_at: now, updated_at: now }).execute()
}

/** Renames it wherever it stands (before 1.7 only). */
export async function classRename(tx: PlacementTx, from: string, to: string, now: number): Promise<void> {
  await tx.query.updateTable('placement_resource_classes').set({ name: to, updated_at: now }).where('name', '=', from).execute()
  await tx.query.updateTable('placement_inventories').set({ resource_class: to }).where('resource_class', '=', from).execute()
  await tx.query.updateTable('placement_allocations').set({ resource_class: to }).where('resource_class', '=', from).execute()
}

export async function classIsUsed(db: PlacementSql, name: string): Promise<boolean> {
  const row = await db.query.selectFrom('placement_inventories').select('resource_class').where('resource_class', '=', name).limit(1).executeTakeFirst()
  return row !== undefined
}

export async function classDelete(tx: PlacementTx, name: string): Promise<void> {
  await tx.query.deleteFrom('placement_resource_classes').where('name', '=', name).execute()
}
