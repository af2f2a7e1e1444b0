/** Facts about one field of a resource: what it may hold, who may send it, how it is stored and asked for. */
import type { Context } from '../context.ts'
import type { Schema } from '../schema.ts'
import type { ApiVersion } from '../version.ts'

/** How a value stands in a column: as it is, as 0/1, or as JSON text. `none`: it has no column (computed, or another table's). */
export type Stored = 'plain' | 'flag' | 'json' | 'none'

export interface FieldType {
  schema: Schema
  stored: Stored
  /** A query parameter's text as a column value; undefined when the text cannot be one. */
  parse(text: string): string | number | undefined
}

export interface FieldRules {
  /** May a create carry it, must it. Absent: no. */
  post?: 'required' | 'optional'
  /** May an update change it. Default false. */
  put?: boolean
  /** What a create without it gets. Absent: null. */
  default?: unknown | ((context: Context) => unknown)
  /** Never shown. */
  hidden?: boolean
  /** Lists may filter by it. Default true for plain and flag fields. */
  filter?: boolean
  sort?: boolean
  /** Shown and accepted from this version, up to that one. */
  since?: ApiVersion
  until?: ApiVersion
  /** Sending or seeing it is asked of the policy `<verb>_<one>:<field>`. */
  policy?: boolean
  /** Another name for it on the wire, kept equal: `tenant_id` for `project_id`. */
  alias?: string
}

export type Field = FieldType & FieldRules

const TRUE = new Set(['1', 'true', 't', 'yes', 'y', 'on'])
const FALSE = new Set(['0', 'false', 'f', 'no', 'n', 'off'])

/** A boolean as oslo's strict `bool_from_string`. */
export function boolFromString(text: string): boolean | undefined {
  const lower = text.trim().toLowerCase()
  return TRUE.has(lower) ? true : FALSE.has(lower) ? false : undefined
}

const same = (text: string): string => text

export const text = (limits: { min?: number; max?: number; pattern?: string; null?: boolean } = {}, rules: FieldRules = {}): Field => ({
  schema: {
    type: limits.null ? ['string', 'null'] : 'string',
    ...(limits.min === undefined ? {} : { minLength: limits.min }),
    ...(limits.max === undefined ? {} : { maxLength: limits.max }),
    ...(limits.pattern === undefined ? {} : { pattern: limits.pattern }),
  },
  stored: 'plain',
  parse: same,
  ...rules,
})

export const uuid = (rules: FieldRules & { null?: boolean } = {}): Field => ({
  schema: { type: rules.null ? ['string', 'null'] : 'string', pattern: '^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$' },
  stored: 'plain',
  parse: same,
  ...rules,
})

export const oneOf = (values: readonly (string | null)[], rules: FieldRules = {}): Field => ({ schema: { enum: values }, stored: 'plain', parse: same, ...rules })

export const integer = (limits: { min?: number; max?: number; null?: boolean } = {}, rules: FieldRules = {}): Field => ({
  schema: {
    type: limits.null ? ['integer', 'null'] : 'integer',
    ...(limits.min === undefined ? {} : { minimum: limits.min }),
    ...(limits.max === undefined ? {} : { maximum: limits.max }),
  },
  stored: 'plain',
  parse: (given) => (/^-?\d+$/.test(given) ? Number(given) : undefined),
  ...rules,
})

export const boolean = (rules: FieldRules = {}): Field => ({
  schema: { type: 'boolean' },
  stored: 'flag',
  parse: (given) => {
    const value = boolFromString(given)
    return value === undefined ? undefined : value ? 1 : 0
  },
  ...rules,
})

/** Anything with a JSON Schema, kept as JSON text; not filterable. */
export const structured = (schema: Schema, rules: FieldRules = {}): Field => ({ schema, stored: 'json', parse: () => undefined, filter: false, sort: false, ...rules })

/** Shown only; made by the house's own view. */
export const computed = (rules: FieldRules = {}): Field => ({ schema: {}, stored: 'none', parse: () => undefined, filter: false, sort: false, ...rules })

/** Any field's type, restated: `nullable` accepts null as well. */
export function acceptsNull(field: Field): boolean {
  const type = (field.schema as { type?: string | string[]; enum?: unknown[] }).type
  return Array.isArray(type) ? type.includes('null') : ((field.schema as { enum?: unknown[] }).enum?.includes(null) ?? false)
}
