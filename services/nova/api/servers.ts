/** Servers: list, show, update, delete. `POST /servers` has its own file. */
import { invalid } from '#base/fault.ts'
import type { Schema } from '#stack/schema.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { byVersion, v } from '#stack/version.ts'
import { assertMay } from '../core/states.ts'
import { GUARDED, moveServer } from '../flows/state.ts'
import type { Nova } from '../house.ts'
import { selectServers } from '../store/server-list.ts'
import { patchServer, serverById, takenServer } from '../store/servers.ts'
import { shownServer } from '../store/shown-server.ts'
import type { ServerPrivate, ServerRow } from '../store/tables.ts'
import { linksOf, nextLink } from './links.ts'
import { description, diskConfig, envelope, fqdnText, hostnameText, ipv4Text, ipv6Text, nameText, object } from './schemas.ts'
import { serverQuery } from './server-list-query.ts'
import { accessAddress6, authorizedServer, isAdmin, mayBeSeen, recordAction, targetOf } from './server-steps.ts'
import { serverReply, serversReply } from './server-view.ts'

const updateSchema = (version: number): Schema =>
  envelope(
    'server',
    object({
      name: nameText,
      'OS-DCF:diskConfig': diskConfig,
      accessIPv4: ipv4Text,
      accessIPv6: ipv6Text,
      ...(version >= v('2.19') ? { description } : {}),
      ...(version >= v('2.94') ? { hostname: fqdnText } : version >= v('2.90') ? { hostname: hostnameText } : {}),
      ...(version >= v('2.104') ? { pinned_availability_zone: { type: ['string', 'null'], minLength: 1, maxLength: 255 } } : {}),
    }),
  )

interface Update {
  name?: string
  'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL'
  accessIPv4?: string
  accessIPv6?: string
  description?: string | null
  hostname?: string
  pinned_availability_zone?: string | null
}

export function serverRoutes(nova: Nova): Route[] {
  const both = (one: Route): Route[] => [one, { ...one, path: one.path.replace('/servers', '/os-volumes_boot'), until: v('2.102') }]
  return [
    ...both(route({ method: 'GET', path: '/v2.1/servers', name: 'servers.index', policy: 'os_compute_api:servers:index', status: 200, handle: (rq) => list(nova, rq, 'index') })),
    ...both(route({ method: 'GET', path: '/v2.1/servers/detail', name: 'servers.detail', policy: 'os_compute_api:servers:detail', status: 200, handle: (rq) => list(nova, rq, 'detail') })),
    ...both(
      route({
        method: 'GET', path: '/v2.1/servers/{server_id}', name: 'servers.show', status: 200,
        async handle(rq) {
          const server = mayBeSeen(rq, rq.params.server_id!, await shownServer(nova.db, rq.params.server_id!))
          rq.authorize('os_compute_api:servers:show', targetOf(server))
          return serverReply(nova, rq, server, 'show')
        },
      }),
    ),
    ...both(
      route<{ server: Update }>({
        method: 'PUT', path: '/v2.1/servers/{server_id}', name: 'servers.update', status: 200,
        body: byVersion({ '2.1': updateSchema(v('2.1')), '2.19': updateSchema(v('2.19')), '2.90': updateSchema(v('2.90')), '2.94': updateSchema(v('2.94')), '2.104': updateSchema(v('2.104')) }),
        handle: (rq) => update(nova, rq),
      }),
    ),
    ...both(route({ method: 'DELETE', path: '/v2.1/servers/{server_id}', name: 'servers.delete', status: 204, handle: (rq) => remove(nova, rq) })),
  ]
}

async function list(nova: Nova, rq: Rq<unknown>, kind: 'index' | 'detail'): Promise<Reply> {
  const query = serverQuery(nova, rq, kind)
  const { rows, more } = await selectServers(nova.db, query)
  const links = more && rows.length > 0 ? { servers_links: nextLink(rq, rows.at(-1)!.id) } : {}
  if (kind === 'detail') return serversReply(nova, rq, rows, links)
  return { json: { servers: rows.map((row) => ({ id: row.id, name: row.name, links: linksOf(rq, 'servers', row.id) })), ...links } }
}

