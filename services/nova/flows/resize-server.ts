/**
 * resize-server: a cold move to another size, another host, or both. claim (+) → move (+) → finish. The source keeps its disks and its claim
 * (held by the migration) until the user confirms or reverts.
 */
import { isFault } from '#base/fault.ts'
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { patchMigration } from '../store/server-migrations.ts'
import { patchServer } from '../store/servers.ts'
import type { BlockDeviceRow, FlavorSnapshot, NicInfo, ServerPrivate, ServerRow } from '../store/tables.ts'
import { moveClaim, type Owner, returnClaim } from './claims.ts'
import { callCompute } from './computes.ts'
import { guestWish } from './guest.ts'
import { adoptAttachments, attachmentsOf, connectElsewhere, letStraysGo, returnTo } from './moving-volumes.ts'
import { awaitWires, rebindPorts } from './ports.ts'
import { type Place, placeServer } from './scheduling.ts'
import { letGo, liveServer, moveServer, passengersSeated, type ServerWork, settle } from './state.ts'
import { isOnVolume } from './volumes.ts'

export interface ResizeServer extends ServerWork {
  migration: string
  flavor: FlavorSnapshot
  /** What it was before: `active` or `stopped`. */
  was: string
  source: { host_id: string; host: string; node: string; zone: string }
  owner: Owner
  ignore: string[]
  zone?: string
  requested_host?: string
}

export const RESIZE_LOCKS = ['resize_prep', 'resize_migrating', 'resize_migrated', 'resize_finish'] as const

interface Moved {
  devices: BlockDeviceRow[]
  nics: NicInfo[]
}

export const resizeServerFlow = (nova: Nova): Flow<ResizeServer> =>
  defineFlow<ResizeServer>(
    'resize-server',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        await patchMigration(nova.db, p.migration, { status: 'error', updated_at: nova.world.clock.now() })
        await letGo(nova, p, RESIZE_LOCKS, fault, cancelled, { vm_state: p.was })
      },
    },
    async (f, p) => {
      const place = await f.step(
        'claim',
        async (signal) => {
          await passengersSeated(nova, p.server_id, signal)
          return claimDestination(nova, p)
        },
        () => returnClaim(nova, p.server_id, p.migration, p.owner),
      )
      const same = place.host_id === p.source.host_id
      const moved = await f.step(
        'move',
        (signal) => move(nova, p, place, same, signal),
        () => moveBack(nova, p, place, same),
      )
      await f.step('finish', (signal) => finish(nova, f, p, place, moved, signal))
    },
  )

async function claimDestination(nova: Nova, p: ResizeServer): Promise<Place> {
  const server = await liveServer(nova, p.server_id)
  const devices = await blockDevicesOf(nova.db, server.id)
  const place = await placeServer(nova, { server, flavor: p.flavor, on_volume: isOnVolume(devices), ignore: p.ignore, zone: p.zone, requested_host: p.requested_host }, (_at, allocations) => moveClaim(nova, server.id, p.migration, server, allocations))
  await patchMigration(nova.db, p.migration, { status: 'pre-migrating', dest_compute: place.host, dest_node: place.node, dest_host_id: place.host_id, dest_host: place.host_ip, updated_at: nova.world.clock.now() })
  return place
}

