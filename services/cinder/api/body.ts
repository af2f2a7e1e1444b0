/** Pieces of body schemas. From 3.53 a key that nobody knows is an error; before it was ignored. */
import { invalid } from '#base/fault.ts'
import { boolFromString } from '#stack/resource/field.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion, type Versioned } from '#stack/version.ts'

export const NAME = { type: ['string', 'null'], maxLength: 255 } as const
export const REQUIRED_NAME = { type: 'string', minLength: 1, maxLength: 255, pattern: '\\S' } as const
export const DESCRIPTION = { type: ['string', 'null'], maxLength: 255 } as const
export const UUID = { type: 'string', pattern: '^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$' } as const
export const UUID_OR_NULL = { ...UUID, type: ['string', 'null'] } as const
/** A boolean in any of the spellings that Cinder takes; read it with `flagOf`. */
export const BOOLEAN = { enum: [true, false, 'true', 'True', 'TRUE', 'false', 'False', 'FALSE', '1', '0', 1, 0, 'yes', 'no', 'Yes', 'No', 'on', 'off', 't', 'f', 'y', 'n', 'YES', 'NO', 'ON', 'OFF', 'T', 'F', 'Y', 'N'] } as const
export const METADATA = { type: 'object', propertyNames: { minLength: 1, maxLength: 255 }, additionalProperties: { type: 'string', maxLength: 255 } } as const
/** Extra specs: words as keys. */
export const SPECS = { type: 'object', propertyNames: { pattern: '^[a-zA-Z0-9\\-_:. ]{1,255}$' }, additionalProperties: { type: 'string', maxLength: 255 } } as const
export const COUNT = { anyOf: [{ type: 'integer', minimum: 1, maximum: 2_147_483_647 }, { type: 'string', pattern: '^[0-9]+$' }] } as const

type Properties = Readonly<Record<string, Schema>>

/** `{ one: { … } }`; loose below 3.53. */
export function envelope(one: string, properties: Properties, required: readonly string[] = [], more: object = {}): Versioned<Schema> {
  const inner = (strict: boolean): Schema => ({
    type: 'object',
    required: [one],
    properties: { [one]: { type: 'object', properties, required, ...(strict ? { additionalProperties: false } : {}), ...more } },
  })
  return byVersion<Schema>({ '3.0': inner(false), '3.53': inner(true) })
}

/** As `envelope`, strict at every version: for what was always so. */
export function strictEnvelope(one: string, properties: Properties, required: readonly string[] = [], more: object = {}): Schema {
  return { type: 'object', required: [one], properties: { [one]: { type: 'object', properties, required, additionalProperties: false, ...more } }, additionalProperties: false }
}

/** An action's body. */
export function actionBody(action: string, inner: Schema): Schema {
  return { type: 'object', required: [action], properties: { [action]: inner } }
}

export function flagOf(value: unknown, name: string, fallback = false): boolean {
  if (value === undefined || value === null) return fallback
  const flag = typeof value === 'boolean' ? value : boolFromString(String(value))
  if (flag === undefined) throw invalid(`Invalid value for ${name}: ${String(value).slice(0, 100)}`, { field: name })
  return flag
}

/** A flag of the query. */
export function queryFlag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  return text !== null && flagOf(text, name)
}

/** Trims what people type. */
export function trimmed(text: string | null | undefined): string | null {
  return text === undefined || text === null ? null : text.trim()
}
