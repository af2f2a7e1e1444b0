/** Neutron's list parameters: filters (several values mean any of them), `fields`, `sort_key`/`sort_dir`, `limit`/`marker`/`page_reverse`. */
import { invalid } from '#base/fault.ts'
import type { Rq } from '#stack/route.ts'
import { columnOf, namesOf } from '#neutron/core/view.ts'
import type { Noun } from '#neutron/core/noun.ts'
import { repr } from '#stack/schema.ts'
import type { Where } from '#neutron/store/rows.ts'
import { anyOf, equals, hasElement, not, nothing, since } from '#neutron/store/where.ts'

/** Filters that are not simply a column: by name, values to a condition. */
export type SpecialFilters = Readonly<Record<string, (values: string[], rq: Rq) => Where>>

export interface ListAsk {
  where: Where[]
  sort: { key: string; dir: 'asc' | 'desc' }[]
  limit: number | undefined
  marker: string | undefined
  reverse: boolean
  /** Names that the client wants, when it named some. */
  fields: readonly string[] | undefined
}

const CONTROL = new Set(['fields', 'sort_key', 'sort_dir', 'limit', 'marker', 'page_reverse'])

const refuse = (message: string, field: string): Error => invalid(message, { code: 'HTTPBadRequest', field })

const TAG_FILTERS: SpecialFilters = {
  tags: (values) => all(split(values)),
  'tags-any': (values) => anyOf(...split(values).map((tag) => hasElement('tags', tag))),
  'not-tags': (values) => not(all(split(values))),
  'not-tags-any': (values) => not(anyOf(...split(values).map((tag) => hasElement('tags', tag)))),
}

const split = (values: string[]): string[] => values.flatMap((value) => value.split(','))

function all(tags: string[]): Where {
  const [first, ...rest] = tags.map((tag) => hasElement('tags', tag))
  return (eb) => eb.and([first!(eb), ...rest.map((one) => one(eb))])
}

export function listAsk(noun: Noun, rq: Rq, special: SpecialFilters = {}): ListAsk {
  const { query } = rq
  const ask: ListAsk = { where: [], sort: [{ key: 'id' in noun.fields ? 'id' : Object.keys(noun.fields)[0]!, dir: 'asc' as const }], limit: undefined, marker: undefined, reverse: false, fields: undefined }
  if (rq.http.query === '') return ask
  const strange: string[] = []
  for (const name of new Set(query.keys())) {
    if (CONTROL.has(name)) continue
    const where = filterOf(noun, name, query.getAll(name), special, rq)
    if (where) ask.where.push(where)
    else strange.push(name)
  }
  if (strange.length > 0) throw refuse(`${repr(strange)} is invalid attribute for filtering`, strange[0]!)
  const fields = query.getAll('fields').filter(Boolean)
  if (fields.length > 0) {
    const shown = namesOf(noun)
    ask.fields = shown.filter((name) => fields.includes(name))
  }
  sorting(noun, query, ask)
  const limit = query.get('limit')
  if (limit !== null && limit !== '') {
    if (!/^\d+$/.test(limit)) throw refuse(`Limit must be an integer 0 or greater and not '${limit.slice(0, 40)}'`, 'limit')
    if (Number(limit) > 0) ask.limit = Number(limit)
  }
  ask.marker = query.get('marker') || undefined
  ask.reverse = ['true', '1', 'yes'].includes(query.get('page_reverse')?.toLowerCase() ?? '')
  return ask
}

function filterOf(noun: Noun, name: string, values: string[], special: SpecialFilters, rq: Rq): Where | undefined {
  const own = special[name] ?? ('tags' in noun.fields ? TAG_FILTERS[name] : undefined)
  if (own) return own(values, rq)
  if (name === 'changed_since' && 'updated_at' in noun.fields) {
    const at = Date.parse(values.at(-1)!)
    if (Number.isNaN(at)) throw refuse(`The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SS[Z]`, name)
    return since('updated_at', at)
  }
  const column = columnOf(noun, name)
  const field = column === undefined ? undefined : noun.fields[column]
  if (column === undefined || !field || field.filter === false || field.stored === 'none' || field.stored === 'json') return undefined
  const parsed: (string | number | null)[] = []
  for (const value of values) {
    const read = field.parse(value)
    if (read === undefined) {
      if (field.stored === 'flag') throw refuse(`Invalid input for operation: '${value}' cannot be converted to boolean.`, name)
      continue
    }
    parsed.push(read)
  }
  return parsed.length === 0 ? nothing : equals(column, parsed)
}

function sorting(noun: Noun, query: URLSearchParams, ask: ListAsk): void {
  const keys = query.getAll('sort_key').filter(Boolean)
  if (keys.length === 0) return
  const dirs = query.getAll('sort_dir').filter(Boolean)
  if (dirs.length > 0 && dirs.length !== keys.length) throw refuse('The number of sort_keys and sort_dirs must be same', 'sort_dir')
  const wrong = keys.filter((key) => {
    const field = noun.fields[columnOf(noun, key) ?? '']
    return !field || field.sort === false || field.stored === 'none' || field.stored === 'json'
  })
  if (wrong.length > 0) throw refuse(`${repr(wrong)} is invalid attribute for sort_keys`, 'sort_key')
  const sort = keys.map((key, i) => {
    const dir = dirs[i] ?? 'asc'
    if (dir !== 'asc' && dir !== 'desc') throw refuse(`Valid sort directions are 'asc' and 'desc'`, 'sort_dir')
    return { key: columnOf(noun, key)!, dir } as const
  })
  if (!sort.some(({ key }) => key === 'id') && 'id' in noun.fields) sort.push({ key: 'id', dir: sort.at(-1)!.dir })
  ask.sort = sort
}

/** `networks_links` as Neutron makes them: by whether the page is full. */
export function pageLinks(rq: Rq, ask: ListAsk, ids: readonly string[]): { rel: string; href: string }[] {
  if (ask.limit === undefined) return []
  const links: { rel: string; href: string }[] = []
  const short = ids.length < ask.limit
  const link = (rel: string, marker: string | undefined, reverse: boolean): void => {
    const query = new URLSearchParams(rq.query)
    query.delete('marker')
    query.delete('page_reverse')
    if (marker !== undefined) query.set('marker', marker)
    if (reverse) query.set('page_reverse', 'True')
    links.push({ rel, href: `${rq.base}${rq.http.path}?${query.toString()}` })
  }
  if (!short || ask.reverse) link('next', ids.at(-1), false)
  if (!short || !ask.reverse) link('previous', ids[0], true)
  return links
}
