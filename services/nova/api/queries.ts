/** Schemas of query strings. A parameter may come several times; the last one counts. */
import type { Schema } from '#stack/schema.ts'
import { byVersion, type Versioned } from '#stack/version.ts'

const ANY: Schema = { type: 'string' }

export function querySchema(names: readonly string[], strict: boolean, values: Readonly<Record<string, Schema>> = {}): Schema {
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'array', items: values[name] ?? ANY }]))
  return { type: 'object', properties, additionalProperties: !strict }
}

/** Unknown parameters were passed over before 2.75. */
export function queryOf(names: readonly string[], values?: Readonly<Record<string, Schema>>): Versioned<Schema> {
  return byVersion({ '2.1': querySchema(names, false, values), '2.75': querySchema(names, true, values) })
}

export const last = (query: URLSearchParams, name: string): string | undefined => query.getAll(name).at(-1)

/** oslo's `bool_from_string`; undefined for what is neither. */
export function boolOf(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (['1', 't', 'true', 'on', 'y', 'yes'].includes(word)) return true
  if (['0', 'f', 'false', 'off', 'n', 'no'].includes(word)) return false
  return undefined
}
