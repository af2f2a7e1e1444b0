/** What the workers do by the clock: they say that they live, end what has outlived its time, and forget what is long gone. */
import { isFault } from '#base/fault.ts'
import { type FlowTables, liveFlowsOf } from '#base/flow/journal.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Nova } from '../house.ts'
import { showImage } from '#glance/contract/images.ts'
import { insertAction } from '../store/actions.ts'
import { begunImages, forgetBegunImage } from '../store/begun-images.ts'
import { unconnectedDevices } from '../store/block-devices.ts'
import { insertService, patchService, serviceOf } from '../store/computes.ts'
import { dropConsoleTokens } from '../store/console-tokens.ts'
import { failedMoves, movesInState, patchMigration } from '../store/server-migrations.ts'
import { purgeServers, serverById, serversInState } from '../store/servers.ts'
import type { NovaTables, ServerPrivate, ServerRow } from '../store/tables.ts'
import { release, returnClaim } from './claims.ts'
import { dropImage } from './snapshot-server.ts'
import { letStraysOf } from './moving-volumes.ts'
import { moveServer, type ServerWork } from './state.ts'
import { forgetVolume } from './volumes.ts'

export function housekeeping(nova: Nova, host: string): { beat(): Promise<void>; round(): Promise<void> } {
  return {
    async beat() {
      for (const binary of ['nova-scheduler', 'nova-conductor']) await beatOwn(nova, host, binary)
    },
    async round() {
      const now = nova.world.clock.now()
      for (const work of [reclaim, offloadShelved, settleResizes, returnClaims, forgetHalfAttached, dropOrphanedImages]) {
        await work(nova, now).catch((thrown: unknown) => nova.world.log.module('nova.housekeeping').error('Failed in a round of housekeeping', { work: work.name, error: thrown }))
      }
      await dropConsoleTokens(nova.db, { expired_at: now })
      await purgeServers(nova.db, now - nova.config.keep_deleted)
    },
  }
}

async function beatOwn(nova: Nova, host: string, binary: string): Promise<void> {
  const now = nova.world.clock.now()
  const known = await serviceOf(nova.db, host, binary)
  if (known) return patchService(nova.db, known.id, { last_seen_at: now })
  await nova.db
    .transaction((tx) => insertService(tx, { uuid: nova.world.random.uuid(), host, binary, topic: binary.slice('nova-'.length), disabled: 0, disabled_reason: null, forced_down: 0, last_seen_at: now, created_at: now, updated_at: now }))
    .catch((thrown: unknown) => {
      // Another process of this host was faster, or took the number: the next beat settles it.
      if (!isDuplicate(nova.db.engine, thrown)) throw thrown
    })
}

/** Soft-deleted servers whose grace is over are deleted. */
async function reclaim(nova: Nova, now: number): Promise<void> {
  const interval = nova.config.reclaim_instance_interval * 1_000
  if (interval === 0) return
  for (const server of await serversInState(nova.db, 'soft-delete', 100)) {
    const { soft_deleted_at } = JSON.parse(server.private) as ServerPrivate
    if ((soft_deleted_at ?? server.updated_at) + interval > now) continue
    await beginOwn(nova, server, 'deleting', 'delete', 'compute_terminate_instance', async (tx, work) => void (await nova.engine.start(tx, nova.flows.deleteServer, work, { resource_kind: 'server', resource_id: server.id, project_id: server.project_id })))
  }
}

/** What failed half-way waits this long before it is begun again. */
const AGAIN = 60_000

/** Shelved servers whose time on their host is over, and those that failed to leave it. One on a host that is down waits for it. */
async function offloadShelved(nova: Nova, now: number): Promise<void> {
  const wait = nova.config.shelved_offload_time * 1_000
  if (wait < 0) return
  for (const server of await serversInState(nova.db, 'shelved', 100)) {
    const { shelved_at } = JSON.parse(server.private) as ServerPrivate
    if (Math.max((shelved_at ?? server.updated_at) + wait, wait === 0 ? server.updated_at + AGAIN : 0) > now || !(await isUp(nova, server.host_id))) continue
    await beginOwn(nova, server, 'shelving_offloading', 'shelveOffload', 'compute_shelve_offload_instance', async (tx, work) => void (await nova.engine.start(tx, nova.flows.offloadServer, work, { resource_kind: 'server', resource_id: server.id, project_id: server.project_id })))
  }
}

