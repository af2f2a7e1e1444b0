/**
 * Reading verbs, derived: a desk says what rows of a noun a caller may see and what they are judged by; lists and shows come from it.
 * Writing verbs are written by hand out of the steps in `writing.ts`.
 */
import type { PolicyTarget, Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import type { Values } from '#neutron/core/body.ts'
import type { Noun } from '#neutron/core/noun.ts'
import { columnOf } from '#neutron/core/view.ts'
import type { Neutron } from '#neutron/house.ts'
import { type Counted, countedRow, page, rowOf, type Where } from '#neutron/store/rows.ts'
import type { Q, Row } from '#neutron/store/tables.ts'
import { type Actor, actorOf, missing } from './actor.ts'
import { type Lens, lensOf, ownTarget } from './lens.ts'
import { listAsk, pageLinks, type SpecialFilters } from './listing.ts'
import { owned } from '#neutron/store/where.ts'

export interface Desk {
  noun: Noun
  /** Below which rows the caller may look at all; undefined: everywhere. Default: own project, administrators everywhere. Own rows are always among them. */
  visible?(actor: Actor, rq: Rq): Where | undefined
  /** What rows are judged by. Loads parents in one query. Not asked for administrators. Default: their project. */
  targets?(house: Neutron, db: Q, rows: readonly Row[], actor: Actor): Promise<(row: Row) => PolicyTarget>
  /** Values without a column, for all rows at once. */
  compute?(house: Neutron, db: Q, rows: readonly Row[], actor: Actor, wanted: (name: string) => boolean): Promise<(row: Row) => Values | undefined>
  filters?: SpecialFilters
  /** What a single row is shown with, for `compute`. */
  counted?: Counted
  /** Column that ids of paths are compared with; default `id`. */
  key?: string
}

/** JSON that is already text. */
export function textReply(body: string, status?: number): Reply {
  return { ...(status === undefined ? {} : { status }), headers: { 'content-type': 'application/json' }, body }
}

function visibleTo(desk: Desk, actor: Actor, rq: Rq): Where[] {
  const where = desk.visible ? desk.visible(actor, rq) : actor.admin ? undefined : owned(actor.project)
  return where ? [where] : []
}

async function lensFor(desk: Desk, house: Neutron, db: Q, rows: readonly Row[], actor: Actor, fields?: readonly string[]): Promise<Lens> {
  const target = actor.admin ? ownTarget : await (desk.targets?.(house, db, rows, actor) ?? ownTarget)
  return lensOf(desk.noun, actor, target, fields)
}

/** Rows as the caller may see them, as JSON texts; undefined stands for a row that may not be seen. */
export async function shownRows(desk: Desk, house: Neutron, db: Q, rows: readonly Row[], actor: Actor, fields?: readonly string[]): Promise<(string | undefined)[]> {
  const lens = await lensFor(desk, house, db, rows, actor, fields)
  const wanted = fields ? (name: string): boolean => fields.includes(name) : (): boolean => true
  const computed = rows.length > 0 ? await desk.compute?.(house, db, rows, actor, wanted) : undefined
  return rows.map((row) => lens(row)?.(row, computed?.(row)))
}

export async function listReply(desk: Desk, house: Neutron, rq: Rq, scope: readonly Where[] = []): Promise<Reply> {
  const { noun } = desk
  const actor = actorOf(rq)
  const ask = listAsk(noun, rq, desk.filters)
  const after = ask.marker === undefined ? undefined : await rowOf(house.db as never, noun.table, ask.marker)
  if (ask.marker !== undefined && !after) throw missing(noun, ask.marker)
  const columns = columnsFor(desk, actor, ask.fields, ask.sort)
  const rows = await page(house.db as never, {
    table: noun.table,
    where: [...scope, ...visibleTo(desk, actor, rq), ...ask.where],
    sort: ask.sort,
    reverse: ask.reverse,
    ...(columns ? { columns } : {}),
    ...(ask.limit === undefined ? {} : { limit: ask.limit }),
    ...(after ? { after } : {}),
  })
  const texts = await shownRows(desk, house, house.db, rows, actor, ask.fields)
  const links = pageLinks(rq, ask, rows.map((row) => row.id as string))
  const shown = texts.filter((text) => text !== undefined).join(',')
  return textReply(`{${JSON.stringify(noun.many)}:[${shown}]${links.length > 0 ? `,${JSON.stringify(`${noun.many}_links`)}:${JSON.stringify(links)}` : ''}}`)
}

/** An administrator who asks for a few plain fields gets them from as many columns. */
function columnsFor(desk: Desk, actor: Actor, fields: readonly string[] | undefined, sort: readonly { key: string }[]): string[] | undefined {
  if (!fields || !actor.admin) return undefined
  const columns = new Set<string>('id' in desk.noun.fields ? ['id'] : [])
  for (const { key } of sort) columns.add(key)
  for (const name of fields) {
    const column = columnOf(desk.noun, name)!
    if (desk.noun.fields[column]!.stored === 'none') return undefined
    columns.add(column)
  }
  return [...columns]
}

/** The row that the caller may see, or 404. */
export async function rowFor(desk: Desk, house: Neutron, db: Q, rq: Rq, id: string, scope: readonly Where[] = [], counted?: Counted): Promise<Row> {
  const actor = actorOf(rq)
  const visible = visibleTo(desk, actor, rq)
  const { table } = desk.noun
  if (scope.length === 0) {
    // A question that stands compiled costs a part of one that must be built, and most read what is their own.
    const row = counted ? await countedRow(db as never, table, id, counted) : await rowOf(db as never, table, id, [], desk.key)
    if (!row) throw missing(desk.noun, id)
    if (visible.length === 0 || (actor.project !== undefined && row.project_id === actor.project)) return row
  }
  const row = await rowOf(db as never, table, id, [...scope, ...visible], desk.key)
  if (!row) throw missing(desk.noun, id)
  return row
}

export async function showReply(desk: Desk, house: Neutron, rq: Rq, id: string, scope: readonly Where[] = []): Promise<Reply> {
  const row = await rowFor(desk, house, house.db, rq, id, scope, desk.counted)
  const fields = rq.http.query === '' ? undefined : listAsk({ ...desk.noun }, { ...rq, query: new URLSearchParams(rq.query.getAll('fields').map((one) => ['fields', one])) } as Rq).fields
  const [text] = await shownRows(desk, house, house.db, [row], actorOf(rq), fields)
  if (text === undefined) throw missing(desk.noun, id)
  return textReply(`{${JSON.stringify(desk.noun.one)}:${text}}`)
}

/** The answer to a write: the row as it stands now. */
export async function rowReply(desk: Desk, house: Neutron, rq: Rq, row: Row, status?: number): Promise<Reply> {
  const [text] = await shownRows(desk, house, house.db, [row], actorOf(rq))
  return textReply(`{${JSON.stringify(desk.noun.one)}:${text ?? 'null'}}`, status)
}

/** `GET` of the collection and of one. */
export function readRoutes(desk: Desk, house: Neutron): Route[] {
  const { noun } = desk
  return [
    route({ method: 'GET', path: noun.path, name: `${noun.many}.list`, status: 200, handle: (rq) => listReply(desk, house, rq) }),
    route({ method: 'GET', path: `${noun.path}/{id}`, name: `${noun.many}.show`, status: 200, handle: (rq) => showReply(desk, house, rq, rq.params.id!) }),
  ]
}
