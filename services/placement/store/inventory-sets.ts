/** All inventories of a provider replaced, in one step or in the two that the reshaper needs. */
import { conflict } from '#base/fault.ts'
import { INVENTORY_IN_USE } from '../contract/codes.ts'
import type { Inventory } from '../contract/inventories.ts'
import { classesInUse, inventoryDelete, inventoryInsert, inventoryList, inventoryUpdate } from './inventories.ts'
import type { PlacementTx, ProviderRow } from './tables.ts'

export type Records = Readonly<Record<string, Inventory>>

/** An inventory that is to go but has allocations is a `conflict` with `placement.inventory.inuse`. A smaller one may leave it overdrawn. */
export async function inventoriesReplace(tx: PlacementTx, provider: ProviderRow, records: Records, now: number): Promise<void> {
  await inventoriesAdd(tx, provider, records, now)
  await inventoriesKeep(tx, provider, records)
}

/** Writes these, and leaves the others. */
export async function inventoriesAdd(tx: PlacementTx, provider: ProviderRow, records: Records, now: number): Promise<void> {
  const there = new Set((await inventoryList(tx, provider.uuid)).map((row) => row.resource_class))
  const fresh = Object.entries(records).filter(([name]) => !there.has(name))
  await inventoryInsert(tx, provider, Object.fromEntries(fresh), now)
  for (const [name, record] of Object.entries(records)) if (there.has(name)) await inventoryUpdate(tx, provider.uuid, name, record, now)
}

/** Removes all but these. */
export async function inventoriesKeep(tx: PlacementTx, provider: ProviderRow, records: Records): Promise<void> {
  const gone = (await inventoryList(tx, provider.uuid)).map((row) => row.resource_class).filter((name) => !(name in records))
  const used = await classesInUse(tx, provider.uuid, gone)
  if (used.length > 0) throw conflict(`update conflict: Inventory for '${used.join(', ')}' on resource provider '${provider.uuid}' in use.`, { code: INVENTORY_IN_USE })
  await inventoryDelete(tx, provider.uuid, gone)
}
