/**
 * Placement's tables. Providers, classes and traits are known by uuid or name everywhere, so that no query needs a join to learn them;
 * only custom classes and traits have rows, the standard ones are data in `contract/`.
 *
 * Some columns repeat what other rows say, each rewritten in the transaction that changes those rows: a provider's `traits` (for views of
 * thousands of providers), the `root_provider_uuid` of what a provider has, and an inventory's `used` (both for the search). Claims are
 * judged by the sum of the rows.
 */
import type { Sql, Tx } from '#base/sql/database.ts'
import type { Inventory } from '../contract/inventories.ts'

export interface ProviderRow {
  uuid: string
  name: string
  generation: number
  parent_provider_uuid: string | null
  root_provider_uuid: string
  /** JSON: names in order. */
  traits: string
  created_at: number
  updated_at: number
}

export interface ProviderTraitRow {
  resource_provider_uuid: string
  trait: string
  root_provider_uuid: string
}

export interface ProviderAggregateRow {
  resource_provider_uuid: string
  aggregate_uuid: string
  root_provider_uuid: string
}

export interface InventoryRow extends Inventory {
  resource_class: string
  root_provider_uuid: string
  resource_provider_uuid: string
  used: number
  created_at: number
  updated_at: number
}

export interface AllocationRow {
  consumer_uuid: string
  resource_provider_uuid: string
  resource_class: string
  used: number
  created_at: number
}

export interface ConsumerRow {
  uuid: string
  generation: number
  project_id: string
  user_id: string
  /** Null when it was never said (before 1.38). */
  consumer_type: string | null
  created_at: number
  updated_at: number
}

/** A custom trait or resource class. */
export interface SymbolRow {
  name: string
  created_at: number
  updated_at: number
}

export interface PlacementTables {
  placement_providers: ProviderRow
  placement_provider_traits: ProviderTraitRow
  placement_provider_aggregates: ProviderAggregateRow
  placement_inventories: InventoryRow
  placement_allocations: AllocationRow
  placement_consumers: ConsumerRow
  placement_traits: SymbolRow
  placement_resource_classes: SymbolRow
}

export type PlacementSql = Sql<PlacementTables>
export type PlacementTx = Tx<PlacementTables>
