/**
 * Attributes as Neutron has them: what a value may be, how it is converted, who may send it, and in which words it is refused.
 * An `Attribute` is a `Field` of the stack with a `take`: Neutron converts before it judges (`"true"`, `"4"`, an upper-case MAC).
 */
import { isUuidLike } from '#base/ids.ts'
import type { Field, FieldRules } from '#stack/resource/field.ts'
import { boolFromString } from '#stack/resource/field.ts'
import { repr } from '#stack/schema.ts'
import { formatCidr, normalIp, parseCidr } from './address.ts'
import { normalMac } from './mac.ts'

/** A value as it will be stored, or why it cannot be. */
export type Taken = { value: unknown } | { reason: string }
export type Take = (value: unknown) => Taken

export interface AttributeRules extends FieldRules {
  /** Sending it is asked of the policy `<verb>_<one>:<name>`, unless it is the default. */
  enforce?: boolean
  /** Seeing it is asked of the policy `get_<one>:<name>`. */
  guarded?: boolean
  /** Milliseconds in the row; ISO 8601 on the wire, or with a space in the middle and no zone. */
  instant?: boolean | 'spaced'
}

export type Attribute = Field & AttributeRules & { take: Take }

export const good = (value: unknown): Taken => ({ value })
export const bad = (reason: string): Taken => ({ reason })
export const isBad = (taken: Taken): taken is { reason: string } => 'reason' in taken

/** How values stand in Neutron's messages: strings bare, the rest as Python prints them. */
export const shown = (value: unknown): string => (typeof value === 'string' ? value : repr(value))

const same = (text: string): string => text

function attribute(field: Pick<Field, 'schema' | 'stored' | 'parse'>, take: Take, rules: AttributeRules): Attribute {
  return { ...field, take, ...rules }
}

export const orNull =
  (take: Take): Take =>
  (value) =>
    value === null ? good(null) : take(value)

export const takeText =
  (max?: number): Take =>
  (value) => {
    if (typeof value !== 'string') return bad(`'${shown(value)}' is not a valid string`)
    if (max !== undefined && value.length > max) return bad(`'${value}' exceeds maximum length of ${max}`)
    if (value.includes('\0')) return bad(`'${value}' is not a valid string`)
    return good(value)
  }

export const takeUuid: Take = (value) => (typeof value === 'string' && isUuidLike(value) ? good(value) : bad(`'${shown(value)}' is not a valid UUID`))

export const takeBoolean: Take = (value) => {
  if (typeof value === 'boolean') return good(value)
  if (value === 0 || value === 1) return good(value === 1)
  const read = typeof value === 'string' ? boolFromString(value) : undefined
  return read === undefined ? bad(`'${shown(value)}' cannot be converted to boolean`) : good(read)
}

export const takeInteger =
  (min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Take =>
  (value) => {
    const read = typeof value === 'number' ? value : typeof value === 'string' && /^\s*-?\d+\s*$/.test(value) ? Number(value) : typeof value === 'boolean' ? Number(value) : Number.NaN
    if (!Number.isSafeInteger(read)) return bad(`'${shown(value)}' is not an integer`)
    if (read < min) return bad(min === 0 ? `'${shown(value)}' should be non-negative` : `'${shown(value)}' is too small - must be at least '${min}'`)
    if (read > max) return bad(`'${shown(value)}' is too large - must be no larger than '${max}'`)
    return good(read)
  }

export const takeOneOf =
  (values: readonly (string | number | null)[]): Take =>
  (value) => {
    const found = values.find((one) => one === value || (typeof one === 'number' && typeof value === 'string' && String(one) === value))
    return found === undefined ? bad(`'${shown(value)}' is not in ${repr(values)}`) : good(found)
  }

export const takeIp: Take = (value) => {
  const ip = typeof value === 'string' ? normalIp(value) : undefined
  return ip === undefined ? bad(`'${shown(value)}' is not a valid IP address`) : good(ip)
}

export const takeCidr: Take = (value) => {
  const cidr = typeof value === 'string' && value.includes('/') ? parseCidr(value) : undefined
  if (!cidr) {
    const bare = typeof value === 'string' ? parseCidr(value) : undefined
    return bad(bare ? `'${shown(value)}' isn't a recognized IP subnet cidr, '${formatCidr(bare)}' is recommended` : `'${shown(value)}' is not a valid IP subnet`)
  }
  const normal = formatCidr(cidr)
  const [address, length] = (value as string).split('/') as [string, string]
  if (normalIp(address) !== normal.split('/')[0] || String(cidr.prefixlen) !== length) return bad(`'${value as string}' isn't a recognized IP subnet cidr, '${normal}' is recommended`)
  return good(normal)
}

/** A subnet may be named by any address of it: `10.99.99.0/16` is `10.99.0.0/16`. */
export const takeSubnet: Take = (value) => {
  const parsed = typeof value === 'string' && value.includes('/') ? parseCidr(value) : undefined
  if (!parsed) return takeCidr(value)
  const [address, length] = (value as string).split('/') as [string, string]
  // As it is spelt everywhere, for IPv4: who writes 10.1/16 may mean something else.
  return address.includes(':') || (normalIp(address) === address && String(parsed.prefixlen) === length) ? good(formatCidr(parsed)) : takeCidr(value)
}

export const takeMac: Take = (value) => {
  const mac = typeof value === 'string' ? normalMac(value) : undefined
  return mac === undefined || mac === '00:00:00:00:00:00' ? bad(`'${shown(value)}' is not a valid MAC address`) : good(mac)
}

export const takeList =
  (each: Take, limits: { distinct?: boolean; what?: string } = {}): Take =>
  (value) => {
    if (!Array.isArray(value)) return bad(`'${shown(value)}' is not a ${limits.what ?? 'list'}`)
    const out: unknown[] = []
    for (const one of value) {
      const taken = each(one)
      if (isBad(taken)) return taken
      out.push(taken.value)
    }
    if (limits.distinct && new Set(out.map((one) => JSON.stringify(one))).size !== out.length) return bad(`Duplicate items in the list: '${out.map(shown).join(', ')}'`)
    return good(out)
  }

/** An object whose keys are known; `!` marks the required ones. */
export const takeObject =
  (keys: Readonly<Record<string, Take>>, required: readonly string[] = []): Take =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad(`'${shown(value)}' is not a dictionary`)
    const record = value as Record<string, unknown>
    const missing = required.filter((key) => !(key in record))
    const extra = Object.keys(record).filter((key) => !(key in keys))
    if (missing.length > 0 || extra.length > 0) {
      return bad(`Validation of dictionary's keys failed. Expected keys: ${repr(required.length > 0 ? required : Object.keys(keys))} Provided keys: ${repr(Object.keys(record))}`)
    }
    const out: Record<string, unknown> = {}
    for (const [key, one] of Object.entries(record)) {
      const taken = keys[key]!(one)
      if (isBad(taken)) return taken
      out[key] = taken.value
    }
    return good(out)
  }

