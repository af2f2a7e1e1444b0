/**
 * delete-server: end what else is under way → guest → ports, volumes, claim → gone. Legal in every state and never undone. A host that does
 * not answer does not hold it up: the deleted row is the tombstone by which its agent ends the guest later (S1, S15).
 */
import { isFault } from '#base/fault.ts'
import type { Tx } from '#base/sql/database.ts'
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import { deleteImage } from '#glance/contract/images.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf, deleteBlockDevicesOf } from '../store/block-devices.ts'
import { dropConsoleTokens } from '../store/console-tokens.ts'
import { migrationsOfServer, patchMigration } from '../store/server-migrations.ts'
import { serverById } from '../store/servers.ts'
import type { NicInfo, NovaTables, ServerPrivate } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { release } from './claims.ts'
import { releasePorts } from './ports.ts'
import { letGo, liveServer, type ServerWork, settle } from './state.ts'
import { isVolume, releaseVolumes } from './volumes.ts'

/** Moves that hold a claim or a guest on another host. */
const OPEN_MIGRATIONS = ['queued', 'preparing', 'accepted', 'pre-migrating', 'migrating', 'running', 'post-migrating', 'finished', 'confirming', 'reverting', 'done', 'error', 'failed']
const SETTLING = ['finished', 'confirming', 'reverting']

export const deleteServerFlow = (nova: Nova): Flow<ServerWork> =>
  defineFlow<ServerWork>(
    'delete-server',
    {
      deadline: nova.config.action_deadline,
      // Past the deadline the user may delete again; what was released stays released.
      failed: (p, fault, cancelled) => letGo(nova, p, ['deleting', 'soft-deleting'], fault, cancelled, { vm_state: 'error' }),
    },
    async (f, p) => {
      await f.step('quiet', (signal) => nova.engine.idle('server', p.server_id, f.id, signal))
      const buried = await f.step('guest', (signal) => endGuest(nova, p.server_id, signal))
      await f.step('release', (signal) => releaseAll(nova, p.server_id, signal))
      await f.step('gone', () => gone(nova, f, p, buried))
    },
  )

/** True when no guest of the server is left anywhere. */
async function endGuest(nova: Nova, serverId: string, signal: AbortSignal): Promise<boolean> {
  const server = await liveServer(nova, serverId)
  const hosts = new Set<string>()
  if (server.host_id !== null) hosts.add(server.host_id)
  for (const move of await migrationsOfServer(nova.db, serverId, { statuses: OPEN_MIGRATIONS })) {
    hosts.add(move.source_host_id)
    if (move.dest_host_id !== null) hosts.add(move.dest_host_id)
  }
  let all = true
  for (const host of hosts) all = (await endGuestOn(nova, serverId, host, signal)) && all
  return all
}

async function endGuestOn(nova: Nova, serverId: string, hostId: string, signal: AbortSignal): Promise<boolean> {
  const state = await nova.hosts.byId(hostId)
  if (!state?.up) {
    nova.world.log.module('nova.delete').warn('Left a guest to its host, which is down', { server: serverId, host_id: hostId })
    return false
  }
  try {
    await callCompute(nova, hostId, 'ensureNoGuest', { server_id: serverId, host_id: hostId }, { signal })
    return true
  } catch (thrown) {
    signal.throwIfAborted()
    if (!isFault(thrown) || thrown.code !== 'nova.host_silent') throw thrown
    return false
  }
}

/** Other houses may be away for a moment: what they did not release is asked for again until the deadline. */
async function releaseAll(nova: Nova, serverId: string, signal: AbortSignal): Promise<void> {
  const server = await liveServer(nova, serverId)
  const devices = await blockDevicesOf(nova.db, serverId)
  const own = JSON.parse(server.private) as ServerPrivate
  const moves = await migrationsOfServer(nova.db, serverId, { statuses: OPEN_MIGRATIONS })
  await Promise.all([
    persist(nova, signal, () => releasePorts(nova, serverId, JSON.parse(server.network_info) as NicInfo[])),
    ...(devices.some(isVolume) || own.old_attachments !== undefined ? [persist(nova, signal, () => releaseVolumes(nova, serverId, devices))] : []),
    persist(nova, signal, () => release(nova, serverId)),
    ...moves.map((move) => persist(nova, signal, () => release(nova, move.uuid))),
    ...(own.shelved_image_id !== undefined ? [persist(nova, signal, () => dropImage(nova, own.shelved_image_id!))] : []),
  ])
}

async function dropImage(nova: Nova, imageId: string): Promise<void> {
  await nova.client.call(await nova.service(), 'glance', deleteImage, { params: { image_id: imageId } }).catch((thrown: unknown) => {
    // One that its owner protected or uses stays.
    if (!isFault(thrown, 'not_found') && !isFault(thrown, 'forbidden') && !isFault(thrown, 'conflict')) throw thrown
  })
}

export async function persist<T>(nova: Nova, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let wait = 250; ; wait = Math.min(15_000, wait * 2)) {
    try {
      return await work()
    } catch (thrown) {
      signal.throwIfAborted()
      if (isFault(thrown) && !['unavailable', 'timeout', 'internal'].includes(thrown.kind)) throw thrown
      nova.world.log.module('nova.delete').warn('Failed to release something and tries again', { error: thrown })
      await nova.world.clock.sleep(wait, signal)
    }
  }
}

async function gone(nova: Nova, f: FlowRun, p: ServerWork, buried: boolean): Promise<void> {
  const now = nova.world.clock.now()
  const server = await serverById(nova.db, p.server_id)
  if (!server || server.deleted === 1) return
  const forget = async (tx: Tx<NovaTables>): Promise<void> => {
    await deleteBlockDevicesOf(tx, p.server_id)
    await dropConsoleTokens(tx, { server_id: p.server_id })
    for (const move of server.vm_state === 'resized' ? await migrationsOfServer(tx, p.server_id, { statuses: SETTLING }) : []) await patchMigration(tx, move.uuid, { status: 'confirmed', updated_at: now })
  }
  await settle(nova, f, p, ['deleting', 'soft-deleting'], { vm_state: 'deleted', deleted: 1, buried: buried ? 1 : 0, terminated_at: now, power_state: 0 }, server.host, forget)
}