async function move(nova: Nova, p: ResizeServer, place: Place, same: boolean, signal: AbortSignal): Promise<Moved> {
  const server = await liveServer(nova, p.server_id)
  await moveServer(nova, nova.db, server.id, { task_state: RESIZE_LOCKS }, { task_state: 'resize_migrating' })
  await patchMigration(nova.db, p.migration, { status: 'migrating', updated_at: nova.world.clock.now() })
  const before = await blockDevicesOf(nova.db, server.id)
  let moved: Moved = { devices: before, nics: JSON.parse(server.network_info) as NicInfo[] }
  try {
    if (same) {
      const guest = await guestWish(nova, { server, flavor: p.flavor, devices: before, nics: moved.nics })
      await callCompute(nova, place.host_id, 'ensureResized', { guest, resize_id: p.migration }, { signal })
      return moved
    }
    await callCompute(nova, p.source.host_id, 'powerOff', { server_id: server.id, soft_timeout: 60_000 }, { signal })
    moved = { ...moved, devices: await connectElsewhere(nova, server.id, before, place) }
    const bound = await rebindPorts(nova, server, place.host)
    moved = { ...moved, nics: bound.nics }
    await awaitWires(nova, server.id, bound.ports, signal)
    const guest = await guestWish(nova, { server: { ...server, availability_zone: place.zone }, flavor: p.flavor, devices: moved.devices, nics: moved.nics })
    await callCompute(nova, place.host_id, 'ensureGuest', { guest, power: 'shutdown', disks: { from_host_id: p.source.host_id } }, { signal })
    return moved
  } catch (thrown) {
    // When this process ends, the next owner goes on from what is there.
    if (!signal.aborted || isFault(signal.reason)) await moveBack(nova, p, place, same).catch((again: unknown) => nova.world.log.module('nova.resize').warn('Failed to bring a server back', { server: p.server_id, error: again }))
    throw thrown
  }
}

async function moveBack(nova: Nova, p: ResizeServer, place: Place, same: boolean): Promise<void> {
  const about = { server_id: p.server_id }
  if (same) await callCompute(nova, place.host_id, 'revertResize', about)
  else {
    await callCompute(nova, place.host_id, 'ensureNoGuest', { ...about, host_id: place.host_id })
    const server = await liveServer(nova, p.server_id)
    const { old_attachments: old, old_vm_state: _was, ...own } = JSON.parse(server.private) as ServerPrivate
    if (old !== undefined) {
      await returnTo(nova, await blockDevicesOf(nova.db, server.id), old, { host: p.source.host, host_ip: (await nova.hosts.byId(p.source.host_id))?.host_ip ?? '' })
      await patchServer(nova.db, server.id, { private: JSON.stringify(own) })
    }
    await letStraysGo(nova, server.id, await blockDevicesOf(nova.db, server.id))
    const { nics } = await rebindPorts(nova, server, p.source.host)
    await patchServer(nova.db, server.id, { network_info: JSON.stringify(nics) })
  }
  if (p.was === 'active') await callCompute(nova, p.source.host_id, 'powerOn', about)
}

async function finish(nova: Nova, f: FlowRun, p: ResizeServer, place: Place, moved: Moved, signal: AbortSignal): Promise<void> {
  const server = await liveServer(nova, p.server_id)
  if (server.vm_state === 'resized') return
  await moveServer(nova, nova.db, server.id, { task_state: RESIZE_LOCKS }, { task_state: 'resize_finish' })
  const { power_state } = p.was === 'active' ? await callCompute(nova, place.host_id, 'powerOn', { server_id: server.id }, { signal }) : { power_state: 'shutdown' as const }
  const old = attachmentsOf(await blockDevicesOf(nova.db, server.id))
  const fresh = attachmentsOf(moved.devices)
  const changed = Object.fromEntries(Object.entries(old).filter(([device, attachment]) => fresh[device] !== attachment))
  const own: ServerPrivate = { ...(JSON.parse(server.private) as ServerPrivate), old_vm_state: p.was, ...(Object.keys(changed).length > 0 ? { old_attachments: changed } : {}) }
  await patchServer(nova.db, server.id, { private: JSON.stringify(own) })
  if (Object.keys(changed).length > 0) await adoptAttachments(nova, moved.devices)
  const now = nova.world.clock.now()
  const patch: Partial<ServerRow> = {
    vm_state: 'resized', power_state: POWER_NUMBER[power_state], host: place.host, node: place.node, host_id: place.host_id, availability_zone: place.zone, network_info: JSON.stringify(moved.nics),
    flavor: JSON.stringify(p.flavor), flavor_id: p.flavor.flavorid, vcpus: p.flavor.vcpus, memory_mb: p.flavor.memory_mb, launched_at: now, progress: 100,
  }
  await settle(nova, f, p, RESIZE_LOCKS, patch, place.host, (tx) => patchMigration(tx, p.migration, { status: 'finished', updated_at: now }))
}
