/** Memberships of providers in aggregates. */
import type { PlacementSql, PlacementTx, ProviderRow } from './tables.ts'

export async function aggregateList(db: PlacementSql, provider: string): Promise<string[]> {
  const rows = await db.query.selectFrom('placement_provider_aggregates').select('aggregate_uuid').where('resource_provider_uuid', '=', provider).orderBy('aggregate_uuid').execute()
  return rows.map((row) => row.aggregate_uuid)
}

/** Aggregates by provider; a provider without any is not there. */
export async function aggregatesOf(db: PlacementSql, providers: readonly string[]): Promise<Map<string, string[]>> {
  const out = new Map<string, string[]>()
  if (providers.length === 0) return out
  const rows = await db.query.selectFrom('placement_provider_aggregates').select(['resource_provider_uuid', 'aggregate_uuid']).where('resource_provider_uuid', 'in', providers).execute()
  for (const row of rows) {
    const list = out.get(row.resource_provider_uuid)
    if (list) list.push(row.aggregate_uuid)
    else out.set(row.resource_provider_uuid, [row.aggregate_uuid])
  }
  return out
}

export async function aggregateReplace(tx: PlacementTx, { uuid, root_provider_uuid }: ProviderRow, aggregates: readonly string[]): Promise<void> {
  await tx.query.deleteFrom('placement_provider_aggregates').where('resource_provider_uuid', '=', uuid).execute()
  const rows = aggregates.map((aggregate_uuid) => ({ resource_provider_uuid: uuid, aggregate_uuid, root_provider_uuid }))
  if (rows.length > 0) await tx.query.insertInto('placement_provider_aggregates').values(rows).execute()
}
