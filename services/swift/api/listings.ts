/** Listings on the wire: plain, JSON and XML. */
import { Fault, invalid } from '#base/fault.ts'
import type { Reply, Rq } from '#stack/route.ts'
import type { Asked } from '../core/listing.ts'

export type Entry = Record<string, string | number>

export function askedOf(rq: Rq): Asked {
  const { query } = rq
  const text = query.get('limit')
  if (text !== null && text !== '' && !/^\d{1,9}$/.test(text)) throw invalid('The limit must be a whole number.', { field: 'limit' })
  const limit = text ? Number(text) : 10_000
  if (limit > 10_000) throw new Fault('precondition', 'Maximum limit is 10000', { field: 'limit' })
  if (query.has('reverse') || query.has('path')) throw new Fault('not_implemented', 'Listings with reverse or path are not there yet.')
  return { limit, marker: query.get('marker') ?? '', end_marker: query.get('end_marker') ?? '', prefix: query.get('prefix') ?? '', delimiter: query.get('delimiter') ?? '' }
}

const escape = (value: unknown): string => String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

export function listing(rq: Rq, headers: Record<string, string>, tag: 'account' | 'container', name: string, entries: readonly Entry[]): Reply {
  const accept = rq.http.headers.accept ?? ''
  const format = rq.query.get('format') ?? (accept.includes('json') ? 'json' : accept.includes('xml') ? 'xml' : 'plain')
  if (format === 'json') return { status: 200, headers: { ...headers, 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(entries) }
  if (format === 'xml') {
    const element = tag === 'account' ? 'container' : 'object'
    const body = entries.map((one) => ('subdir' in one ? `<subdir name="${escape(one.subdir)}"><name>${escape(one.subdir)}</name></subdir>` : `<${element}>${Object.entries(one).map(([key, value]) => `<${key}>${escape(value)}</${key}>`).join('')}</${element}>`)).join('\n')
    return { status: 200, headers: { ...headers, 'content-type': 'application/xml; charset=utf-8' }, body: `<?xml version="1.0" encoding="UTF-8"?>\n<${tag} name="${escape(name)}">\n${body}\n</${tag}>` }
  }
  const lines = entries.map((one) => `${one.subdir ?? one.name}\n`).join('')
  return { status: lines === '' ? 204 : 200, headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' }, ...(lines === '' ? {} : { body: lines }) }
}

export const when = (ms: number): string => `${new Date(ms).toISOString().slice(0, 23)}000`
