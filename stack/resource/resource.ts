/**
 * A resource: what there is on the wire, once (law 5). From it come body schemas, defaults, column values, views, filters and
 * sorting. A verb is wholly derived from it (`derive.ts`) or wholly written by hand out of the same steps.
 */
import { invalid } from '#base/fault.ts'
import type { Context } from '../context.ts'
import { type Schema, schemaAssert } from '../schema.ts'
import type { SchemaProblem } from '../dialect.ts'
import type { ApiVersion } from '../version.ts'
import { acceptsNull, type Field } from './field.ts'

export interface Resource {
  /** Envelope of one and of many: `network`, `networks`. */
  one: string
  many: string
  /** Path of the collection below the mount. */
  path: string
  /** Table of its rows; every field that is stored is a column of the same name. */
  table: string
  fields: Readonly<Record<string, Field>>
  /** Column (JSON text) of properties that clients send and no field names; absent: such properties are refused. */
  extra?: string
}

export type Row = Record<string, unknown>
type Wording = (path: string, problem: SchemaProblem) => string

const schemas = new WeakMap<Resource, Map<string, Schema>>()

function knows(field: Field, version: ApiVersion): boolean {
  return (field.since === undefined || version >= field.since) && (field.until === undefined || version <= field.until)
}

/** Schema of a whole body, `{ one: { … } }`. */
export function bodySchema(resource: Resource, verb: 'create' | 'update', version: ApiVersion): Schema {
  let made = schemas.get(resource)
  if (!made) schemas.set(resource, (made = new Map()))
  const key = `${verb} ${version}`
  let schema = made.get(key)
  if (!schema) {
    const sent = Object.entries(resource.fields).filter(([, field]) => knows(field, version) && (verb === 'create' ? field.post !== undefined : field.put === true))
    const properties = Object.fromEntries(sent.flatMap(([name, field]) => [[name, field.schema], ...(field.alias ? [[field.alias, field.schema]] : [])]))
    const required = verb === 'create' ? sent.filter(([, field]) => field.post === 'required').map(([name]) => name) : []
    schema = {
      type: 'object',
      required: [resource.one],
      properties: { [resource.one]: { type: 'object', properties, required, additionalProperties: resource.extra !== undefined } },
    }
    made.set(key, schema)
  }
  return schema
}

/** Checks a create body and returns every field that a create may set, defaults filled in. */
export function parseCreate(resource: Resource, body: unknown, context: Context, version: ApiVersion = 0, wording?: Wording): Row {
  const given = envelope(resource, body)
  schemaAssert(bodySchema(resource, 'create', version), body, wording)
  const record: Row = {}
  for (const [name, field] of Object.entries(resource.fields)) {
    if (field.post === undefined && field.default === undefined) continue
    const sent = given[name] ?? (field.alias ? given[field.alias] : undefined)
    if (sent !== undefined && (sent !== null || acceptsNull(field))) record[name] = sent
    else record[name] = typeof field.default === 'function' ? (field.default as (c: Context) => unknown)(context) : (field.default ?? null)
  }
  if (resource.extra) record[resource.extra] = Object.fromEntries(Object.entries(given).filter(([name]) => !isNamed(resource, name)))
  return record
}

function isNamed(resource: Resource, name: string): boolean {
  return resource.fields[aliasOf(resource, name)] !== undefined
}

/** Checks an update body and returns only what it sets. */
export function parseUpdate(resource: Resource, body: unknown, version: ApiVersion = 0, wording?: Wording): Row {
  const given = envelope(resource, body)
  schemaAssert(bodySchema(resource, 'update', version), body, wording)
  const patch: Row = {}
  for (const [name, value] of Object.entries(given)) {
    if (!resource.extra || isNamed(resource, name)) patch[aliasOf(resource, name)] = value
    else ((patch[resource.extra] ??= {}) as Row)[name] = value
  }
  return patch
}

function envelope(resource: Resource, body: unknown): Row {
  const inner = (body as Row | null)?.[resource.one]
  if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) throw invalid(`Malformed request body: "${resource.one}" must be an object.`, { field: resource.one })
  return inner as Row
}

function aliasOf(resource: Resource, name: string): string {
  if (resource.fields[name]) return name
  return Object.entries(resource.fields).find(([, field]) => field.alias === name)?.[0] ?? name
}

/** Wire values as column values. */
export function toRow(resource: Resource, record: Row): Row {
  const row: Row = {}
  for (const [name, value] of Object.entries(record)) {
    const stored = name === resource.extra ? 'json' : (resource.fields[name]?.stored ?? 'plain')
    if (stored === 'none') continue
    row[name] = stored === 'json' ? JSON.stringify(value ?? null) : stored === 'flag' ? (value ? 1 : 0) : value
  }
  return row
}

/** Column values as wire values, only what is shown at this version; `only` is the client's `fields`. */
export function toWire(resource: Resource, row: Row, version: ApiVersion = 0, only?: ReadonlySet<string>): Row {
  const extra = resource.extra && (row[resource.extra] as string | undefined)
  const wire: Row = extra && extra !== '{}' ? (JSON.parse(extra) as Row) : {}
  for (const [name, field] of Object.entries(resource.fields)) {
    if (field.hidden || field.stored === 'none' || !knows(field, version)) continue
    const wanted = !only || only.has(name)
    const aliased = field.alias !== undefined && (!only || only.has(field.alias))
    if (!wanted && !aliased) continue
    const raw = row[name]
    const value = field.stored === 'json' ? (raw === null || raw === undefined ? null : JSON.parse(raw as string)) : field.stored === 'flag' ? raw === 1 || raw === true : (raw ?? null)
    if (wanted) wire[name] = value
    if (aliased) wire[field.alias!] = value
  }
  return wire
}
