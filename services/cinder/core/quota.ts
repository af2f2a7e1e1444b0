/** Whether a wish fits into what is left. Pure. */
export interface QuotaWish {
  resource: string
  amount: number
}

export interface Excess {
  resource: string
  limit: number
  used: number
  wanted: number
}

/** The first limit that the wishes would break; -1 is no limit. */
export function excess(wishes: readonly QuotaWish[], limitOf: (resource: string) => number, usedOf: (resource: string) => number): Excess | undefined {
  for (const { resource, amount } of wishes) {
    const limit = limitOf(resource)
    const used = usedOf(resource)
    if (limit >= 0 && amount > 0 && used + amount > limit) return { resource, limit, used, wanted: amount }
  }
  return undefined
}