async function update(nova: Nova, rq: Rq<{ server: Update }>): Promise<Reply> {
  const server = await authorizedServer(nova, rq, 'servers:update')
  const wish = rq.body.server
  const patch: Partial<ServerRow> = { updated_at: nova.world.clock.now() }
  if (wish.name !== undefined) patch.name = wish.name
  if (wish.accessIPv4 !== undefined) patch.access_ip_v4 = wish.accessIPv4 || null
  if (wish.accessIPv6 !== undefined) patch.access_ip_v6 = accessAddress6(wish.accessIPv6)
  if (wish['OS-DCF:diskConfig'] !== undefined) patch.auto_disk_config = wish['OS-DCF:diskConfig'] === 'AUTO' ? 1 : 0
  if (wish.description !== undefined) patch.description = wish.description
  if (wish.hostname !== undefined) patch.hostname = wish.hostname
  if (wish.pinned_availability_zone !== undefined) {
    const zone = wish.pinned_availability_zone
    if (zone !== null && server.availability_zone !== null && zone !== server.availability_zone) throw invalid(`The server stands in zone ${server.availability_zone} and can be pinned to that one only.`, { field: 'pinned_availability_zone' })
    patch.pinned_az = zone
  }
  await patchServer(nova.db, server.id, patch)
  return serverReply(nova, rq, { ...server, ...patch }, 'update')
}

async function remove(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const server = await authorizedServer(nova, rq, 'servers:delete')
  const soft = nova.config.reclaim_instance_interval > 0 && server.launched_at !== null && server.vm_state !== 'soft-delete' && server.vm_state !== 'error'
  if (soft) await softDelete(nova, rq, server)
  else await deleteNow(nova, rq, server, 'delete')
  return {}
}

/** Delete is legal in every state and wins: what is under way is cancelled, and its flow waits for its end. Twice is once. */
export async function deleteNow(nova: Nova, rq: Rq<unknown>, server: ServerRow, action: 'delete' | 'forceDelete'): Promise<void> {
  assertMay(action, server, isAdmin(rq))
  if (server.task_state === 'deleting') return
  await nova.db.transaction(async (tx) => {
    // Whatever state it is in, and whoever else writes it now: taken by the row, it stays as it is until the end.
    const now = await takenServer(tx, server.id)
    if (!now || now.deleted === 1 || now.task_state === 'deleting') return
    if (!(await moveServer(nova, tx, server.id, { task_state: now.task_state }, { task_state: 'deleting', progress: 0 }))) return
    const work = await recordAction(nova, tx, rq, server.id, action, 'compute_terminate_instance')
    await nova.engine.cancel(tx.as<unknown>(), 'server', server.id)
    await nova.engine.start(tx.as<unknown>(), nova.flows.deleteServer, work, { resource_kind: 'server', resource_id: server.id, project_id: server.project_id })
  }, GUARDED)
}

async function softDelete(nova: Nova, rq: Rq<unknown>, server: ServerRow): Promise<void> {
  assertMay('softDelete', server, isAdmin(rq))
  const own = JSON.parse(server.private) as ServerPrivate
  const soft_deleted_at = nova.world.clock.now()
  await nova.db.transaction(async (tx) => {
    await nova.engine.cancel(tx.as<unknown>(), 'server', server.id)
    await moveServer(nova, tx, server.id, {}, { task_state: 'soft-deleting', private: JSON.stringify({ ...own, soft_deleted_at, old_vm_state: server.vm_state }) })
    const work = await recordAction(nova, tx, rq, server.id, 'delete', 'compute_soft_delete_instance')
    await nova.engine.start(tx.as<unknown>(), nova.flows.softDeleteServer, work, { resource_kind: 'server', resource_id: server.id, project_id: server.project_id })
  })
}
