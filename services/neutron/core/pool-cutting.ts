/** Cutting subnets out of subnet pools. */
import { bitsOf, type Cidr, cidrAt, compact, overlap, within } from './address.ts'

/** What is left of the prefixes when the used ones are taken out, as few blocks as possible. */
export function freeBlocks(prefixes: readonly Cidr[], used: readonly Cidr[]): Cidr[] {
  let free = compact(prefixes)
  for (const taken of used) free = free.flatMap((block) => without(block, taken))
  return free
}

function without(block: Cidr, taken: Cidr): Cidr[] {
  if (!overlap(block, taken)) return [block]
  if (within(block, taken)) return []
  const length = block.prefixlen + 1
  const left = cidrAt({ version: block.version, value: block.first }, length)
  const right = cidrAt({ version: block.version, value: left.last + 1n }, length)
  return [...without(left, taken), ...without(right, taken)]
}

/** The smallest block that is big enough, cut at its beginning. */
export function cut(free: readonly Cidr[], prefixlen: number): Cidr | undefined {
  const fitting = free.filter((block) => block.prefixlen <= prefixlen).sort((a, b) => b.prefixlen - a.prefixlen)[0]
  return fitting && cidrAt({ version: fitting.version, value: fitting.first }, prefixlen)
}

/** Addresses of a v4 prefix, or /64s of a v6 one: what `default_quota` counts. */
export function quotaUnits(cidr: Cidr): number {
  const unit = cidr.version === 4 ? 32 : 64
  return cidr.prefixlen > unit ? 0 : Number(1n << BigInt(Math.min(unit, bitsOf(cidr.version)) - cidr.prefixlen))
}
