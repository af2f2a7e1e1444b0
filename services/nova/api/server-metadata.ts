/** `metadata` of a server: items of text, also told to the guest. */
import { Fault, invalid, notFound } from '#base/fault.ts'
import type { Schema } from '#stack/schema.ts'
import { route, type Route, type Rq } from '#stack/route.ts'
import { assertMay } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { limitsOf } from '../store/quotas.ts'
import { patchServer } from '../store/servers.ts'
import type { ServerRow } from '../store/tables.ts'
import { envelope, metadataObject } from './schemas.ts'
import { authorizedServer, isAdmin } from './server-steps.ts'

type Items = Record<string, string>
const all = envelope('metadata', metadataObject)
const one: Schema = envelope('meta', { ...metadataObject, minProperties: 1, maxProperties: 1 })
const noItem = (): Fault => notFound('Metadata item was not found')

export function serverMetadataRoutes(nova: Nova): Route[] {
  const path = '/v2.1/servers/{server_id}/metadata'
  return [
    route({ method: 'GET', path, name: 'metadata.index', status: 200, handle: async (rq) => ({ json: { metadata: itemsOf(await authorizedServer(nova, rq, 'server-metadata:index')) } }) }),
    route<{ metadata: Items }>({
      method: 'POST', path, name: 'metadata.create', status: 200, body: all,
      async handle(rq) {
        const server = await changeable(nova, rq, 'create', 'updateMetadata')
        return { json: { metadata: await write(nova, server, { ...itemsOf(server), ...rq.body.metadata }) } }
      },
    }),
    route<{ metadata: Items }>({
      method: 'PUT', path, name: 'metadata.update-all', status: 200, body: all,
      handle: async (rq) => ({ json: { metadata: await write(nova, await changeable(nova, rq, 'update_all', 'updateMetadata'), rq.body.metadata) } }),
    }),
    route({
      method: 'GET', path: `${path}/{key}`, name: 'metadata.show', status: 200,
      async handle(rq) {
        const value = itemsOf(await authorizedServer(nova, rq, 'server-metadata:show'))[rq.params.key!]
        if (value === undefined) throw noItem()
        return { json: { meta: { [rq.params.key!]: value } } }
      },
    }),
    route<{ meta: Items }>({
      method: 'PUT', path: `${path}/{key}`, name: 'metadata.update', status: 200, body: one,
      async handle(rq) {
        const key = rq.params.key!
        const value = rq.body.meta[key]
        if (value === undefined) throw invalid('Request body and URI mismatch', { field: 'meta' })
        const server = await changeable(nova, rq, 'update', 'updateMetadata')
        await write(nova, server, { ...itemsOf(server), [key]: value })
        return { json: { meta: { [key]: value } } }
      },
    }),
    route({
      method: 'DELETE', path: `${path}/{key}`, name: 'metadata.delete', status: 204,
      async handle(rq) {
        const server = await changeable(nova, rq, 'delete', 'deleteMetadata')
        const { [rq.params.key!]: gone, ...rest } = itemsOf(server)
        if (gone === undefined) throw noItem()
        await write(nova, server, rest)
        return {}
      },
    }),
  ]
}

const itemsOf = (server: ServerRow): Items => JSON.parse(server.metadata) as Items

async function changeable(nova: Nova, rq: Rq<unknown>, verb: string, legal: 'updateMetadata' | 'deleteMetadata'): Promise<ServerRow> {
  const server = await authorizedServer(nova, rq, `server-metadata:${verb}`)
  assertMay(legal, server, isAdmin(rq))
  return server
}

async function write(nova: Nova, server: ServerRow, items: Items): Promise<Items> {
  const { metadata_items } = await limitsOf(nova.db, server.project_id, nova.quotas)
  if (metadata_items >= 0 && Object.keys(items).length > metadata_items) throw new Fault('over_quota', `Maximum number of metadata items exceeds ${metadata_items}`)
  await patchServer(nova.db, server.id, { metadata: JSON.stringify(items), updated_at: nova.world.clock.now() })
  return items
}
