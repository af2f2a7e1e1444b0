/** Schemas of query strings: every parameter is a list of texts, of which the last counts unless a parameter may repeat. */
import type { Schema } from '#stack/schema.ts'

/** Only the named parameters, each checked against its schema. */
export function query(parameters: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', properties: listed(parameters), required, additionalProperties: false }
}

/** As `query`, with parameters named by pattern: `resources`, `resources1`, … */
export function patternQuery(parameters: Readonly<Record<string, Schema>>, patterns: readonly string[]): Schema {
  return {
    type: 'object',
    properties: listed(parameters),
    patternProperties: Object.fromEntries(patterns.map((pattern) => [pattern, { type: 'array' }])),
    additionalProperties: false,
  }
}

function listed(parameters: Readonly<Record<string, Schema>>): Record<string, Schema> {
  return Object.fromEntries(Object.entries(parameters).map(([name, items]) => [name, { type: 'array', items }]))
}
