/** Where a volume goes: filters and weighers over what backends report. Pure. */
import type { ReportedFacts } from '../contract/volume-rpc.ts'

export interface Pool {
  /** `host@backend`. */
  host: string
  availability_zone: string
  /** Enabled, not frozen, heard of lately. */
  usable: boolean
  facts: ReportedFacts
  /** GiB promised since the facts were taken. */
  promised_gb: number
}

export interface Wish {
  size_gb: number
  availability_zone: string | null
  extra_specs: Readonly<Record<string, string>>
  multiattach: boolean
  /** Only this backend (`host@backend`): a clone, a snapshot's volume. */
  on?: string
  /** Not this one: a migration. */
  not_on?: string
  hints?: { different_host?: readonly string[]; same_host?: readonly string[] }
}

export interface Choice {
  /** Best first, as `host@backend#pool`. */
  hosts: string[]
  /** The filter that left nothing, when `hosts` is empty. */
  refused_by?: 'down' | 'zone' | 'hints' | 'capabilities' | 'capacity'
}

export function schedule(pools: readonly Pool[], wish: Wish): Choice {
  const filters: [NonNullable<Choice['refused_by']>, (pool: Pool) => boolean][] = [
    ['down', (pool) => pool.usable],
    ['zone', (pool) => wish.availability_zone === null || pool.availability_zone === wish.availability_zone],
    ['hints', (pool) => fitsHints(pool, wish)],
    ['capabilities', (pool) => hasCapabilities(pool, wish)],
    ['capacity', (pool) => hasRoom(pool, wish.size_gb)],
  ]
  let left = [...pools]
  for (const [name, fits] of filters) {
    left = left.filter(fits)
    if (left.length === 0) return { hosts: [], refused_by: name }
  }
  const weighed = left.map((pool) => ({ pool, weight: freeGb(pool) })).sort((a, b) => b.weight - a.weight || (a.pool.host < b.pool.host ? -1 : 1))
  return { hosts: weighed.map(({ pool }) => `${pool.host}#${pool.facts.pool_name}`) }
}

function fitsHints(pool: Pool, { on, not_on, hints }: Wish): boolean {
  if (on !== undefined && pool.host !== on) return false
  if (not_on !== undefined && pool.host === not_on) return false
  if (hints?.different_host?.includes(pool.host)) return false
  return !hints?.same_host?.length || hints.same_host.includes(pool.host)
}

/** Thin pools may promise more than there is, up to their ratio. */
export function freeGb(pool: Pool): number {
  const { facts } = pool
  const total = facts.total_capacity_gb
  const usable = total * (1 - facts.reserved_percentage / 100)
  if (!facts.thin_provisioning_support) return facts.free_capacity_gb - (total - usable) - pool.promised_gb
  return usable * facts.max_over_subscription_ratio - facts.provisioned_capacity_gb - pool.promised_gb
}

function hasRoom(pool: Pool, size: number): boolean {
  return freeGb(pool) >= size
}

/** Extra specs that name a capability; the pool's own answers to them. */
function hasCapabilities(pool: Pool, wish: Wish): boolean {
  if (wish.multiattach && !pool.facts.multiattach) return false
  return Object.entries(wish.extra_specs).every(([key, wanted]) => {
    const [scope, name] = key.includes(':') ? (key.split(':') as [string, string]) : ['capabilities', key]
    // Scoped keys of others are orders to a driver, not wishes of the scheduler.
    if (scope === 'RESKEY') return name !== 'availability_zones' || wanted.split(',').map((zone) => zone.trim()).includes(pool.availability_zone)
    if (scope !== 'capabilities' || name === 'multiattach' || name === 'replication_enabled') return true
    const value = (pool.facts as unknown as Record<string, unknown>)[name]
    return value !== undefined && fitsSpec(value, wanted)
  })
}

/** The little language of extra specs: `<is> True`, `<in> x`, `>= 5`, `s== abc`, `<or> a <or> b`, or the value itself. */
export function fitsSpec(value: unknown, wanted: string): boolean {
  const text = String(value)
  const words = wanted.trim().split(/\s+/)
  const rest = wanted.trim().slice(words[0]!.length).trim()
  switch (words[0]) {
    case '<is>':
      return truth(text) === truth(rest)
    case '<in>':
      return text.includes(rest)
    case '<or>':
      return wanted.split('<or>').map((one) => one.trim()).filter(Boolean).includes(text)
    case '=':
    case '>=':
      return Number(text) >= Number(rest)
    case '==':
      return Number(text) === Number(rest)
    case '!=':
      return Number(text) !== Number(rest)
    case '<=':
      return Number(text) <= Number(rest)
    case '>':
      return Number(text) > Number(rest)
    case '<':
      return Number(text) < Number(rest)
    case 's==':
      return text === rest
    case 's!=':
      return text !== rest
    case 's<':
      return text < rest
    case 's<=':
      return text <= rest
    case 's>':
      return text > rest
    case 's>=':
      return text >= rest
    default:
      return text === wanted || text.toLowerCase() === wanted.toLowerCase()
  }
}

function truth(text: string): boolean {
  return ['true', '1', 'yes', 'on'].includes(text.toLowerCase())
}
