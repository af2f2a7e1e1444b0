/** Listings on the wire: plain, JSON and XML. */
import { Fault, invalid } from '#base/fault.ts'
import type { Asked } from '../core/listing.ts'
import { escape, escapeText } from '../core/markup.ts'
import type { Answer, Ask } from './ask.ts'

export type Entry = Record<string, string | number | boolean>
type Format = 'plain' | 'json' | 'xml'

export function askedOf(ask: Ask, most: number): Asked {
  const { query } = ask
  const text = query.get('limit') ?? ''
  const limit = /^\d{1,15}$/.test(text) ? Number(text) : most
  if (limit > most) throw new Fault('precondition', `Maximum limit is ${most}`, { field: 'limit' })
  for (const name of ['marker', 'end_marker', 'prefix', 'delimiter', 'path']) {
    if (query.get(name)?.includes('\ufffd')) throw invalid(`"${name}" parameter not valid UTF-8`, { field: name })
  }
  return {
    limit, marker: query.get('marker') ?? '', end_marker: query.get('end_marker') ?? '', prefix: query.get('prefix') ?? '', delimiter: query.get('delimiter') ?? '',
    path: query.has('path') ? query.get('path')! : undefined, reverse: /^(true|1|yes|on|t|y)$/i.test(query.get('reverse') ?? ''),
  }
}

const TYPES: Readonly<Record<string, Format>> = { 'text/plain': 'plain', 'application/json': 'json', 'application/xml': 'xml', 'text/xml': 'xml' }

/** `chosen`: by the header `Accept`, so that caches must mind it. */
export function formatOf(ask: Ask): { format: Format; type: string; chosen: boolean } {
  const named = ask.query.get('format')?.toLowerCase()
  const asked = named === 'json' ? 'application/json' : named === 'xml' ? 'application/xml' : named !== undefined && named !== '' ? 'text/plain' : bestOf(ask.headers.accept)
  if (asked === undefined) throw new Fault('not_acceptable', 'The resource is not available in a format acceptable to your browser.')
  return { format: TYPES[asked]!, type: `${asked}; charset=utf-8`, chosen: named === undefined || named === '' }
}

/** The first of our types with the highest quality; `text/plain` for what takes anything. */
function bestOf(accept: string | undefined): string | undefined {
  if (accept === undefined || accept === '') return 'text/plain'
  let best: { type: string; quality: number } | undefined
  for (const type of Object.keys(TYPES)) {
    for (const word of accept.split(',')) {
      const [range = '', ...rest] = word.split(';').map((one) => one.trim().toLowerCase())
      if (range !== type && range !== '*/*' && range !== `${type.split('/')[0]}/*`) continue
      const quality = Number(/^q=([\d.]+)$/.exec(rest.find((one) => one.startsWith('q=')) ?? '')?.[1] ?? 1)
      if (quality > 0 && (!best || quality > best.quality)) best = { type, quality }
    }
  }
  return best?.type
}

/** `only`: the formats that there are. */
export function listing(ask: Ask, headers: Record<string, string>, tag: 'account' | 'container', name: string, entries: readonly Entry[]): Answer {
  const { format, type, chosen } = formatOf(ask)
  const all = { ...headers, 'content-type': type, ...(chosen ? { vary: 'Accept' } : {}) }
  if (ask.method === 'HEAD') return { status: 204, headers: { ...all, 'content-length': '0' } }
  if (format === 'json') return { status: 200, headers: all, body: JSON.stringify(entries) }
  if (format === 'xml') {
    const element = tag === 'account' ? 'container' : 'object'
    const body = entries.map((one) => ('subdir' in one ? `<subdir name="${escape(one.subdir)}"><name>${escapeText(one.subdir)}</name></subdir>` : `<${element}>${Object.entries(one).map(([key, value]) => `<${key}>${escapeText(value)}</${key}>`).join('')}</${element}>`))
    // Swift's own accounts have a line for each container, its containers are one line.
    const inside = tag === 'account' ? ['', ...body, ''].join('\n') : body.join('')
    return { status: 200, headers: all, body: `<?xml version="1.0" encoding="UTF-8"?>\n<${tag} name="${escape(name)}">${inside}</${tag}>` }
  }
  const lines = entries.map((one) => `${one.subdir ?? one.name}\n`).join('')
  return lines === '' ? { status: 204, headers: { ...all, 'content-length': '0' } } : { status: 200, headers: all, body: lines }
}
