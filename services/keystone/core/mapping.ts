/**
 * The mapping language of federation: what an identity provider asserts about a user becomes a user, groups and projects here. A rule
 * holds when each of its remote requirements does; `{0}`, `{1}` … in its local part are the values of the requirements that only name
 * an attribute.
 */
import { unauthenticated } from '#base/fault.ts'

export interface Requirement {
  type: string
  any_one_of?: string[]
  not_any_of?: string[]
  whitelist?: string[]
  blacklist?: string[]
  regex?: boolean
}

export interface MappingRule {
  local: Readonly<Record<string, unknown>>[]
  remote: Requirement[]
}

/** Attributes by name; several values in one are separated by `;`. */
export type Assertion = Readonly<Record<string, string | readonly string[]>>

export interface MappedGroup {
  name: string
  domain: { id?: string; name?: string }
}

export interface Mapped {
  user: { id?: string; name?: string; email?: string; domain?: { id?: string; name?: string }; type?: 'ephemeral' | 'local' }
  group_ids: string[]
  groups: MappedGroup[]
  projects: { name: string; domain?: { id?: string; name?: string }; roles: { name: string }[] }[]
}

/** Undefined when no rule holds. */
export function mapAssertion(rules: readonly MappingRule[], assertion: Assertion): Mapped | undefined {
  const values = new Map(Object.entries(assertion).map(([key, value]) => [key, typeof value === 'string' ? value.split(';').map((one) => one.trim()).filter(Boolean) : [...value]]))
  const found: Record<string, unknown>[] = []
  for (const rule of rules) {
    const direct = directValues(rule.remote, values)
    if (direct) for (const local of rule.local) found.push(fill(local, direct) as Record<string, unknown>)
  }
  return found.length === 0 ? undefined : gather(found)
}

function directValues(remote: readonly Requirement[], values: ReadonlyMap<string, string[]>): string[][] | undefined {
  const direct: string[][] = []
  for (const requirement of remote) {
    const given = values.get(requirement.type)
    if (!given || given.length === 0) return undefined
    const matches = (wanted: readonly string[], value: string): boolean => wanted.some((one) => (requirement.regex ? pattern(one).test(value) : one === value))
    if (requirement.any_one_of) {
      if (!given.some((value) => matches(requirement.any_one_of!, value))) return undefined
    } else if (requirement.not_any_of) {
      if (given.some((value) => matches(requirement.not_any_of!, value))) return undefined
    } else if (requirement.blacklist) direct.push(given.filter((value) => !matches(requirement.blacklist!, value)))
    else if (requirement.whitelist) direct.push(given.filter((value) => matches(requirement.whitelist!, value)))
    else direct.push(given)
  }
  return direct
}

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

/** A regular expression holds anywhere in a value, as in Keystone: what is to be kept out must not slip by for what stands before it. */
function pattern(text: string): RegExp {
  const [, flags = '', rest = text] = /^\(\?([ims]+)\)(.*)$/s.exec(text) ?? []
  try {
    return new RegExp(rest.replaceAll('(?P<', '(?<'), [...new Set(flags)].join(''))
  } catch {
    return refused(`The mapping has a regular expression that cannot be read: ${text}`)
  }
}

function fill(local: unknown, direct: readonly string[][]): unknown {
  if (Array.isArray(local)) return local.map((one) => fill(one, direct))
  if (typeof local === 'object' && local !== null) return Object.fromEntries(Object.entries(local).map(([key, value]) => [key, key === 'groups' || key === 'group_ids' ? fillList(value, direct) : fill(value, direct)]))
  if (typeof local !== 'string') return local
  for (const [, index] of local.matchAll(/\{(\d+)\}/g)) if (!direct[Number(index)]) refused(`The mapping refers to {${index}}, which no requirement of its rule gives`)
  const whole = /^\{(\d+)\}$/.exec(local)
  const values = whole && direct[Number(whole[1])]
  if (values && values.length !== 1) return values
  return local.replaceAll(/\{(\d+)\}/g, (_, index: string) => (direct[Number(index)] ?? []).join(';'))
}

/** Where a text is a list: what came as one value stays one, whatever is written in it. */
function fillList(local: unknown, direct: readonly string[][]): unknown {
  const filled = fill(local, direct)
  if (typeof local !== 'string' || typeof filled !== 'string') return filled
  const used = [...local.matchAll(/\{(\d+)\}/g)].flatMap(([, index]) => direct[Number(index)] ?? [])
  if (/^\{\d+\}$/.test(local)) return used
  if (used.some((value) => value.includes(';'))) refused('A value that is to name groups has a ; in it')
  return filled
}

const list = (value: unknown): string[] => (Array.isArray(value) ? (value as string[]) : String(value).split(';').map((one) => one.trim())).filter(Boolean)

/** Another Keystone names a group with its domain: `JSON:{"name": …, "domain": {"name": …}}`. A rule that names the domain itself is not overruled by that. */
function groupOfKeystone(value: string): MappedGroup {
  if (!value.startsWith('JSON:')) return { name: value, domain: {} }
  try {
    const { name, domain } = JSON.parse(value.slice(5)) as { name?: unknown; domain?: { id?: unknown; name?: unknown } }
    if (typeof name === 'string' && (typeof domain?.id === 'string' || typeof domain?.name === 'string')) return { name, domain: typeof domain.id === 'string' ? { id: domain.id } : { name: String(domain.name) } }
  } catch {
    // Said below.
  }
  return refused('A group of the other Keystone cannot be read')
}

function gather(found: readonly Record<string, unknown>[]): Mapped {
  const mapped: Mapped = { user: {}, group_ids: [], groups: [], projects: [] }
  for (const one of found) {
    if (one.user && Object.keys(mapped.user).length === 0) mapped.user = one.user as Mapped['user']
    const group = one.group as { id?: string; name?: string; domain?: MappedGroup['domain'] } | undefined
    if (group?.id) mapped.group_ids.push(group.id)
    else if (group?.name) mapped.groups.push({ name: group.name, domain: group.domain ?? {} })
    if (one.groups !== undefined) for (const name of list(one.groups)) mapped.groups.push(one.domain === undefined ? groupOfKeystone(name) : { name, domain: one.domain as MappedGroup['domain'] })
    if (one.group_ids !== undefined) mapped.group_ids.push(...list(one.group_ids))
    if (Array.isArray(one.projects)) mapped.projects = one.projects as Mapped['projects']
  }
  for (const key of ['id', 'name'] as const) {
    const value: unknown = mapped.user[key]
    if (value !== undefined && (typeof value !== 'string' || value === '')) refused(`The mapping gives not exactly one value for the ${key} of the user`)
  }
  mapped.group_ids = [...new Set(mapped.group_ids)]
  return mapped
}
