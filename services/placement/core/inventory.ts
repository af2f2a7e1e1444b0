/** The arithmetic of inventories: what one can hold, and whether it may give a portion. */
import { invalid } from '#base/fault.ts'
import { type ApiVersion, v } from '#stack/version.ts'
import { type Inventory, INVENTORY_DEFAULTS, type InventoryWish } from '../contract/inventories.ts'

export type Stock = Inventory & { used: number }

/** Not rounded; views show the whole part. */
export function capacityOf({ total, reserved, allocation_ratio }: Pick<Inventory, 'total' | 'reserved' | 'allocation_ratio'>): number {
  return (total - reserved) * allocation_ratio
}

/** Whether `amount` is a portion that this inventory gives at all. */
export function isPortion({ min_unit, max_unit, step_size }: Pick<Inventory, 'min_unit' | 'max_unit' | 'step_size'>, amount: number): boolean {
  return amount >= min_unit && amount <= max_unit && amount % step_size === 0
}

/** Whether one more portion of `amount` can be had; the rule that `store/fits.ts` states in SQL. */
export function hasRoom(stock: Stock, amount: number): boolean {
  return isPortion(stock, amount) && stock.used + amount <= capacityOf(stock)
}

/** The record with its defaults. Throws `invalid` when nothing is left of it after what is reserved. */
export function inventoryOf(resource_class: string, provider: string, wish: InventoryWish, version: ApiVersion, frame: (error: string) => string): Inventory {
  const { total, reserved, min_unit, max_unit, step_size, allocation_ratio } = { ...INVENTORY_DEFAULTS, ...wish }
  const record: Inventory = { total, reserved, min_unit, max_unit, step_size, allocation_ratio }
  const capacity = Math.trunc(capacityOf(record))
  const mayBeFull = version >= v('1.26')
  if (mayBeFull ? capacity < 0 : capacity <= 0) {
    const rule = mayBeFull ? 'greater than total' : 'greater than or equal to total'
    throw invalid(frame(`Invalid inventory for '${resource_class}' on resource provider '${provider}'. The reserved value is ${rule}.`), { field: 'reserved' })
  }
  return record
}
