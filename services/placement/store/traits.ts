/** Custom traits, and the traits of providers. */
import { isStandardTrait } from '../contract/traits.ts'
import type { PlacementSql, PlacementTx, ProviderRow, SymbolRow } from './tables.ts'

export async function traitGet(db: PlacementSql, name: string): Promise<SymbolRow | undefined> {
  return db.query.selectFrom('placement_traits').selectAll().where('name', '=', name).executeTakeFirst()
}

/** All custom ones, by name. */
export async function traitList(db: PlacementSql): Promise<SymbolRow[]> {
  return db.query.selectFrom('placement_traits').selectAll().orderBy('name').execute()
}

/** Names of traits that some provider has. */
export async function traitsInUse(db: PlacementSql): Promise<Set<string>> {
  const rows = await db.query.selectFrom('placement_provider_traits').select('trait').distinct().execute()
  return new Set(rows.map((row) => row.trait))
}

export async function traitIsUsed(db: PlacementSql, name: string): Promise<boolean> {
  const row = await db.query.selectFrom('placement_provider_traits').select('trait').where('trait', '=', name).limit(1).executeTakeFirst()
  return row !== undefined
}

/** Those of the names that no trait has. */
export async function traitsMissing(db: PlacementSql, names: Iterable<string>): Promise<string[]> {
  const custom = [...new Set(names)].filter((name) => !isStandardTrait(name))
  if (custom.length === 0) return []
  const rows = await db.query.selectFrom('placement_traits').select('name').where('name', 'in', custom).execute()
  const known = new Set(rows.map((row) => row.name))
  return custom.filter((name) => !known.has(name))
}

export async function traitInsert(db: PlacementSql, name: string, now: number): Promise<void> {
  await db.query.insertInto('placement_traits').values({ name, created_at: now, updated_at: now }).execute()
}

export async function traitDelete(tx: PlacementTx, name: string): Promise<void> {
  await tx.query.deleteFrom('placement_traits').where('name', '=', name).execute()
}

/** The rows, and the copy of them on the provider. */
export async function providerTraitsReplace(tx: PlacementTx, { uuid, root_provider_uuid }: ProviderRow, traits: readonly string[]): Promise<void> {
  await tx.query.deleteFrom('placement_provider_traits').where('resource_provider_uuid', '=', uuid).execute()
  const rows = traits.map((trait) => ({ resource_provider_uuid: uuid, trait, root_provider_uuid }))
  if (rows.length > 0) await tx.query.insertInto('placement_provider_traits').values(rows).execute()
  await tx.query.updateTable('placement_providers').set({ traits: JSON.stringify(traits) }).where('uuid', '=', uuid).execute()
}
