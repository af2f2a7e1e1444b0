/** Moves of one server that are under way, and (administrators) all moves there were. */
import { isoMicros } from '#base/clock.ts'
import { invalid, notFound, type Fault } from '#base/fault.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { assertMay } from '../core/states.ts'
import { callCompute } from '../flows/computes.ts'
import type { Nova } from '../house.ts'
import { listMigrations, migrationById, type MigrationQuery, migrationsOfServer, patchMigration } from '../store/server-migrations.ts'
import type { FlavorSnapshot, MigrationRow, ServerRow } from '../store/tables.ts'
import { nextLink } from './links.ts'
import { instantOf, limitOf } from './paging.ts'
import { bare } from './schemas.ts'
import { authorizedServer, isAdmin, recordDone } from './server-steps.ts'

const UNDER_WAY = ['queued', 'preparing', 'running', 'post-migrating', 'pre-migrating', 'migrating', 'accepted']
const progress = { memory_total_bytes: null, memory_processed_bytes: null, memory_remaining_bytes: null, disk_total_bytes: null, disk_processed_bytes: null, disk_remaining_bytes: null }

export function migrationRoutes(nova: Nova): Route[] {
  const one = '/v2.1/servers/{server_id}/migrations/{migration_id}'
  return [
    route({
      method: 'GET', path: '/v2.1/servers/{server_id}/migrations', name: 'server-migrations.index', since: v('2.23'), status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'servers:migrations:index')
        const rows = await migrationsOfServer(nova.db, server.id, { statuses: UNDER_WAY, type: 'live-migration' })
        return { json: { migrations: await Promise.all(rows.map((row) => liveView(nova, rq, row))) } }
      },
    }),
    route({
      method: 'GET', path: one, name: 'server-migrations.show', since: v('2.23'), status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'servers:migrations:show')
        return { json: { migration: await liveView(nova, rq, await liveMigration(nova, rq, server)) } }
      },
    }),
    route({
      method: 'DELETE', path: one, name: 'server-migrations.delete', since: v('2.24'), status: 202,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'servers:migrations:delete')
        const row = await liveMigration(nova, rq, server)
        assertMay('abortMigration', server, isAdmin(rq))
        const abortable = rq.version >= v('2.65') ? ['running', 'queued', 'preparing'] : ['running']
        if (!abortable.includes(row.status)) throw invalid(`Cannot cancel migration ${row.id} for instance ${server.id}: it is in status ${row.status}, not one of ${abortable.join(', ')}.`)
        await patchMigration(nova.db, row.uuid, { status: 'cancelled', updated_at: nova.world.clock.now() })
        await callCompute(nova, row.source_host_id, 'abortMigration', { server_id: server.id }, { wait: 0 })
        await nova.db.transaction((tx) => recordDone(nova, tx, rq, server.id, 'live_migration_cancel'))
        return {}
      },
    }),
    route({
      method: 'POST', path: `${one}/action`, action: 'force_complete', name: 'server-migrations.force_complete', since: v('2.22'), status: 202, body: bare('force_complete'),
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'servers:migrations:force_complete')
        const row = await liveMigration(nova, rq, server)
        assertMay('forceComplete', server, isAdmin(rq))
        if (row.status !== 'running') throw invalid(`Migration ${row.id} state of instance ${server.id} is ${row.status}. Cannot force_complete while the migration is in this state.`)
        await callCompute(nova, row.source_host_id, 'forceMigration', { server_id: server.id }, { wait: 0 })
        await nova.db.transaction((tx) => recordDone(nova, tx, rq, server.id, 'live_migration_force_complete'))
        return {}
      },
    }),
    route({ method: 'GET', path: '/v2.1/os-migrations', name: 'migrations.index', policy: 'os_compute_api:os-migrations:index', status: 200, handle: (rq) => list(nova, rq) }),
  ]
}

async function liveMigration(nova: Nova, rq: Rq<unknown>, server: ServerRow): Promise<MigrationRow> {
  const id = rq.params.migration_id!
  const gone = (): Fault => notFound(`Migration ${id} not found for instance ${server.id}`)
  if (!/^\d+$/.test(id)) throw gone()
  const row = await migrationById(nova.db, server.id, Number(id))
  if (!row || row.migration_type !== 'live-migration' || !UNDER_WAY.includes(row.status)) throw gone()
  return row
}

