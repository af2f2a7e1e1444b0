/** Actions that give a server another size or another host: resize, confirm, revert, migrate, live migration, evacuation. */
import { conflict, invalid } from '#base/fault.ts'
import type { Tx } from '#base/sql/database.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Schema } from '#stack/schema.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { type ApiVersion, byVersion, v } from '#stack/version.ts'
import { newPassword } from '../core/passwords.ts'
import { assertWithin } from '../core/quotas.ts'
import type { HostState } from '../core/scheduler/types.ts'
import { assertMay } from '../core/states.ts'
import type { ServerWork } from '../flows/state.ts'
import { isOnVolume } from '../flows/volumes.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { limitsOf } from '../store/quotas.ts'
import { insertMigration, migrationsOfServer, patchMigration } from '../store/server-migrations.ts'
import { nextNumber, usageOf } from '../store/servers.ts'
import type { FlavorSnapshot, MigrationRow, NovaTables, ServerRow } from '../store/tables.ts'
import { adminPass, diskConfig, envelope, flag, isTrue, object } from './schemas.ts'
import { actionRoute } from './server-actions.ts'
import { snapshotOf, usableFlavor } from './server-create.ts'
import { beginWork, isAdmin, targetOf, type Work } from './server-steps.ts'

const hostName: Schema = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' }
const hostOrNull: Schema = { anyOf: [hostName, { type: 'null' }] }

const resizeSchema = envelope('resize', object({ flavorRef: { type: ['string', 'integer'], minLength: 1 }, 'OS-DCF:diskConfig': diskConfig }, ['flavorRef']))
const migrateSchema = byVersion<Schema>({ '2.1': object({ migrate: {} }, ['migrate']), '2.56': object({ migrate: { anyOf: [{ type: 'null' }, object({ host: hostOrNull })] } }, ['migrate']) })

function liveSchema(version: ApiVersion): Schema {
  const block: Schema = version >= v('2.25') ? { anyOf: [flag, { const: 'auto' }] } : flag
  const fields = { host: hostOrNull, block_migration: block, ...(version >= v('2.25') ? {} : { disk_over_commit: flag }), ...(version >= v('2.30') && version < v('2.68') ? { force: flag } : {}) }
  return envelope('os-migrateLive', object(fields, version >= v('2.25') ? ['block_migration', 'host'] : ['block_migration', 'disk_over_commit', 'host']))
}

function evacuateSchema(version: ApiVersion): Schema {
  const fields = { host: hostName, adminPass, ...(version < v('2.14') ? { onSharedStorage: flag } : {}), ...(version >= v('2.29') && version < v('2.68') ? { force: flag } : {}) }
  return envelope('evacuate', object(fields, version < v('2.14') ? ['onSharedStorage'] : []))
}

export function serverMoveRoutes(nova: Nova): Route[] {
  return [
    actionRoute<ResizeWish>(nova, { key: 'resize', rule: 'servers:resize', body: resizeSchema }, (rq, server) => resize(nova, rq, server, rq.body)),
    actionRoute<{ host?: string | null } | null>(nova, { key: 'migrate', rule: 'os-migrate-server:migrate', body: migrateSchema }, (rq, server) => migrate(nova, rq, server, (rq.version >= v('2.56') && rq.body?.host) || undefined)),
    actionRoute(nova, { key: 'confirmResize', rule: 'servers:confirm_resize', status: 204 }, (rq, server) => settleMove(nova, rq, server, 'confirmResize')),
    actionRoute(nova, { key: 'revertResize', rule: 'servers:revert_resize' }, (rq, server) => settleMove(nova, rq, server, 'revertResize')),
    actionRoute<{ host: string | null; force?: unknown; block_migration: unknown }>(
      nova,
      { key: 'os-migrateLive', rule: 'os-migrate-server:migrate_live', body: byVersion({ '2.1': liveSchema(v('2.1')), '2.25': liveSchema(v('2.25')), '2.30': liveSchema(v('2.30')), '2.68': liveSchema(v('2.68')) }) },
      (rq, server) => liveMigrate(nova, rq, server, rq.body),
    ),
    actionRoute<{ host?: string; adminPass?: string; force?: unknown; onSharedStorage?: unknown }>(
      nova,
      { key: 'evacuate', rule: 'os-evacuate', status: 200, body: byVersion({ '2.1': evacuateSchema(v('2.1')), '2.14': evacuateSchema(v('2.14')), '2.29': evacuateSchema(v('2.29')), '2.68': evacuateSchema(v('2.68')) }) },
      (rq, server) => evacuate(nova, rq, server, rq.body),
    ),
  ]
}

interface ResizeWish {
  flavorRef: string | number
  'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL'
}

