/** Inventories: how much of a resource class a provider has, and in what portions it gives it away. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import { MAX_INT, SYMBOL } from './names.ts'

/** Capacity is `(total - reserved) * allocation_ratio`. */
export interface Inventory {
  total: number
  reserved: number
  min_unit: number
  max_unit: number
  step_size: number
  allocation_ratio: number
}

/** What a writer may leave out gets the defaults. */
export type InventoryWish = Pick<Inventory, 'total'> & Partial<Inventory>

export const INVENTORY_DEFAULTS: Omit<Inventory, 'total'> = { reserved: 0, min_unit: 1, max_unit: MAX_INT, step_size: 1, allocation_ratio: 1 }

/** By resource class. */
export interface Inventories {
  resource_provider_generation: number
  inventories: Record<string, Inventory>
}

export interface InventoriesWish {
  resource_provider_generation: number
  inventories: Record<string, InventoryWish>
}

export type OneInventory = Inventory & { resource_provider_generation: number }
export type OneInventoryWish = InventoryWish & { resource_provider_generation: number }

const whole = (minimum: number): Schema => ({ type: 'integer', minimum, maximum: MAX_INT })
const generation: Schema = { type: 'integer' }
const record = {
  resource_provider_generation: generation,
  total: whole(1),
  reserved: whole(0),
  min_unit: whole(1),
  max_unit: whole(1),
  step_size: whole(1),
  allocation_ratio: { type: 'number', maximum: 3.40282e38 },
}
const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[]): Schema => ({ type: 'object', properties, required, additionalProperties: false })

export const inventoryCreate = object({ ...record, resource_class: { type: 'string', pattern: SYMBOL } }, ['total', 'resource_class'])
export const inventoryUpdate = object(record, ['total', 'resource_provider_generation'])
export const inventoriesUpdate = object(
  {
    resource_provider_generation: generation,
    inventories: { type: 'object', patternProperties: { [SYMBOL]: object(record, ['total']) }, additionalProperties: false },
  },
  ['resource_provider_generation', 'inventories'],
)

const VERSION = 'placement 1.39'
type Of = { params: { uuid: string } }
type One = { params: { uuid: string; resource_class: string } }

export const listInventories = operation<Of, Inventories>('GET', '/resource_providers/{uuid}/inventories', VERSION)
/** Replaces all. A stale generation is a `conflict` with code `placement.concurrent_update`; one to be removed that is in use, with `placement.inventory.inuse`. */
export const replaceInventories = operation<Of & { body: InventoriesWish }, Inventories>('PUT', '/resource_providers/{uuid}/inventories', VERSION)
export const clearInventories = operation<Of>('DELETE', '/resource_providers/{uuid}/inventories', VERSION)
export const createInventory = operation<Of & { body: InventoryWish & { resource_class: string } }, OneInventory>('POST', '/resource_providers/{uuid}/inventories', VERSION)
export const showInventory = operation<One, OneInventory>('GET', '/resource_providers/{uuid}/inventories/{resource_class}', VERSION)
export const updateInventory = operation<One & { body: OneInventoryWish }, OneInventory>('PUT', '/resource_providers/{uuid}/inventories/{resource_class}', VERSION)
export const deleteInventory = operation<One>('DELETE', '/resource_providers/{uuid}/inventories/{resource_class}', VERSION)
