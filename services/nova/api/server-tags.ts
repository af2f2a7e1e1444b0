/** Tags of a server, since 2.26. */
import { invalid, notFound, type Fault } from '#base/fault.ts'
import type { Schema } from '#stack/schema.ts'
import { schemaAssert } from '#stack/schema.ts'
import { route, type Route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { wrongState } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { deleteTag, insertTags, replaceTags, tagsOf } from '../store/server-tags.ts'
import type { ServerRow } from '../store/tables.ts'
import { object, tagText } from './schemas.ts'
import { authorizedServer } from './server-steps.ts'

const MOST = 50
const since = v('2.26')
const list: Schema = object({ tags: { type: 'array', items: tagText, maxItems: MOST } }, ['tags'])
const noTag = (server: ServerRow, tag: string): Fault => notFound(`Server ${server.id} has no tag '${tag}'`)

export function serverTagRoutes(nova: Nova): Route[] {
  const path = '/v2.1/servers/{server_id}/tags'
  return [
    route({ method: 'GET', path, name: 'tags.index', since, status: 200, handle: async (rq) => ({ json: { tags: await tagsOf(nova.db, (await authorizedServer(nova, rq, 'os-server-tags:index')).id) } }) }),
    route<{ tags: string[] }>({
      method: 'PUT', path, name: 'tags.update-all', since, status: 200, body: list,
      async handle(rq) {
        const server = await changeable(nova, rq, 'update_all')
        const tags = [...new Set(rq.body.tags)]
        await nova.db.transaction((tx) => replaceTags(tx, server.id, tags))
        return { json: { tags } }
      },
    }),
    route({
      method: 'DELETE', path, name: 'tags.delete-all', since, status: 204,
      async handle(rq) {
        const server = await changeable(nova, rq, 'delete_all')
        await nova.db.transaction((tx) => replaceTags(tx, server.id, []))
        return {}
      },
    }),
    route({
      method: 'GET', path: `${path}/{tag}`, name: 'tags.show', since, status: 204,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-server-tags:show')
        if (!(await tagsOf(nova.db, server.id)).includes(rq.params.tag!)) throw noTag(server, rq.params.tag!)
        return {}
      },
    }),
    route({
      method: 'PUT', path: `${path}/{tag}`, name: 'tags.update', since, status: 201, bodyKind: 'none',
      async handle(rq) {
        const tag = rq.params.tag!
        schemaAssert(tagText, tag, (_path, problem) => `Tag '${tag.slice(0, 60)}' is invalid. It must be a non empty string without characters '/' and ',', at most 60 long (${problem.keyword}).`)
        const server = await changeable(nova, rq, 'update')
        const created = await nova.db.transaction(async (tx) => {
          const tags = await tagsOf(tx, server.id)
          if (tags.includes(tag)) return false
          if (tags.length >= MOST) throw invalid(`The number of tags exceeded the per-server limit ${MOST}`, { field: 'tag' })
          await insertTags(tx, server.id, [tag])
          return true
        })
        return created ? { headers: { location: `${rq.base}${rq.http.path}` } } : { status: 204 }
      },
    }),
    route({
      method: 'DELETE', path: `${path}/{tag}`, name: 'tags.delete', since, status: 204,
      async handle(rq) {
        const server = await changeable(nova, rq, 'delete')
        if (!(await deleteTag(nova.db, server.id, rq.params.tag!))) throw noTag(server, rq.params.tag!)
        return {}
      },
    }),
  ]
}

async function changeable(nova: Nova, rq: Rq<unknown>, verb: string): Promise<ServerRow> {
  const server = await authorizedServer(nova, rq, `os-server-tags:${verb}`)
  if (!['active', 'paused', 'suspended', 'stopped'].includes(server.vm_state)) throw wrongState(`${verb.replace('_', ' ')} tags`, server.id, 'vm_state', server.vm_state)
  return server
}
