/** Rows as wire text. What stands as JSON in the row is embedded as it stands: a list of a thousand ports parses nothing. */
import { isoSeconds } from '#base/clock.ts'
import type { Attribute } from './attribute.ts'
import type { Values } from './body.ts'
import type { Noun } from './noun.ts'

/** Undefined leaves the attribute out. */
export type Part = (row: Values, computed: Values | undefined) => string | undefined

/** Writes one row; `computed` holds the values that have no column. */
export type Writer = (row: Values, computed?: Values) => string

const writers = new WeakMap<Noun, Map<string, Writer>>()

/** A writer for these attributes (names as on the wire, aliases included), made once. */
export function writerOf(noun: Noun, names: readonly string[]): Writer {
  // Of a whole object the names are always the same array: nothing need be joined to know them.
  if (names !== shownNames.get(noun)) return namedWriter(noun, names)
  let writer = wholeWriters.get(noun)
  if (!writer) wholeWriters.set(noun, (writer = namedWriter(noun, names)))
  return writer
}

const wholeWriters = new WeakMap<Noun, Writer>()

function namedWriter(noun: Noun, names: readonly string[]): Writer {
  let made = writers.get(noun)
  if (!made) writers.set(noun, (made = new Map()))
  const key = names.join()
  let writer = made.get(key)
  if (!writer) {
    if (made.size > 500) made.clear()
    const parts = names.map((name): [string, Part] => [`${JSON.stringify(name)}:`, partOf(noun, name)])
    writer = (row, computed) => {
      let text = '{'
      for (const [label, part] of parts) {
        const value = part(row, computed)
        if (value !== undefined) text += text.length > 1 ? `,${label}${value}` : label + value
      }
      return `${text}}`
    }
    made.set(key, writer)
  }
  return writer
}

function partOf(noun: Noun, name: string): Part {
  const column = columnOf(noun, name) ?? name
  const field = noun.fields[column] as Attribute
  if (field.stored === 'none') return (_row, computed) => (computed && column in computed ? wire(computed[column]) : 'null')
  const own = ownPart(field, column)
  return (row, computed) => (computed && column in computed ? wire(computed[column]) : own(row))
}

const RAW = Symbol('json')

/** A computed value that is JSON text already. */
export const rawJson = (text: string): object => ({ [RAW]: text })

/** JSON text; undefined stays undefined. */
function wire(value: unknown): string | undefined {
  if (typeof value === 'object' && value !== null && RAW in value) return value[RAW] as string
  return JSON.stringify(value) as string | undefined
}

/** Rows of one list were often made in the same second. */
let lastInstant = { second: Number.NaN, text: '' }

function instantText(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== lastInstant.second) lastInstant = { second, text: `"${isoSeconds(ms)}"` }
  return lastInstant.text
}

function ownPart(field: Attribute, column: string): (row: Values) => string {
  if (field.stored === 'flag') return (row) => (row[column] === 1 ? 'true' : 'false')
  if (field.instant === 'spaced') return (row) => instantText(row[column] as number).replace(/T(.*)Z/, ' $1')
  if (field.instant) return (row) => instantText(row[column] as number)
  if (field.stored === 'json') return (row) => (row[column] as string | null | undefined) ?? 'null'
  return (row) => {
    const value = row[column]
    return value === null || value === undefined ? 'null' : typeof value === 'number' ? String(value) : JSON.stringify(value)
  }
}

/** The column behind a name of the wire. */
export function columnOf(noun: Noun, name: string): string | undefined {
  if (noun.fields[name]) return name
  return name === 'tenant_id' && noun.fields.project_id ? 'project_id' : undefined
}

const shownNames = new WeakMap<Noun, string[]>()

/** Every name that the wire shows, aliases included. */
export function namesOf(noun: Noun): string[] {
  let names = shownNames.get(noun)
  if (!names) {
    names = Object.entries(noun.fields).flatMap(([name, field]) => (field.hidden ? [] : field.alias ? [name, field.alias] : [name]))
    shownNames.set(noun, names)
  }
  return names
}