async function liveView(nova: Nova, rq: Rq<unknown>, row: MigrationRow): Promise<Record<string, unknown>> {
  const seen = row.status === 'running' ? await callCompute(nova, row.source_host_id, 'migrationProgress', { server_id: row.server_id }, { wait: 0 }).catch(() => undefined) : undefined
  const numbers = seen ? { memory_total_bytes: seen.memory_total, memory_processed_bytes: seen.memory_processed, memory_remaining_bytes: seen.memory_remaining, disk_total_bytes: seen.disk_total, disk_processed_bytes: seen.disk_processed, disk_remaining_bytes: seen.disk_remaining } : progress
  const hosts = rq.allows('os_compute_api:servers:migrations:index:host')
  return {
    id: row.id, server_uuid: row.server_id, status: row.status, created_at: isoMicros(row.created_at), updated_at: isoMicros(row.updated_at), ...numbers,
    ...(hosts ? { source_compute: row.source_compute, source_node: row.source_node, dest_compute: row.dest_compute, dest_host: row.dest_host, dest_node: row.dest_node } : {}),
    ...(rq.version >= v('2.59') ? { uuid: row.uuid } : {}),
    ...(rq.version >= v('2.80') ? { user_id: row.user_id, project_id: row.project_id } : {}),
  }
}

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const { query, version } = rq
  const paged = version >= v('2.59')
  const text = (name: string): string | undefined => query.get(name) ?? undefined
  const wanted: MigrationQuery = {}
  for (const name of ['host', 'source_compute', 'status', 'migration_type', 'instance_uuid'] as const) {
    const value = text(name)
    if (value !== undefined) wanted[name] = value
  }
  if (version >= v('2.80')) {
    for (const name of ['user_id', 'project_id'] as const) {
      const value = text(name)
      if (value !== undefined) wanted[name] = value
    }
  }
  if (!rq.allows('os_compute_api:os-migrations:index:all_projects')) wanted.project_id = rq.context.project_id ?? ''
  const since = paged ? instantOf(query, 'changes-since') : undefined
  const before = version >= v('2.66') ? instantOf(query, 'changes-before') : undefined
  const limit = paged ? limitOf(query, nova.config.max_limit) : nova.config.max_limit
  const marker = paged ? text('marker') : undefined
  const rows = limit === 0 ? [] : await listMigrations(nova.db, { ...wanted, limit: limit + 1, ...(since === undefined ? {} : { since }), ...(before === undefined ? {} : { before }), ...(marker === undefined ? {} : { marker }) })
  if (!rows) throw invalid(`Marker ${marker} could not be found.`, { field: 'marker' })
  const page = rows.slice(0, limit)
  const hosts = rq.allows('os_compute_api:os-migrations:index:host')
  return { json: { migrations: page.map((row) => listed(rq, row, hosts)), ...(paged && rows.length > limit ? { migrations_links: nextLink(rq, page.at(-1)!.uuid) } : {}) } }
}

function listed(rq: Rq<unknown>, row: MigrationRow, hosts: boolean): Record<string, unknown> {
  const flavorId = (json: string | null): string | null => (json === null ? null : (JSON.parse(json) as FlavorSnapshot).flavorid)
  const number = (id: string | null): number => (id !== null && /^\d+$/.test(id) ? Number(id) : 0)
  const live = row.migration_type === 'live-migration' && UNDER_WAY.includes(row.status)
  return {
    id: row.id, instance_uuid: row.server_id, status: row.status, new_instance_type_id: number(flavorId(row.new_flavor)), old_instance_type_id: number(flavorId(row.old_flavor)), created_at: isoMicros(row.created_at), updated_at: isoMicros(row.updated_at),
    ...(hosts ? { source_compute: row.source_compute, source_node: row.source_node, dest_compute: row.dest_compute, dest_host: row.dest_host, dest_node: row.dest_node } : {}),
    ...(rq.version >= v('2.23') ? { migration_type: row.migration_type, ...(live ? { links: [{ rel: 'self', href: `${rq.base}/v2.1/servers/${row.server_id}/migrations/${row.id}` }, { rel: 'bookmark', href: `${rq.base}/servers/${row.server_id}/migrations/${row.id}` }] } : {}) } : {}),
    ...(rq.version >= v('2.59') ? { uuid: row.uuid } : {}),
    ...(rq.version >= v('2.80') ? { user_id: row.user_id, project_id: row.project_id } : {}),
  }
}