/** Resizes that nobody confirmed in time are confirmed; those whose settling failed half-way are settled. */
async function settleResizes(nova: Nova, now: number): Promise<void> {
  const window = nova.config.resize_confirm_window * 1_000
  const due = [...(window > 0 ? await movesInState(nova.db, ['finished'], now - window) : []), ...(await movesInState(nova.db, ['confirming', 'reverting'], now - AGAIN))]
  for (const move of due) {
    const server = await serverById(nova.db, move.server_id)
    if (!server || server.vm_state !== 'resized' || server.task_state !== null || !(await isUp(nova, move.source_host_id))) continue
    const revert = move.status === 'reverting'
    await beginOwn(nova, server, revert ? 'resize_reverting' : 'resize_confirming', revert ? 'revertResize' : 'confirmResize', revert ? 'compute_revert_resize' : 'compute_confirm_resize', async (tx, work) => {
      await patchMigration(tx.as<NovaTables>(), move.uuid, { status: revert ? 'reverting' : 'confirming', updated_at: now })
      await nova.engine.start(tx, revert ? nova.flows.revertResize : nova.flows.confirmResize, { ...work, migration: move.uuid }, { resource_kind: 'server', resource_id: server.id, project_id: server.project_id })
    })
  }
}

/** Claims that a move which failed could not give back. */
async function returnClaims(nova: Nova, now: number): Promise<void> {
  for (const move of await failedMoves(nova.db, now - AGAIN)) {
    const server = await serverById(nova.db, move.server_id)
    if (server && server.deleted === 0 && server.task_state !== null) continue
    if (server?.deleted === 0 && server.vm_state !== 'resized' && server.host_id === move.source_host_id) await returnClaim(nova, server.id, move.uuid, { project_id: server.project_id, user_id: server.user_id })
    else await release(nova, move.uuid)
    await patchMigration(nova.db, move.uuid, { buried: 1 })
  }
}

/** A volume that was held for a server by a process that died before the work began: let go. Of a server on no host volumes have no connection. */
async function forgetHalfAttached(nova: Nova, now: number): Promise<void> {
  for (const device of await unconnectedDevices(nova.db, now - DAY, now - HALF_ATTACHED)) {
    if ((await liveFlowsOf(nova.db.as<FlowTables>(), 'server', device.server_id)).length > 0) continue
    nova.world.log.module('nova.housekeeping').warn('Let a volume go that was held for a server and never attached', { server: device.server_id, volume_id: device.volume_id })
    await forgetVolume(nova, device)
    await letStraysOf(nova, device.server_id, device.volume_id!)
  }
}

/** An image of a server that no flow ever took up: it would wait for its bytes for ever. */
async function dropOrphanedImages(nova: Nova, now: number): Promise<void> {
  for (const { image_id, server_id } of await begunImages(nova.db, now - HALF_ATTACHED)) {
    if ((await liveFlowsOf(nova.db.as<FlowTables>(), 'server', server_id)).length > 0) continue
    const image = await nova.client.call(await nova.service(), 'glance', showImage, { params: { image_id } }).catch((thrown: unknown) => {
      if (!isFault(thrown, 'not_found')) throw thrown
      return undefined
    })
    if (image?.status === 'queued') {
      nova.world.log.module('nova.housekeeping').warn('Dropped an image that was begun of a server and never written', { server: server_id, image_id })
      await dropImage(nova, image_id)
    }
    await forgetBegunImage(nova.db, image_id)
  }
}

/** Milliseconds after which nobody works on it any more: no request lives so long. */
const HALF_ATTACHED = 600_000
const DAY = 86_400_000

async function isUp(nova: Nova, hostId: string | null): Promise<boolean> {
  return hostId !== null && (await nova.hosts.byId(hostId))?.up === true
}

/** Begins work that nobody asked for just now, under a request id of its own. */
export async function beginOwn(nova: Nova, server: ServerRow, lock: string, action: string, event: string, start: (tx: Parameters<Nova['engine']['start']>[0], work: ServerWork) => Promise<void>): Promise<boolean> {
  const started_at = nova.world.clock.now()
  const work: ServerWork = { server_id: server.id, action_id: nova.world.random.uuid(), event, started_at }
  return nova.db.transaction(async (tx) => {
    if (!(await moveServer(nova, tx, server.id, { vm_state: server.vm_state, task_state: null }, { task_state: lock }))) return false
    await insertAction(tx, { id: work.action_id, server_id: server.id, action, request_id: `req-${nova.world.random.uuid()}`, user_id: server.user_id, project_id: server.project_id, message: null, events: '[]', started_at, updated_at: started_at })
    await start(tx.as<unknown>(), work)
    return true
  })
}
