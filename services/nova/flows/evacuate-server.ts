/**
 * evacuate-server: the host is dead, the server is brought about on another one from its image or its volumes. The migration keeps the claim
 * on the dead host, and is the tombstone by which its agent ends the old guest when it comes back (S15).
 */
import { isFault } from '#base/fault.ts'
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { patchMigration } from '../store/server-migrations.ts'
import type { BlockDeviceRow, FlavorSnapshot, NicInfo } from '../store/tables.ts'
import { type Owner, returnClaim } from './claims.ts'
import { callCompute } from './computes.ts'
import { guestWish } from './guest.ts'
import { adoptAttachments, connectElsewhere, letStraysGo } from './moving-volumes.ts'
import { awaitWires, rebindPorts } from './ports.ts'
import { claimElsewhere } from './claim-elsewhere.ts'
import type { Place } from './scheduling.ts'
import { letGo, liveServer, moveServer, type ServerWork, settle } from './state.ts'

export interface EvacuateServer extends ServerWork {
  migration: string
  source_host_id: string
  owner: Owner
  /** How it ends: from 2.95 always stopped. */
  power: 'running' | 'shutdown'
  was: string
  zone?: string
  requested_host?: string
  force_host?: string
  admin_pass?: string
}

const LOCKS = ['rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning'] as const

export const evacuateServerFlow = (nova: Nova): Flow<EvacuateServer> =>
  defineFlow<EvacuateServer>(
    'evacuate-server',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        await patchMigration(nova.db, p.migration, { status: 'failed', updated_at: nova.world.clock.now() })
        await letGo(nova, p, LOCKS, fault, cancelled, { vm_state: 'error' })
      },
    },
    async (f, p) => {
      const place = await f.step(
        'claim',
        async (signal) => {
          const at = await claimElsewhere(nova, p, p.source_host_id, signal)
          await patchMigration(nova.db, p.migration, { status: 'pre-migrating', dest_compute: at.host, dest_node: at.node, dest_host_id: at.host_id, dest_host: at.host_ip, updated_at: nova.world.clock.now() })
          return at
        },
        () => returnClaim(nova, p.server_id, p.migration, p.owner),
      )
      const built = await f.step(
        'build',
        (signal) => build(nova, p, place, signal),
        () => unbuild(nova, p, place),
      )
      await f.step('settle', async () => {
        const now = nova.world.clock.now()
        const running = built.power_state === 'running'
        await settle(
          nova, f, p, LOCKS,
          { vm_state: running ? 'active' : 'stopped', power_state: POWER_NUMBER[built.power_state], host: place.host, node: place.node, host_id: place.host_id, availability_zone: place.zone, network_info: JSON.stringify(built.nics), launched_at: now, fault: null },
          place.host,
          (tx) => patchMigration(tx, p.migration, { status: 'done', updated_at: now }),
        )
      })
    },
  )

async function build(nova: Nova, p: EvacuateServer, place: Place, signal: AbortSignal) {
  try {
    const server = await liveServer(nova, p.server_id)
    await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'rebuild_spawning' })
    // The dead host's connections are cut first: two hosts must not write to one volume.
    const devices = await takeVolumesTo(nova, server.id, place)
    const { nics, ports } = await rebindPorts(nova, server, place.host)
    await awaitWires(nova, server.id, ports, signal)
    const guest = await guestWish(nova, { server: { ...server, availability_zone: place.zone }, flavor: JSON.parse(server.flavor) as FlavorSnapshot, devices, nics, admin_pass: p.admin_pass })
    const { power_state } = await callCompute(nova, place.host_id, 'ensureGuest', { guest, power: p.power }, { signal })
    return { power_state, nics: nics satisfies NicInfo[] }
  } catch (thrown) {
    if (!signal.aborted || isFault(signal.reason)) await unbuild(nova, p, place).catch((again: unknown) => nova.world.log.module('nova.evacuate').warn('Failed to undo an evacuation', { server: p.server_id, error: again }))
    throw thrown
  }
}

/** Ports and volumes are again where the record says that the server is, so that the host finds them when it comes back, or the next evacuation. */
async function unbuild(nova: Nova, p: EvacuateServer, place: Place): Promise<void> {
  await callCompute(nova, place.host_id, 'ensureNoGuest', { server_id: p.server_id, host_id: place.host_id }, { wait: 0 })
  const server = await liveServer(nova, p.server_id)
  const source = await nova.hosts.byId(p.source_host_id)
  await takeVolumesTo(nova, server.id, { host: server.host ?? '', host_ip: source?.host_ip ?? '' })
  await rebindPorts(nova, server, server.host ?? '').catch((thrown: unknown) => {
    // The agents of a dead host wire nothing: the binding is on record all the same.
    if (!isFault(thrown) || thrown.code !== 'nova.binding_failed') throw thrown
  })
}

async function takeVolumesTo(nova: Nova, serverId: string, place: { host: string; host_ip: string }): Promise<BlockDeviceRow[]> {
  const devices = await connectElsewhere(nova, serverId, await blockDevicesOf(nova.db, serverId), place)
  await adoptAttachments(nova, devices)
  await letStraysGo(nova, serverId, devices)
  return devices
}
