/**
 * Lists: filters, operators, sort, marker and limit, `fields`, and the links to the next page. Always keyset: the marker is the id of
 * the last row seen, whose own values say where the next page begins. How parameters are spelled is the service's `ListDialect`.
 */
import { invalid } from '#base/fault.ts'
import type { Sql } from '#base/sql/database.ts'
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely'
import type { Rq } from '../route.ts'
import type { Field } from './field.ts'
import type { Resource, Row } from './resource.ts'

export interface ListDialect {
  /** `sort_key` + `sort_dir` pairs, or one `sort=key:dir,key:dir`; `both` takes either. */
  sort: 'pairs' | 'one' | 'both'
  /** Page size when none is asked, and the largest. Absent: everything. */
  maxLimit?: number
  defaultLimit?: number
  /** What to do with a parameter that is no filter. */
  unknownFilter: 'ignore' | 'refuse'
  /** Suffix operators such as `name__contains` (Keystone). */
  suffixOperators?: boolean
  /** Prefix operators such as `gte:2026-…`, `in:a,b`, `neq:x` (Glance, Cinder). */
  prefixOperators?: boolean
  /** `page_reverse` (Neutron). */
  pageReverse?: boolean
  defaultSort: readonly SortKey[]
}

export interface SortKey {
  key: string
  dir: 'asc' | 'desc'
}

export interface Condition {
  column: string
  op: '=' | '!=' | '>' | '>=' | '<' | '<=' | 'in' | 'like' | 'is null'
  value: unknown
}

export interface ListPlan {
  conditions: Condition[]
  sort: SortKey[]
  limit: number | undefined
  marker: string | undefined
  reverse: boolean
  /** The client's `fields`, when it named some. */
  fields: ReadonlySet<string> | undefined
}

/** Parameters every list knows; they are never filters. */
const CONTROL = new Set(['limit', 'marker', 'sort_key', 'sort_dir', 'sort', 'fields', 'page_reverse', 'offset'])

export function listPlan(resource: Resource, dialect: ListDialect, query: URLSearchParams, own: ReadonlySet<string> = new Set()): ListPlan {
  const plan: ListPlan = { conditions: [], sort: sortKeys(resource, dialect, query), limit: limitOf(dialect, query), marker: query.get('marker') ?? undefined, reverse: false, fields: undefined }
  const fields = query.getAll('fields').filter(Boolean)
  if (fields.length > 0) plan.fields = new Set(fields)
  if (dialect.pageReverse) plan.reverse = query.get('page_reverse')?.toLowerCase() === 'true'
  for (const name of new Set(query.keys())) {
    if (CONTROL.has(name) || own.has(name)) continue
    const condition = conditionOf(resource, dialect, name, query.getAll(name))
    if (condition) plan.conditions.push(...condition)
    else if (dialect.unknownFilter === 'refuse') throw invalid(`[${name}] is invalid attribute for filter`, { field: name })
  }
  return plan
}

function fieldFor(resource: Resource, name: string): [string, Field] | undefined {
  const direct = resource.fields[name]
  if (direct) return [name, direct]
  return Object.entries(resource.fields).find(([, field]) => field.alias === name)
}

function conditionOf(resource: Resource, dialect: ListDialect, name: string, values: string[]): Condition[] | undefined {
  const [base, suffix] = dialect.suffixOperators ? name.split('__') : [name]
  const found = fieldFor(resource, base!)
  if (!found || found[1].filter === false || found[1].stored === 'none' || found[1].stored === 'json') return undefined
  const [column, field] = found
  if (suffix !== undefined) {
    const inner = escapeLike(values.at(-1)!)
    const pattern = suffix.endsWith('contains') ? `%${inner}%` : suffix.endsWith('startswith') ? `${inner}%` : suffix.endsWith('endswith') ? `%${inner}` : undefined
    return pattern === undefined ? undefined : [{ column, op: 'like', value: pattern }]
  }
  const parse = (text: string): string | number | null => {
    const value = field.parse(text)
    if (value === undefined) throw invalid(`Invalid value for filter ${name}: '${text.slice(0, 100)}'`, { field: name })
    return value
  }
  const last = values.at(-1)!
  const operator = dialect.prefixOperators ? /^(neq|eq|gte|gt|lte|lt|in):(.*)$/s.exec(last) : null
  if (operator) {
    const ops = { neq: '!=', eq: '=', gte: '>=', gt: '>', lte: '<=', lt: '<' } as const
    if (operator[1] === 'in') return [{ column, op: 'in', value: splitIn(operator[2]!).map(parse) }]
    return [{ column, op: ops[operator[1] as keyof typeof ops], value: parse(operator[2]!) }]
  }
  return values.length > 1 ? [{ column, op: 'in', value: values.map(parse) }] : [{ column, op: '=', value: parse(last) }]
}

/** `a,"b,c",d` as Glance quotes it. */
function splitIn(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|([^,]+)/g)].map((match) => match[1] ?? match[2]!)
}

export function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, String.raw`\$&`)
}

function limitOf(dialect: ListDialect, query: URLSearchParams): number | undefined {
  const text = query.get('limit')
  if (text === null || text === '') return dialect.defaultLimit ?? dialect.maxLimit
  if (!/^-?\d+$/.test(text)) throw invalid('limit param must be an integer', { field: 'limit' })
  const limit = Number(text)
  if (limit < 0) throw invalid('limit param must be positive', { field: 'limit' })
  return dialect.maxLimit === undefined ? limit : Math.min(limit, dialect.maxLimit)
}

