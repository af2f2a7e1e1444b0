/** User metadata in headers: what is taken, removed, limited. */
import { invalid } from '#base/fault.ts'

export type Metadata = Record<string, string>

/** `old` with what the headers set (`X-<Level>-Meta-…`, and names in `also`) or remove (empty, or `X-Remove-…`). */
export function mergeMetadata(old: Metadata, headers: Readonly<Record<string, string>>, level: 'account' | 'container' | 'object', also: readonly string[]): Metadata {
  const prefix = `x-${level}-meta-`
  const next = { ...old }
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('x-remove-')) delete next[name.replace('x-remove-', 'x-')]
    else if (name.startsWith(prefix) || also.includes(name)) {
      if (name === prefix) throw invalid('Metadata name cannot be empty')
      if (value === '' && level !== 'object') delete next[name]
      else next[name] = value
    }
  }
  const own = Object.entries(next).filter(([name]) => name.startsWith(prefix))
  if (own.length > 90) throw invalid('Too many metadata items; max 90')
  let size = 0
  for (const [name, value] of own) {
    const short = name.slice(prefix.length)
    if (short.length > 128) throw invalid(`Metadata name too long: ${short.slice(0, 140)}`)
    if (Buffer.byteLength(value) > 256) throw invalid(`Metadata value longer than 256: ${name}`)
    size += short.length + Buffer.byteLength(value)
  }
  if (size > 4096) throw invalid('Total metadata too large; max 4096')
  return next
}