async function resize(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: ResizeWish): Promise<void> {
  assertMay('resize', server, isAdmin(rq))
  const flavor = snapshotOf(await usableFlavor(nova, rq, String(wish.flavorRef)))
  const now = JSON.parse(server.flavor) as FlavorSnapshot
  if (flavor.flavorid === now.flavorid) throw invalid('When resizing, instances must change flavor!', { field: 'flavorRef' })
  const onVolume = isOnVolume(await blockDevicesOf(nova.db, server.id))
  if (!onVolume && flavor.root_gb === 0 && now.root_gb !== 0) throw invalid('Resize to zero disk flavor is not allowed.', { field: 'flavorRef' })
  if (!onVolume && flavor.root_gb > 0 && flavor.root_gb < now.root_gb) throw invalid('Resize to a smaller disk is not possible: a root disk cannot shrink.', { field: 'flavorRef' })
  await beginMove(nova, rq, server, 'resize', 'compute_prep_resize', {
    legal: 'resize', type: 'resize', flavor, ignore: nova.config.allow_resize_to_same_host ? [] : [server.host_id!],
    ...(wish['OS-DCF:diskConfig'] === undefined ? {} : { patch: { auto_disk_config: wish['OS-DCF:diskConfig'] === 'AUTO' ? 1 : 0 } }),
    also: async (tx) => {
      const [limits, used] = await Promise.all([limitsOf(tx, server.project_id, nova.quotas), usageOf(tx, server.project_id)])
      assertWithin([
        { name: 'cores', asked: flavor.vcpus - now.vcpus, used: used.cores, limit: limits.cores },
        { name: 'ram', asked: flavor.memory_mb - now.memory_mb, used: used.ram, limit: limits.ram },
      ])
    },
  })
}

async function migrate(nova: Nova, rq: Rq<unknown>, server: ServerRow, host: string | undefined): Promise<void> {
  if (host !== undefined) {
    rq.authorize('os_compute_api:os-migrate-server:migrate:host', targetOf(server))
    await knownHost(nova, host)
    if (host === server.host) throw invalid(`Host ${host} is the source of the migration.`, { field: 'host' })
  }
  await beginMove(nova, rq, server, 'migrate', 'cold_migrate', { legal: 'migrate', type: 'migration', flavor: JSON.parse(server.flavor) as FlavorSnapshot, ignore: server.host_id === null ? [] : [server.host_id], ...(host === undefined ? {} : { requested_host: host }) })
}

interface Move {
  legal: 'resize' | 'migrate'
  type: 'resize' | 'migration'
  flavor: FlavorSnapshot
  ignore: string[]
  requested_host?: string
  patch?: Partial<ServerRow>
  also?: (tx: Tx<NovaTables>) => Promise<void>
}

async function beginMove(nova: Nova, rq: Rq<unknown>, server: ServerRow, action: string, event: string, { legal, type, flavor, ignore, requested_host, patch, also }: Move): Promise<void> {
  assertMay(legal, server, isAdmin(rq))
  const source = await upHost(nova, server)
  await withMigration(nova, rq, server, type, flavor, {
    action, event, legal, lock: 'resize_prep', flow: nova.flows.resizeServer, ...(patch ? { patch } : {}),
    params: {
      migration: '', flavor, was: server.vm_state, source: { host_id: source.host_id, host: source.host, node: source.node, zone: source.zone }, owner: { project_id: server.project_id, user_id: server.user_id }, ignore,
      ...(server.pinned_az === null ? {} : { zone: server.pinned_az }), ...(requested_host === undefined ? {} : { requested_host }),
    },
    ...(also ? { also } : {}),
  })
}

async function settleMove(nova: Nova, rq: Rq<unknown>, server: ServerRow, which: 'confirmResize' | 'revertResize'): Promise<void> {
  assertMay(which, server, isAdmin(rq))
  const confirm = which === 'confirmResize'
  const [move] = await migrationsOfServer(nova.db, server.id, { statuses: ['finished', 'confirming', 'reverting'] })
  if (!move) throw invalid('Instance has not been resized.')
  const begun = confirm ? 'reverting' : 'confirming'
  if (move.status === begun) throw conflict(`The resize of instance ${server.id} is ${begun} already: that can only be brought to its end.`)
  await beginWork(nova, rq, server, {
    action: which, event: confirm ? 'compute_confirm_resize' : 'compute_revert_resize', legal: which, lock: confirm ? 'resize_confirming' : 'resize_reverting', flow: confirm ? nova.flows.confirmResize : nova.flows.revertResize, params: { migration: move.uuid },
    also: (tx) => patchMigration(tx, move.uuid, { status: confirm ? 'confirming' : 'reverting', updated_at: nova.world.clock.now() }),
  })
}

