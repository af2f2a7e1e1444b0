/** What was done to a server. From 2.21 also of deleted ones: that is when one asks. */
import { isoMicros } from '#base/clock.ts'
import { invalid, notFound } from '#base/fault.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { hostIdHash } from '../core/host-id.ts'
import type { Nova } from '../house.ts'
import { actionByRequest, actionsOf } from '../store/actions.ts'
import { serverById } from '../store/servers.ts'
import type { ActionEvent, ActionRow, ServerRow } from '../store/tables.ts'
import { nextLink } from './links.ts'
import { instantOf, limitOf } from './paging.ts'
import { isAdmin, noServer, targetOf } from './server-steps.ts'

export function instanceActionRoutes(nova: Nova): Route[] {
  return [
    route({ method: 'GET', path: '/v2.1/servers/{server_id}/os-instance-actions', name: 'instance-actions.list', status: 200, handle: (rq) => list(nova, rq) }),
    route({ method: 'GET', path: '/v2.1/servers/{server_id}/os-instance-actions/{request_id}', name: 'instance-actions.show', status: 200, handle: (rq) => show(nova, rq) }),
  ]
}

async function serverOf(nova: Nova, rq: Rq<unknown>, rule: string): Promise<ServerRow> {
  const id = rq.params.server_id!
  const row = await serverById(nova.db, id)
  if (!row || (row.deleted === 1 && rq.version < v('2.21')) || (row.project_id !== rq.context.project_id && !isAdmin(rq))) throw noServer(id)
  rq.authorize(`os_compute_api:os-instance-actions:${rule}`, targetOf(row))
  return row
}

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const server = await serverOf(nova, rq, 'list')
  const paged = rq.version >= v('2.58')
  const limit = paged ? limitOf(rq.query, nova.config.max_limit) : nova.config.max_limit
  const marker = paged ? rq.query.get('marker') : null
  const since = paged ? instantOf(rq.query, 'changes-since') : undefined
  const before = rq.version >= v('2.66') ? instantOf(rq.query, 'changes-before') : undefined
  const rows = limit === 0 ? [] : await actionsOf(nova.db, server.id, { limit: limit + 1, ...(marker === null ? {} : { marker }), ...(since === undefined ? {} : { since }), ...(before === undefined ? {} : { before }) })
  if (!rows) throw invalid(`Marker ${marker} could not be found.`, { field: 'marker' })
  const page = rows.slice(0, limit)
  return { json: { instanceActions: page.map((row) => actionView(rq, row)), ...(paged && rows.length > limit ? { links: nextLink(rq, page.at(-1)!.request_id) } : {}) } }
}

async function show(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const server = await serverOf(nova, rq, 'show')
  const row = await actionByRequest(nova.db, server.id, rq.params.request_id!)
  if (!row) throw notFound(`Action for request_id ${rq.params.request_id} on instance ${server.id} not found`)
  const target = targetOf(server)
  const whole = rq.allows('os_compute_api:os-instance-actions:events', target)
  const events = JSON.parse(row.events) as ActionEvent[]
  const details = rq.version >= v('2.84') && rq.allows('os_compute_api:os-instance-actions:events:details', target)
  return {
    json: {
      instanceAction: {
        ...actionView(rq, row),
        ...(whole || rq.version >= v('2.51')
          ? {
              events: events.map((event) => ({
                event: event.event,
                start_time: isoMicros(event.start),
                finish_time: event.finish === null ? null : isoMicros(event.finish),
                result: event.result,
                ...(whole ? { traceback: null } : {}),
                ...(rq.version >= v('2.62') ? { hostId: hostIdHash(server.project_id, event.host ?? null), ...(whole ? { host: event.host ?? null } : {}) } : {}),
                ...(details ? { details: event.details ?? null } : {}),
              })),
            }
          : {}),
      },
    },
  }
}

function actionView(rq: Rq<unknown>, row: ActionRow): Record<string, unknown> {
  return {
    action: row.action, instance_uuid: row.server_id, request_id: row.request_id, user_id: row.user_id, project_id: row.project_id, start_time: isoMicros(row.started_at), message: row.message,
    ...(rq.version >= v('2.58') ? { updated_at: isoMicros(row.updated_at) } : {}),
  }
}