function sortKeys(resource: Resource, dialect: ListDialect, query: URLSearchParams): SortKey[] {
  const asked: { key: string; dir: string }[] = []
  const one = query.get('sort')
  if (one !== null && dialect.sort !== 'pairs') {
    for (const part of one.split(',').filter(Boolean)) {
      const [key, dir] = part.split(':')
      asked.push({ key: key!.trim(), dir: dir?.trim() ?? 'desc' })
    }
  } else if (dialect.sort !== 'one' || query.has('sort_key')) {
    const dirs = query.getAll('sort_dir')
    query.getAll('sort_key').forEach((key, i) => asked.push({ key, dir: dirs[i] ?? dirs[0] ?? dialect.defaultSort[0]?.dir ?? 'asc' }))
    if (asked.length === 0 && dirs[0]) asked.push({ key: dialect.defaultSort[0]!.key, dir: dirs[0] })
  }
  const keys = asked.map(({ key, dir }): SortKey => {
    const found = fieldFor(resource, key)
    if (!found || found[1].sort === false) throw invalid(`${key} is invalid attribute for sort_key`, { field: 'sort_key' })
    if (dir !== 'asc' && dir !== 'desc') throw invalid(`Unknown sort direction, must be one of: asc, desc`, { field: 'sort_dir' })
    return { key: found[0], dir }
  })
  const sort = keys.length > 0 ? keys : [...dialect.defaultSort]
  // The id makes the order total, so that a marker always names one place in it.
  if (!sort.some((one) => one.key === 'id')) sort.push({ key: 'id', dir: sort.at(-1)?.dir ?? 'asc' })
  return sort
}

/** What conditions cannot say (an OR, an EXISTS): a house's own words on the query. */
export type Narrow = (query: SelectQueryBuilder<Record<string, Row>, string, Row>) => SelectQueryBuilder<Record<string, Row>, string, Row>

function conditioned<Q extends SelectQueryBuilder<Record<string, Row>, string, object>>(given: Q, conditions: readonly Condition[]): Q {
  let query: SelectQueryBuilder<Record<string, Row>, string, object> = given
  for (const { column, op, value } of conditions) {
    if (op === 'is null') query = query.where(column, 'is', null)
    else if (op === 'like') query = query.where(sql<boolean>`lower(${sql.ref(column)}) like lower(${value}) escape '\\'`)
    else if (op === 'in' && (value as unknown[]).length === 0) query = query.where(sql<boolean>`1 = 0`)
    else if (op === '=' && value === null) query = query.where(column, 'is', null)
    else query = query.where(column, op, value as never)
  }
  return query as Q
}

/** How many rows the filters leave, whatever the page. */
export async function countRows(db: Sql<never>, resource: Resource, plan: Pick<ListPlan, 'conditions'>, scope: readonly Condition[], narrow: Narrow = (query) => query): Promise<number> {
  const q = db.query as unknown as Kysely<Record<string, Row>>
  const counted = narrow(q.selectFrom(resource.table).select(sql<number>`count(*)`.as('count')) as never)
  const row = await conditioned(counted, [...scope, ...plan.conditions]).executeTakeFirst()
  return Number((row as { count?: unknown } | undefined)?.count ?? 0)
}

/** One page, and whether there is another. `scope` adds what the caller may see at all. */
export async function selectPage(db: Sql<never>, resource: Resource, plan: ListPlan, scope: readonly Condition[], narrow: Narrow = (query) => query): Promise<{ rows: Row[]; more: boolean }> {
  const q = db.query as unknown as Kysely<Record<string, Row>>
  let query = conditioned(narrow(q.selectFrom(resource.table).selectAll()), [...scope, ...plan.conditions])
  const sort = plan.reverse ? plan.sort.map(({ key, dir }): SortKey => ({ key, dir: dir === 'asc' ? 'desc' : 'asc' })) : plan.sort
  if (plan.marker !== undefined) {
    const at = await q.selectFrom(resource.table).selectAll().where('id', '=', plan.marker).executeTakeFirst()
    if (!at) throw invalid(`marker [${plan.marker.slice(0, 100)}] not found`, { field: 'marker' })
    query = query.where((eb) => {
      const same = (key: string) => (at[key] === null ? eb(key, 'is', null) : eb(key, '=', at[key] as never))
      // Nothing comes before null: it is the least value on every engine.
      const after = ({ key, dir }: SortKey) => {
        if (at[key] === null) return dir === 'asc' ? eb(key, 'is not', null) : sql<boolean>`1 = 0`
        return dir === 'asc' ? eb(key, '>', at[key] as never) : eb.or([eb(key, '<', at[key] as never), eb(key, 'is', null)])
      }
      return eb.or(sort.map((one, i) => eb.and([...sort.slice(0, i).map((before) => same(before.key)), after(one)])))
    })
  }
  for (const { key, dir } of sort) query = query.orderBy(key, dir)
  if (plan.limit !== undefined) query = query.limit(plan.limit + 1)
  const rows = await query.execute()
  const more = plan.limit !== undefined && rows.length > plan.limit
  if (more) rows.pop()
  if (plan.reverse) rows.reverse()
  return { rows, more: more && plan.limit! > 0 }
}

/** The request's own URL with another marker. */
export function pageUrl(rq: Rq, marker: string, extra: Record<string, string> = {}): string {
  const query = new URLSearchParams(rq.query)
  query.set('marker', marker)
  for (const [key, value] of Object.entries(extra)) query.set(key, value)
  return `${rq.base}${rq.http.path}?${query.toString()}`
}
