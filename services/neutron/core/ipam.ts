/** Choosing addresses: at random inside the pools, as Neutron does, without listing what a big pool holds. */
import type { Random } from '#base/random.ts'
import { ipText, parseIp } from './address.ts'
import type { Pool } from './subnet-plan.ts'

export interface Ranges {
  version: 4 | 6
  parts: readonly { start: bigint; size: bigint }[]
  size: bigint
}

export function rangesOf(pools: readonly Pool[]): Ranges {
  const parts = pools.map((pool) => {
    const start = parseIp(pool.start)!
    return { version: start.version, start: start.value, size: parseIp(pool.end)!.value - start.value + 1n }
  })
  return { version: parts[0]?.version ?? 4, parts, size: parts.reduce((sum, part) => sum + part.size, 0n) }
}

function at(ranges: Ranges, index: bigint): string {
  let left = index
  for (const part of ranges.parts) {
    if (left < part.size) return ipText(ranges.version, part.start + left)
    left -= part.size
  }
  throw new RangeError('index beyond the pools')
}

function below(random: Random, limit: bigint): bigint {
  if (limit <= 1n << 47n) return BigInt(random.below(Number(limit)))
  return random.bytes(16).reduce((value, octet) => (value << 8n) | BigInt(octet), 0n) % limit
}

/** Distinct addresses to try. Fewer than `count` only when the pools hold fewer. */
export function sample(ranges: Ranges, random: Random, count: number): string[] {
  if (ranges.size <= BigInt(count)) return Array.from({ length: Number(ranges.size) }, (_, i) => at(ranges, BigInt(i)))
  const found = new Set<string>()
  while (found.size < count) found.add(at(ranges, below(random, ranges.size)))
  return [...found]
}

/** The pools may be listed whole when the random tries hit nothing: up to a /16. */
export const LISTABLE = 65_536n

/** One that is free of a listable pool, chosen at random among the free; undefined when none is. */
export function freeOf(ranges: Ranges, taken: ReadonlySet<string>, random: Random): string | undefined {
  const size = Number(ranges.size)
  const start = size === 0 ? 0 : random.below(size)
  for (let i = 0; i < size; i++) {
    const address = at(ranges, BigInt((start + i) % size))
    if (!taken.has(address)) return address
  }
  return undefined
}

export function inPools(pools: readonly Pool[], address: string): boolean {
  const ip = parseIp(address)!
  return pools.some((pool) => {
    const start = parseIp(pool.start)!
    return start.version === ip.version && start.value <= ip.value && parseIp(pool.end)!.value >= ip.value
  })
}
