/** Lists of Cinder: scope by project, filters that the version knows, offset, counts and links to the next page. */
import { invalid, isFault, notFound } from '#base/fault.ts'
import { type Condition, countRows, type ListDialect, type ListPlan, listPlan, type Narrow, pageUrl, selectPage } from '#stack/resource/listing.ts'
import type { Resource, Row } from '#stack/resource/resource.ts'
import type { Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Cinder } from '../house.ts'
import { queryFlag } from './body.ts'

const CONTROL = ['limit', 'marker', 'offset', 'sort', 'sort_key', 'sort_dir', 'all_tenants', 'with_count', 'fields']

export interface Listing {
  resource: Resource
  /** Parameters that the verb reads itself. */
  own?: readonly string[]
  scope?: readonly Condition[]
  narrow?: Narrow
  /** Lists of what has no project. */
  global?: boolean
  /** Column that holds the project. */
  project?: string
  defaultSort?: ListDialect['defaultSort']
}

export interface Page<R> {
  rows: R[]
  /** `volumes_links` when the page is full, `count` when it was asked for. */
  extras: Record<string, unknown>
}

export async function pageOf<R>(house: Cinder, rq: Rq<never>, listing: Listing): Promise<Page<R>> {
  const { resource, narrow = (query) => query } = listing
  const dialect: ListDialect = { sort: 'both', maxLimit: house.config.max_limit, defaultLimit: house.config.max_limit, unknownFilter: 'ignore', defaultSort: listing.defaultSort ?? [{ key: 'created_at', dir: 'desc' }] }
  const query = new URLSearchParams()
  const like: Condition[] = []
  const own = new Set([...CONTROL, ...(listing.own ?? [])])
  for (const [name, value] of rq.query) {
    if (name.endsWith('~') && rq.version >= v('3.34')) like.push({ column: columnOf(resource, name.slice(0, -1)), op: 'like', value: `%${value.replaceAll(/[\\%_]/g, String.raw`\$&`)}%` })
    else if (/^(created|updated)_at$/.test(name)) like.push(...compared(name, value))
    else query.append(name, value)
  }
  refuseUnknown(rq, resource, query, own)
  const offset = offsetOf(query)
  const plan: ListPlan = listPlan(resource, dialect, query, own)
  plan.conditions.push(...like)
  const scope = [...(listing.scope ?? []), ...(listing.global ? [] : projectScope(rq, listing.project ?? 'project_id'))]
  const page = await selectPage(house.db as never, resource, plan, scope, (given) => (offset > 0 ? narrow(given).offset(offset) : narrow(given))).catch((thrown: unknown) => {
    if (isFault(thrown, 'invalid') && thrown.field === 'marker') throw notFound(`${resource.one} ${String(query.get('marker')).slice(0, 100)} could not be found.`, { field: 'marker' })
    throw thrown
  })
  const extras: Record<string, unknown> = {}
  if (rq.version >= v('3.45') && queryFlag(rq.query, 'with_count')) extras.count = await countRows(house.db as never, resource, plan, scope, narrow)
  // A full page may be the last one: like Cinder we only look at its size.
  if (page.rows.length > 0 && plan.limit === page.rows.length) extras[`${resource.many}_links`] = [{ rel: 'next', href: pageUrl(rq, String(page.rows.at(-1)!.id)) }]
  return { rows: page.rows as Row[] as R[], extras }
}

/** Only the caller's, unless an administrator asks for all. */
function projectScope(rq: Rq<never>, column: string): Condition[] {
  const isAdmin = rq.allows('context_is_admin', {})
  if (isAdmin && queryFlag(rq.query, 'all_tenants')) return []
  if (isAdmin && rq.query.has('project_id')) return []
  return [{ column, op: '=', value: rq.context.project_id ?? '' }]
}

function refuseUnknown(rq: Rq<never>, resource: Resource, query: URLSearchParams, own: ReadonlySet<string>): void {
  if (rq.version < v('3.31')) return
  for (const name of query.keys()) {
    const known = own.has(name) || Object.entries(resource.fields).some(([field, facts]) => (field === name || facts.alias === name) && facts.filter !== false)
    if (!known) throw invalid(`Invalid filters ${name.slice(0, 100)} are found in query options.`, { field: name })
  }
}

function columnOf(resource: Resource, name: string): string {
  const found = Object.entries(resource.fields).find(([field, facts]) => field === name || facts.alias === name)
  if (!found) throw invalid(`Invalid filters ${name.slice(0, 100)}~ are found in query options.`, { field: name })
  return found[0]
}

/** `created_at=gt:2026-01-01T00:00:00,lt:…` (3.60). */
function compared(column: string, text: string): Condition[] {
  const ops = { gt: '>', gte: '>=', lt: '<', lte: '<=', eq: '=', neq: '!=' } as const
  return text.split(/,(?=(?:gt|gte|lt|lte|eq|neq):)/).map((part) => {
    const match = /^(?:(gt|gte|lt|lte|eq|neq):)?(.+)$/.exec(part)
    const when = match?.[2] ?? ''
    const ms = Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(when) ? when : `${when}Z`)
    if (Number.isNaN(ms)) throw invalid(`filters 'created_at' or 'updated_at' in request query were malformed: ${text.slice(0, 100)}`, { field: column })
    return { column, op: ops[(match?.[1] ?? 'eq') as keyof typeof ops], value: ms }
  })
}

function offsetOf(query: URLSearchParams): number {
  const text = query.get('offset')
  if (text === null || text === '') return 0
  if (!/^\d+$/.test(text)) throw invalid('offset param must be an integer', { field: 'offset' })
  const offset = Number(text)
  if (!Number.isSafeInteger(offset)) throw invalid('offset param is too large', { field: 'offset' })
  return offset
}

/** The value of a `metadata={'k': 'v'}` filter: a Python or JSON dictionary of texts. */
export function dictionary(text: string, name: string): Record<string, string> {
  const out: Record<string, string> = {}
  const inner = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1]
  if (inner === undefined) throw invalid(`Invalid value for filter ${name}: ${text.slice(0, 100)}`, { field: name })
  const pair = /\s*u?(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*:\s*u?(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,'"\s]+))\s*(?:,|$)/gys
  let at = 0
  for (const match of inner.matchAll(pair)) {
    out[unescaped(match[1] ?? match[2]!)] = unescaped(match[3] ?? match[4] ?? match[5]!)
    at = match.index + match[0].length
  }
  if (inner.slice(at).trim() !== '') throw invalid(`Invalid value for filter ${name}: ${text.slice(0, 100)}`, { field: name })
  return out
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1')
}
