/** The steps out of which Keystone's verbs are written: authorize, find, list, link. */
import { conflict, Fault, forbidden, invalid, notFound } from '#base/fault.ts'
import { hexId } from '#base/ids.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { type Condition, listPlan, pageUrl, selectPage } from '#stack/resource/listing.ts'
import { parseCreate, parseUpdate, type Resource, type Row } from '#stack/resource/resource.ts'
import { type Schema, schemaAssert } from '#stack/schema.ts'
import { keystoneWording } from '../service-dialect.ts'
import type { OwnFacts } from './auth/token-facts.ts'
import type { Keystone } from './house.ts'

/** Judges `identity:<action>`; `target` is what rules read as `%(target.…)s`, the path's parameters as `%(user_id)s`. */
export function enforce(rq: Rq, action: string, target: Row = {}, more: Row = {}): void {
  rq.authorize(`identity:${action}`, { ...rq.params, ...more, target })
}

export function allows(rq: Rq, action: string, target: Row = {}, more: Row = {}): boolean {
  return rq.allows(`identity:${action}`, { ...rq.params, ...more, target })
}

/** The facts of the caller's token that only Keystone looks at. */
export function own(rq: Rq): Partial<OwnFacts> {
  return rq.context as Partial<OwnFacts>
}

export function missing(noun: string, id: string): Fault {
  return notFound(`Could not find ${noun}: ${id}.`)
}

/** Throws 404 for undefined. */
export function there<T>(found: T | undefined, noun: string, id: string): T {
  if (found === undefined) throw missing(noun, id)
  return found
}

export function duplicate(noun: string, detail: string): Fault {
  return conflict(`Conflict occurred attempting to store ${noun} - ${detail}.`)
}

/** Runs a write; a key that exists already becomes Keystone's 409. */
export async function storing<T>(noun: string, detail: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'sql.duplicate') throw duplicate(noun, detail)
    throw thrown
  }
}

export function checked(schema: Schema, body: unknown): void {
  if (body === undefined || body === null || typeof body !== 'object') throw invalid('The request body is missing or is no JSON object.')
  schemaAssert(schema, body, keystoneWording)
}

export const created = (resource: Resource, rq: Rq): Row => parseCreate(resource, withoutLinks(resource, rq.body), rq.context, 0, keystoneWording)

/** What an update sets. An `id` in it must be the resource's own. */
export function updated(resource: Resource, rq: Rq, id: string): Row {
  const body = withoutLinks(resource, rq.body)
  const inner = body[resource.one] as Row
  if (typeof inner === 'object' && inner !== null && 'id' in inner) {
    if (inner.id !== id) throw invalid(`Cannot change ${resource.one.replaceAll('_', ' ')} ID`, { field: 'id' })
    delete inner.id
  }
  return parseUpdate(resource, body, 0, keystoneWording)
}

function withoutLinks(resource: Resource, body: unknown): Row {
  const inner = (body as Row | undefined)?.[resource.one]
  if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) throw invalid(`Expecting to find ${resource.one} in the request body.`, { field: resource.one })
  const { links: _, ...rest } = inner as Row
  return { [resource.one]: rest }
}

/** `extra` as stored, with a patch laid over it; null takes a property away only where Keystone does: it keeps the null. */
export function mergedExtra(stored: string, patch: Row): string {
  const given = patch.extra as Row | undefined
  return given ? JSON.stringify({ ...(JSON.parse(stored) as Row), ...given }) : stored
}

export function v3(rq: Rq, path: string): string {
  return `${rq.base}/v3/${path}`
}

export function selfUrl(rq: Rq): string {
  return `${rq.base}${rq.http.path}${rq.http.query ? `?${rq.http.query}` : ''}`
}

export function listReply(rq: Rq, many: string, views: readonly unknown[], more: { next?: string | undefined; truncated?: boolean } = {}): Reply {
  return { json: { links: { next: more.next ?? null, self: selfUrl(rq), previous: null }, [many]: views, ...(more.truncated ? { truncated: true } : {}) } }
}

const LISTS = { sort: 'pairs', unknownFilter: 'ignore', suffixOperators: true, defaultSort: [{ key: 'id', dir: 'asc' }] } as const

export interface Page<R> {
  rows: R[]
  next: string | undefined
  truncated: boolean
}

/** The rows that the query asks for, of those within `scope`. `view` parameters that are no filters go into `apart`. */
export async function page<R = Row>(house: Keystone, rq: Rq, resource: Resource, scope: readonly Condition[] = [], apart?: ReadonlySet<string>): Promise<Page<R>> {
  const plan = listPlan(resource, LISTS, rq.query, apart)
  const most = house.config.list_limit
  const asked = plan.limit
  if (most !== null && (plan.limit === undefined || plan.limit > most)) plan.limit = most
  const { rows, more } = await selectPage(house.db as never, resource, plan, scope)
  const last = rows.at(-1)
  return { rows: rows as R[], next: more && asked !== undefined && last ? pageUrl(rq, last.id as string) : undefined, truncated: more && asked === undefined }
}

export const equals = (column: string, value: unknown): Condition => ({ column, op: '=', value })

export function newId(house: Keystone): string {
  return hexId(house.world.random)
}

/** `?enabled` and the like: present means true unless it says `0` or `false`. */
export function flagParam(rq: Rq, name: string): boolean {
  const value = rq.query.get(name)
  return value !== null && value !== '0' && value.toLowerCase() !== 'false'
}

/** 403 for a change to what is marked immutable; the mark itself may be taken off. */
export function mutable(noun: string, id: string, options: string, patch?: Row): void {
  if ((JSON.parse(options) as { immutable?: boolean }).immutable !== true) return
  const given = patch?.options as { immutable?: boolean | null } | undefined
  if (given && given.immutable !== true && 'immutable' in given) return
  throw forbidden(patch ? `Cannot update immutable resource ${noun} ${id}.` : `Cannot delete immutable resource ${noun} ${id}.`)
}

/** Options laid over those stored; null takes one away. */
export function mergedOptions(stored: string, patch: Row): string {
  const given = patch.options as Row | undefined
  if (!given) return stored
  const merged: Row = { ...(JSON.parse(stored) as Row), ...given }
  for (const [key, value] of Object.entries(merged)) if (value === null) delete merged[key]
  return JSON.stringify(merged)
}

export type Verb = (rq: Rq) => Promise<Reply> | Reply

/** One line of a route list. */
export function at(method: Route['method'], path: string, name: string, status: number, handle: Verb, more: Partial<Route> = {}): Route {
  return { method, path, name, status, handle: handle as Route['handle'], ...more }
}
