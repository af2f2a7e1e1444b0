/** Messages: why something that was accepted came to nothing. */
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { messageList } from '../contract/lists.ts'
import type { Cinder } from '../house.ts'
import { deleteMessage, messageById } from '../store/messages.ts'
import type { MessageRow } from '../store/more-tables.ts'
import { seen, targetOf } from './load.ts'
import { pageOf } from './pages.ts'
import { linksOf, stamp } from './volume-view.ts'

const since = v('3.3')

export const messageRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/messages', name: 'messages.list', since, status: 200, handle: (rq) => list(house, rq as Rq<never>) }),
  route({ method: 'GET', path: '/messages/{message_id}', name: 'messages.show', since, status: 200, handle: async (rq) => ({ json: { message: view(rq, await load(house, rq, 'message:get')) } }) }),
  route({
    method: 'DELETE',
    path: '/messages/{message_id}',
    name: 'messages.delete',
    since,
    bodyKind: 'none',
    status: 204,
    handle: async (rq) => {
      await deleteMessage(house.db, (await load(house, rq, 'message:delete')).id)
      return {}
    },
  }),
]

function view(rq: Pick<Rq, 'context' | 'version' | 'base' | 'allows'>, row: MessageRow): Record<string, unknown> {
  return {
    id: row.id,
    event_id: row.event_id,
    user_message: row.user_message,
    message_level: row.message_level,
    created_at: stamp(row.created_at),
    guaranteed_until: stamp(row.expires_at),
    request_id: row.request_id,
    resource_type: row.resource_type,
    ...(row.resource_uuid === null ? {} : { resource_uuid: row.resource_uuid }),
    links: linksOf(rq, 'messages', row.id),
  }
}

async function load(house: Cinder, rq: Rq, rule: string): Promise<MessageRow> {
  const id = rq.params.message_id!
  const row = seen(rq, await messageById(house.db, id), `Message ${id.slice(0, 100)}`)
  rq.authorize(rule, targetOf(row))
  return row
}

async function list(house: Cinder, rq: Rq<never>): Promise<Reply> {
  rq.authorize('message:get_all')
  const page = await pageOf<MessageRow>(house, rq, { resource: messageList })
  return { json: { messages: page.rows.map((row) => view(rq, row)), ...(rq.version >= v('3.5') ? page.extras : {}) } }
}