async function liveMigrate(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: { host: string | null; force?: unknown }): Promise<void> {
  if (wish.host !== null) rq.authorize('os_compute_api:os-migrate-server:migrate_live:host', targetOf(server))
  if (isTrue(wish.force) && wish.host === null) throw invalid("Can't force to a non-provided destination", { field: 'force' })
  assertMay('liveMigrate', server, isAdmin(rq))
  if (server.host_id === null) throw conflict(`Instance ${server.id} is not ready`)
  const source = await upHost(nova, server)
  if (wish.host !== null) {
    await knownHost(nova, wish.host)
    if (wish.host === server.host) throw invalid(`Unable to migrate instance (${server.id}) to current host (${server.host}).`, { field: 'host' })
  }
  // Before 2.30 a named host was taken as it was.
  const forced = wish.host !== null && (isTrue(wish.force) || rq.version < v('2.30'))
  await withMigration(nova, rq, server, 'live-migration', JSON.parse(server.flavor) as FlavorSnapshot, {
    action: 'live-migration', event: 'compute_live_migration', legal: 'liveMigrate', lock: 'migrating', flow: nova.flows.liveMigrateServer,
    params: {
      migration: '', was: server.vm_state, source: { host_id: source.host_id, host: source.host }, owner: { project_id: server.project_id, user_id: server.user_id }, ...(server.pinned_az === null ? {} : { zone: server.pinned_az }),
      ...(wish.host === null ? {} : forced ? { force_host: wish.host } : { requested_host: wish.host }),
    },
  })
}

async function evacuate(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: { host?: string; adminPass?: string; force?: unknown; onSharedStorage?: unknown }): Promise<Reply> {
  assertMay('evacuate', server, isAdmin(rq))
  if (isTrue(wish.force) && wish.host === undefined) throw invalid("Can't force to a non-provided destination", { field: 'force' })
  if (wish.host !== undefined) {
    await knownHost(nova, wish.host)
    if (wish.host === server.host) throw invalid("The target host can't be the same one.", { field: 'host' })
  }
  if (server.host_id === null) throw conflict(`Instance ${server.id} is not ready`)
  // What is remembered of hosts is seconds old; whoever asks has perhaps just seen that this one is down.
  if ((await nova.hosts.byId(server.host_id))?.up) nova.hosts.forget()
  if ((await nova.hosts.byId(server.host_id))?.up) throw invalid(`Compute service of ${server.host} is still in use.`)
  const pass = wish.adminPass ?? newPassword(nova.world.random)
  const stopped = server.vm_state === 'stopped' || rq.version >= v('2.95')
  await withMigration(nova, rq, server, 'evacuation', JSON.parse(server.flavor) as FlavorSnapshot, {
    action: 'evacuate', event: 'compute_rebuild_instance', legal: 'evacuate', lock: 'rebuilding', flow: nova.flows.evacuateServer,
    params: {
      migration: '', source_host_id: server.host_id, owner: { project_id: server.project_id, user_id: server.user_id }, power: stopped ? 'shutdown' : 'running', was: server.vm_state,
      ...(server.pinned_az === null ? {} : { zone: server.pinned_az }),
      ...(wish.host === undefined ? {} : isTrue(wish.force) || rq.version < v('2.29') ? { force_host: wish.host } : { requested_host: wish.host }),
      ...(server.config_drive === '' ? {} : { admin_pass: pass }),
    },
  })
  return rq.version < v('2.14') ? { json: isTrue(wish.onSharedStorage) ? {} : { adminPass: pass } } : {}
}

async function knownHost(nova: Nova, host: string): Promise<HostState> {
  const state = await nova.hosts.byName(host)
  if (!state) throw invalid(`Compute host ${host} could not be found.`, { field: 'host' })
  return state
}

/** The host where the server is; an action that needs its agent makes no sense while it is silent. */
async function upHost(nova: Nova, server: ServerRow): Promise<HostState> {
  const state = server.host_id === null ? undefined : await nova.hosts.byId(server.host_id)
  if (!state) throw conflict(`Instance ${server.id} is not ready`)
  if (!state.up) throw conflict(`The compute service of host ${state.host} is down; evacuate the server or wait.`, { code: 'nova.host_down' })
  return state
}

/** The migration's row and the beginning of its flow, in one transaction. */
async function withMigration<P extends ServerWork & { migration: string }>(nova: Nova, rq: Rq<unknown>, server: ServerRow, migration_type: MigrationRow['migration_type'], flavor: FlavorSnapshot, work: Work<P>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const uuid = nova.world.random.uuid()
    const now = nova.world.clock.now()
    try {
      await beginWork(nova, rq, server, {
        ...work,
        params: { ...work.params, migration: uuid },
        also: async (tx, about) => {
          await work.also?.(tx, about)
          await insertMigration(tx, {
            id: await nextNumber(tx, 'nova_migrations'), uuid, server_id: server.id, migration_type, status: migration_type === 'live-migration' ? 'queued' : 'accepted', source_compute: server.host ?? '', source_node: server.node ?? '', source_host_id: server.host_id ?? '',
            dest_compute: null, dest_node: null, dest_host_id: null, dest_host: null, old_flavor: server.flavor, new_flavor: JSON.stringify(flavor), user_id: rq.context.user_id ?? '', project_id: rq.context.project_id ?? '', buried: 0, created_at: now, updated_at: now,
          })
        },
      })
      return
    } catch (thrown) {
      if (!isDuplicate(nova.db.engine, thrown) || attempt >= 5) throw thrown
    }
  }
}