/** Any object; null and the empty string are the empty one. */
export const takeDictionary: Take = (value) => {
  if (value === null || value === '') return good({})
  return typeof value === 'object' && !Array.isArray(value) ? good(value) : bad(`'${shown(value)}' is not a dictionary`)
}

export const anything: Take = good

const nullType = (type: string, nulls: boolean): object => ({ type: nulls ? [type, 'null'] : type })

/** Text up to `max` characters. */
export const text = (max: number | undefined, rules: AttributeRules & { null?: boolean } = {}): Attribute =>
  attribute({ schema: { ...nullType('string', rules.null === true), ...(max === undefined ? {} : { maxLength: max }) }, stored: 'plain', parse: same }, rules.null ? orNull(takeText(max)) : takeText(max), rules)

export const name = (rules: AttributeRules = {}): Attribute => text(255, { post: 'optional', put: true, default: '', ...rules })

export const uuid = (rules: AttributeRules & { null?: boolean } = {}): Attribute =>
  attribute({ schema: nullType('string', rules.null === true), stored: 'plain', parse: same }, rules.null ? orNull(takeUuid) : takeUuid, rules)

export const flag = (rules: AttributeRules = {}): Attribute =>
  attribute({ schema: { type: 'boolean' }, stored: 'flag', parse: (given) => { const read = boolFromString(given); return read === undefined ? undefined : read ? 1 : 0 } }, takeBoolean, rules)

export const integer = (limits: { min?: number; max?: number; null?: boolean }, rules: AttributeRules = {}): Attribute =>
  attribute({ schema: nullType('integer', limits.null === true), stored: 'plain', parse: (given) => (/^-?\d+$/.test(given) ? Number(given) : undefined) }, limits.null ? orNull(takeInteger(limits.min, limits.max)) : takeInteger(limits.min, limits.max), rules)

export const oneOf = (values: readonly (string | number | null)[], rules: AttributeRules = {}): Attribute =>
  attribute({ schema: { enum: values }, stored: 'plain', parse: typeof values[0] === 'number' ? (given) => (/^\d+$/.test(given) ? Number(given) : undefined) : same }, takeOneOf(values), rules)

export const ip = (rules: AttributeRules & { null?: boolean } = {}): Attribute =>
  attribute({ schema: nullType('string', rules.null === true), stored: 'plain', parse: (given) => normalIp(given) ?? given }, rules.null ? orNull(takeIp) : takeIp, rules)

export const cidr = (rules: AttributeRules & { null?: boolean } = {}): Attribute =>
  attribute({ schema: nullType('string', rules.null === true), stored: 'plain', parse: same }, rules.null ? orNull(takeSubnet) : takeSubnet, rules)

export const mac = (rules: AttributeRules = {}): Attribute =>
  attribute({ schema: { type: 'string' }, stored: 'plain', parse: (given) => normalMac(given) ?? given }, takeMac, rules)

/** Kept as JSON text, embedded as it stands in answers. */
export const json = (take: Take, rules: AttributeRules = {}): Attribute =>
  attribute({ schema: {}, stored: 'json', parse: () => undefined }, take, { filter: false, sort: false, ...rules })

/** Has no column: made by the noun's own view, or only taken. */
export const computed = (rules: AttributeRules = {}, take: Take = anything): Attribute =>
  attribute({ schema: {}, stored: 'none', parse: () => undefined }, take, { filter: false, sort: false, ...rules })

/** Read-only text of the house's own making. */
export const fact = (rules: AttributeRules = {}): Attribute => attribute({ schema: { type: 'string' }, stored: 'plain', parse: same }, anything, rules)

export const instant = (spelling: true | 'spaced' = true): Attribute =>
  attribute({ schema: { type: 'string' }, stored: 'plain', parse: (given) => { const at = Date.parse(given); return Number.isNaN(at) ? undefined : at } }, anything, { instant: spelling })
