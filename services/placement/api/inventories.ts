/** Inventories of a provider, all at once or one by one. */
import { conflict, Fault, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { CONCURRENT_UPDATE } from '../contract/codes.ts'
import type { InventoriesWish, Inventory, InventoryWish, OneInventoryWish } from '../contract/inventories.ts'
import { inventoryOf } from '../core/inventory.ts'
import type { Placement } from '../house.ts'
import { generationAdvance } from '../store/generations.ts'
import { inventoriesReplace } from '../store/inventory-sets.ts'
import { classesInUse, inventoryDelete, inventoryGet, inventoryInsert, inventoryList, inventoryUpdate } from '../store/inventories.ts'
import { classesMissing } from '../store/resource-classes.ts'
import type { InventoryRow, PlacementSql, ProviderRow } from '../store/tables.ts'
import { freshness, newest } from './freshness.ts'
import { concurrent, providerFound } from './resource-providers.ts'

export const listInventories = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const provider = await providerFound(house.db, rq)
  const rows = await inventoryList(house.db, provider.uuid)
  return { json: inventoriesWire(provider.generation, rows), headers: freshness(house, rq, newest(rows)) }
}

export const showInventory = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const provider = await providerFound(house.db, rq)
  const row = await inventoryGet(house.db, provider.uuid, rq.params.resource_class!)
  if (!row) throw notFound(`No inventory of class ${rq.params.resource_class} for ${provider.uuid}`)
  return { json: oneWire(row, provider.generation), headers: freshness(house, rq, row.updated_at) }
}

export const replaceInventories = (house: Placement) => async (rq: Rq<InventoriesWish>): Promise<Reply> => {
  const now = house.world.clock.now()
  const { generation, records } = await house.db.transaction(async (tx) => {
    const provider = await providerFound(tx, rq)
    assertGeneration(provider, rq.body.resource_provider_generation)
    const frame = (error: string): string => `Unable to update inventory for resource provider ${provider.uuid}: ${error}`
    const records = Object.fromEntries(Object.entries(rq.body.inventories).map(([name, wish]) => [name, inventoryOf(name, provider.uuid, wish, rq.version, frame)]))
    await assertClasses(tx, Object.keys(records), (error) => `Unknown resource class in inventory for resource provider ${provider.uuid}: ${error}`)
    const generation = await generationAdvance(tx, provider.uuid, provider.generation, now, (error) => `update conflict: ${error}`)
    await inventoriesReplace(tx, provider, records, now)
    return { generation, records }
  })
  return { json: { resource_provider_generation: generation, inventories: records }, headers: freshness(house, rq, now) }
}

export const clearInventories = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const now = house.world.clock.now()
  await house.db.transaction(async (tx) => {
    const provider = await providerFound(tx, rq)
    await generationAdvance(tx, provider.uuid, provider.generation, now)
    await inventoriesReplace(tx, provider, {}, now)
  })
  return {}
}

/** Before 1.5 the collection knows no DELETE, as a method and not as a place. */
export const refuseClear = (): Reply => {
  throw new Fault('method_not_allowed', 'The method DELETE is not allowed for this resource.', { data: { allow: 'GET, POST, PUT' } })
}

export const createInventory = (house: Placement) => async (rq: Rq<InventoryWish & { resource_class: string }>): Promise<Reply> => {
  const { resource_class, ...wish } = rq.body
  const now = house.world.clock.now()
  const frame = (error: string): string => `Unable to create inventory for resource provider ${rq.params.uuid}: ${error}`
  try {
    const { generation, record } = await house.db.transaction(async (tx) => {
      const provider = await providerFound(tx, rq)
      const record = inventoryOf(resource_class, provider.uuid, wish, rq.version, frame)
      await assertClasses(tx, [resource_class], frame)
      const generation = await generationAdvance(tx, provider.uuid, provider.generation, now, (error) => `Update conflict: ${error}`)
      await inventoryInsert(tx, provider, { [resource_class]: record }, now)
      return { generation, record }
    })
    const location = `${rq.base}/resource_providers/${rq.params.uuid}/inventories/${resource_class}`
    return { json: oneWire(record, generation), headers: { location, ...freshness(house, rq, now) } }
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw concurrent('Update conflict: ', thrown)
    throw thrown
  }
}

export const updateInventory = (house: Placement) => async (rq: Rq<OneInventoryWish>): Promise<Reply> => {
  const name = rq.params.resource_class!
  const now = house.world.clock.now()
  const { generation, record } = await house.db.transaction(async (tx) => {
    const provider = await providerFound(tx, rq)
    assertGeneration(provider, rq.body.resource_provider_generation)
    const record = inventoryOf(name, provider.uuid, rq.body, rq.version, (error) => `Unable to update inventory for resource provider ${provider.uuid}: ${error}`)
    if ((await classesMissing(tx, [name])).length > 0) throw notFound(`No such resource class ${name}.`)
    const generation = await generationAdvance(tx, provider.uuid, provider.generation, now, (error) => `update conflict: ${error}`)
    if (!(await inventoryUpdate(tx, provider.uuid, name, record, now))) {
      throw invalid(`No inventory record with resource class for resource provider ${provider.uuid}: No inventory of class ${name} found.`, { field: 'resource_class' })
    }
    return { generation, record }
  })
  return { json: oneWire(record, generation), headers: freshness(house, rq, now) }
}

export const deleteInventory = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const name = rq.params.resource_class!
  const now = house.world.clock.now()
  await house.db.transaction(async (tx) => {
    const provider = await providerFound(tx, rq)
    if (!(await inventoryGet(tx, provider.uuid, name))) throw notFound(`No inventory of class ${name} found for delete: No inventory of class ${name} found for delete`)
    const frame = (error: string): string => `Unable to delete inventory of class ${name}: ${error}`
    await generationAdvance(tx, provider.uuid, provider.generation, now, frame)
    // The code is the one clients know here, though the reason is another.
    if ((await classesInUse(tx, provider.uuid, [name])).length > 0) throw conflict(frame(`Inventory for '${name}' on resource provider '${provider.uuid}' in use.`), { code: CONCURRENT_UPDATE })
    await inventoryDelete(tx, provider.uuid, [name])
  })
  return {}
}

function assertGeneration(provider: ProviderRow, seen: number): void {
  if (provider.generation !== seen) throw conflict('resource provider generation conflict', { code: CONCURRENT_UPDATE, field: 'resource_provider_generation' })
}

async function assertClasses(db: PlacementSql, names: readonly string[], frame: (error: string) => string): Promise<void> {
  const missing = await classesMissing(db, names)
  if (missing.length > 0) throw invalid(frame(`No such resource class ${missing[0]}.`), { field: 'resource_class' })
}

function inventoryWire({ total, reserved, min_unit, max_unit, step_size, allocation_ratio }: Inventory): Inventory {
  return { total, reserved, min_unit, max_unit, step_size, allocation_ratio }
}

function oneWire(record: Inventory, resource_provider_generation: number): Inventory & { resource_provider_generation: number } {
  return { ...inventoryWire(record), resource_provider_generation }
}

function inventoriesWire(resource_provider_generation: number, rows: readonly InventoryRow[]): unknown {
  return { resource_provider_generation, inventories: Object.fromEntries(rows.map((row) => [row.resource_class, inventoryWire(row)])) }
}
