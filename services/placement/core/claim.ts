/** Judges a claim after it was written and before it is committed: the inventories already count it. */
import type { Stock } from './inventory.ts'
import { capacityOf, isPortion } from './inventory.ts'

export interface Portion {
  resource_provider_uuid: string
  resource_class: string
  used: number
}

/** Key of a provider's stock of a class. */
export function stockKey(provider: string, resource_class: string): string {
  return `${provider}/${resource_class}`
}

/**
 * What is wrong with a claim, in words, or undefined. `released` is what its consumers had before. A provider that is over its capacity
 * (its inventory shrank) may still be claimed of when the claim leaves it no worse than it was.
 */
export function claimProblem(wanted: readonly Portion[], stocks: ReadonlyMap<string, Stock>, released: readonly Portion[]): string | undefined {
  const before = sums(released)
  const after = sums(wanted)
  for (const { resource_provider_uuid, resource_class, used } of wanted) {
    const key = stockKey(resource_provider_uuid, resource_class)
    const stock = stocks.get(key)
    if (!stock) return `Inventory for '${resource_class}' on resource provider '${resource_provider_uuid}' invalid.`
    const what = `Unable to create allocation for '${resource_class}' on resource provider '${resource_provider_uuid}'. The requested amount would`
    if (!isPortion(stock, used)) return `${what} violate inventory constraints.`
    const grows = after.get(key)! > (before.get(key) ?? 0)
    if (stock.used > capacityOf(stock) && (grows || !before.has(key))) return `${what} exceed the capacity.`
  }
  return undefined
}

function sums(portions: readonly Portion[]): Map<string, number> {
  const out = new Map<string, number>()
  for (const { resource_provider_uuid, resource_class, used } of portions) {
    const key = stockKey(resource_provider_uuid, resource_class)
    out.set(key, (out.get(key) ?? 0) + used)
  }
  return out
}
