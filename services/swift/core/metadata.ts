/** User metadata in headers: what is taken, removed, limited. Values are bytes written as latin-1, as they stand on the wire. */
import { type Fault, invalid } from '#base/fault.ts'
import type { Limits } from './limits.ts'
import type { Level } from './names.ts'

export type Metadata = Record<string, string>
type Headers = Readonly<Record<string, string>>

/**
 * `old` with what the headers set (`X-<Level>-Meta-…`, `x-<level>-sysmeta-…` of our own, and names in `also`) or remove (empty, or
 * `X-Remove-…`; a value and a removal together set the value).
 */
export function mergeMetadata(old: Metadata, headers: Headers, level: Level, also: readonly string[], limits: Limits): Metadata {
  const prefix = `x-${level}-meta-`
  const system = `x-${level}-sysmeta-`
  const next: Metadata = { ...old }
  for (const name of Object.keys(headers)) if (name.startsWith('x-remove-')) delete next[name.replace('x-remove-', 'x-')]
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(prefix) && !name.startsWith(system) && !also.includes(name)) continue
    if (name === prefix) throw wrong('Metadata name cannot be empty')
    if (value === '' && (level !== 'object' || also.includes(name))) delete next[name]
    else next[name] = value
  }
  checkMetadata(next, headers, level, limits)
  return next
}

const wrong = (text: string): Fault => invalid(text, { data: { plain: true } })

function checkMetadata(next: Metadata, headers: Headers, level: Level, limits: Limits): void {
  const prefix = `x-${level}-meta-`
  // As Swift's servers see names of headers.
  const shown = (short: string): string => prefix + short.replaceAll(/(^|-)([a-z])/g, (_all, dash: string, letter: string) => dash + letter.toUpperCase())
  let count = 0
  let size = 0
  for (const [name, value] of Object.entries(next)) {
    if (!name.startsWith(prefix)) continue
    const short = name.slice(prefix.length)
    // What stands already was judged when it came.
    if (headers[name] !== undefined) {
      if (short.length > limits.max_meta_name_length) throw wrong(`Metadata name too long: ${shown(short)}`)
      if (value.length > limits.max_meta_value_length) throw wrong(`Metadata value longer than ${limits.max_meta_value_length}: ${shown(short)}`)
      if (!isUtf8(value) || !isUtf8(short)) throw wrong('Metadata must be valid UTF-8')
    }
    count++
    size += short.length + value.length
  }
  if (count > limits.max_meta_count) throw wrong(`Too many metadata items; max ${limits.max_meta_count}`)
  if (size > limits.max_meta_overall_size) throw wrong(`Total metadata too large; max ${limits.max_meta_overall_size}`)
}

const strict = new TextDecoder('utf-8', { fatal: true })

/** Whether text that stands for bytes (latin-1) is UTF-8. */
export function isUtf8(latin: string): boolean {
  if (/^[\t\x20-\x7e]*$/.test(latin)) return true
  try {
    strict.decode(Buffer.from(latin, 'latin1'))
    return true
  } catch {
    return false
  }
}

export const truthy = (text: string | undefined | null): boolean => /^(true|1|yes|on|t|y)$/i.test(text ?? '')
