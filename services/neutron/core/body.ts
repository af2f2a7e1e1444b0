/** Bodies of creates and updates: envelope, known attributes, defaults, converted values; in Neutron's words. */
import { type Fault, invalid } from '#base/fault.ts'
import { repr } from '#stack/schema.ts'
import { type Attribute, isBad } from './attribute.ts'
import type { Noun } from './noun.ts'

export type Values = Record<string, unknown>

/** One object of a body: its values as they will be stored, and which of them the client named. */
export interface Given {
  values: Values
  named: ReadonlySet<string>
}

const refuse = (message: string, field?: string): Fault => invalid(message, { code: 'HTTPBadRequest', ...(field === undefined ? {} : { field }) })

const isObject = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The one object under `one`, or the many under `many` when the noun may be created in bulk. */
export function envelope(noun: Pick<Noun, 'one' | 'many'>, body: unknown, bulk: boolean): { items: Values[]; bulk: boolean } {
  if (!isObject(body) || Object.keys(body).length === 0) throw refuse('Resource body required')
  if (bulk && noun.many !== noun.one && Array.isArray(body[noun.many])) {
    const items = body[noun.many] as unknown[]
    if (items.length === 0) throw refuse('Resources required')
    // Each stands bare, or again under its own name.
    const bare = items.map((one) => (isObject(one) && isObject(one[noun.one]) ? one[noun.one] : one))
    for (const one of bare) if (!isObject(one)) throw refuse(`Unable to find '${noun.one}' in request body`, noun.one)
    return { items: bare as Values[], bulk: true }
  }
  const item = body[noun.one]
  if (!isObject(item)) throw refuse(`Unable to find '${noun.one}' in request body`, noun.one)
  return { items: [item], bulk: false }
}

/** Both names of the owner become `project_id`. */
function oneOwner(noun: Noun, item: Values): Values {
  if (!('tenant_id' in item) || 'tenant_id' in noun.fields || !('project_id' in noun.fields)) return item
  const { tenant_id, ...rest } = item
  if ('project_id' in rest && rest.project_id !== tenant_id) throw refuse(`'project_id' and 'tenant_id' do not match`, 'project_id')
  return { ...rest, project_id: tenant_id }
}

function known(noun: Noun, item: Values): void {
  const strange = Object.keys(item).filter((key) => !(key in noun.fields))
  if (strange.length > 0) throw refuse(`Unrecognized attribute(s) '${strange.join(', ')}'`, strange[0]!)
}

export function takeValue(name: string, field: Attribute, value: unknown): unknown {
  const taken = field.take(value)
  if (isBad(taken)) throw refuse(`Invalid input for ${name}. Reason: ${taken.reason}.`, name)
  return taken.value
}

export function givenForCreate(noun: Noun, sent: Values): Given {
  const item = oneOwner(noun, sent)
  known(noun, item)
  const values: Values = {}
  const named = new Set<string>()
  for (const [name, field] of Object.entries(noun.fields)) {
    if (field.post === undefined) {
      if (name in item) throw refuse(`Attribute '${name}' not allowed in POST`, name)
      continue
    }
    if (name in item) {
      // A null where null is no value is as if nothing were said, except for what must be said.
      values[name] = takeValue(name, field, item[name])
      named.add(name)
    } else {
      if (field.post === 'required') throw refuse(`Failed to parse request. Required attribute '${name}' not specified`, name)
      if (field.default !== undefined) values[name] = field.default
    }
  }
  return { values, named }
}

export function givenForUpdate(noun: Noun, sent: Values): Given {
  const item = oneOwner(noun, sent)
  known(noun, item)
  const values: Values = {}
  for (const [name, value] of Object.entries(item)) {
    const field = noun.fields[name]!
    if (!field.put) throw refuse(`Cannot update read-only attribute ${name}`, name)
    values[name] = takeValue(name, field, value)
  }
  return { values, named: new Set(Object.keys(values)) }
}

/** Wire values as column values; what has no column is left out. */
export function toColumns(noun: Noun, values: Values): Values {
  const row: Values = {}
  for (const [name, value] of Object.entries(values)) {
    const stored = noun.fields[name]?.stored
    if (stored === undefined || stored === 'none') continue
    row[name] = stored === 'json' ? JSON.stringify(value ?? null) : stored === 'flag' ? (value ? 1 : 0) : (value ?? null)
  }
  return row
}

/** The columns of a new row of this noun that were not said. */
export function fillColumns(noun: Noun, row: Values): Values {
  for (const [name, field] of Object.entries(noun.fields)) {
    if (field.stored === 'none' || name in row) continue
    row[name] = field.stored === 'json' ? '[]' : field.stored === 'flag' ? 0 : null
  }
  return row
}

export const shownList = (values: readonly unknown[]): string => repr(values)
