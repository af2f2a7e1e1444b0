/** `/v2.0/<collection>/{id}/tags` of every noun that has tags. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { changed } from '#neutron/flows/standard.ts'
import type { Neutron } from '#neutron/house.ts'
import { changeRow } from '#neutron/store/rows.ts'
import type { Desk } from './desk.ts'
import { rowFor } from './desk.ts'
import { rowToChange } from './writing.ts'

const MAX_LENGTH = 255
const MAX_TAGS = 50

function takeTag(tag: unknown): string {
  if (typeof tag !== 'string' || tag.trim() === '' || tag.length > MAX_LENGTH || tag.includes(',') || tag.includes('/')) {
    throw invalid(`Invalid input for operation: '${String(tag).slice(0, 100)}' is not a valid tag: 1 to ${MAX_LENGTH} characters without comma and slash.`, { code: 'InvalidInput', field: 'tags' })
  }
  return tag
}

function takeTags(body: unknown): string[] {
  const tags = (body as { tags?: unknown } | undefined)?.tags
  if (!Array.isArray(tags)) throw invalid(`Invalid tags body`, { code: 'HTTPBadRequest', field: 'tags' })
  const out = [...new Set(tags.map(takeTag))]
  if (out.length > MAX_TAGS) throw conflict(`The number of tags exceed the per-resource limit of ${MAX_TAGS}`, { code: 'TagsLimit' })
  return out
}

/** `prefix` of the collection when tags stand elsewhere than the noun: `/v2.0/policies` for QoS policies. */
export function tagRoutes(house: Neutron, desk: Desk, options: { path?: string; rule?: (verb: string) => string } = {}): Route[] {
  const { noun } = desk
  const path = `${options.path ?? noun.path}/{id}/tags`
  const rule = options.rule ?? ((verb: string): string => `${verb}_${noun.policy ?? noun.one}:tags`)
  const see = async (rq: Rq): Promise<string[]> => {
    const row = await rowFor(desk, house, house.db, rq, rq.params.id!)
    return JSON.parse(row.tags as string) as string[]
  }
  const change = (rq: Rq, verb: string, next: (before: string[]) => string[]): Promise<string[]> =>
    house.db.transaction(async (tx) => {
      const row = await rowToChange(tx, { desk, house, rq, id: rq.params.id!, rules: [rule(verb)] })
      const before = JSON.parse(row.tags as string) as string[]
      // In order, as Neutron's table keeps them.
      const after = next(before).sort()
      if (JSON.stringify(after) !== row.tags) await changeRow(tx as never, noun.table, row.id as string, { tags: JSON.stringify(after), ...changed(house, row) })
      return after
    })
  const gone = (tag: string): never => {
    throw notFound(`Tag ${tag} could not be found.`, { code: 'TagNotFound' })
  }
  const one = `${path}/{tag}`
  const make = (method: Route['method'], at: string, name: string, status: number, handle: (rq: Rq) => Promise<Reply>): Route => route({ method, path: at, name: `${noun.many}.tags.${name}`, status, handle })
  return [
    make('GET', path, 'list', 200, async (rq) => ({ json: { tags: await see(rq) } })),
    make('PUT', path, 'replace', 200, async (rq) => {
      const tags = takeTags(rq.body)
      return { json: { tags: await change(rq, 'update', () => tags) } }
    }),
    make('POST', path, 'add', 200, async (rq) => {
      const tags = takeTags(rq.body)
      return { json: { tags: await change(rq, 'create', (before) => [...new Set([...before, ...tags])]) } }
    }),
    make('DELETE', path, 'clear', 204, async (rq) => {
      await change(rq, 'delete', () => [])
      return {}
    }),
    make('GET', one, 'check', 204, async (rq) => ((await see(rq)).includes(rq.params.tag!) ? {} : gone(rq.params.tag!))),
    make('PUT', one, 'put', 201, async (rq) => {
      const tag = takeTag(rq.params.tag)
      await change(rq, 'update', (before) => [...new Set([...before, tag])])
      return {}
    }),
    make('DELETE', one, 'remove', 204, async (rq) => {
      const tag = rq.params.tag!
      await change(rq, 'delete', (before) => (before.includes(tag) ? before.filter((other) => other !== tag) : gone(tag)))
      return {}
    }),
  ]
}
