/**
 * confirm-resize: the source forgets the server. revert-resize: the destination does, and the source has it again. Once one side has begun to go
 * (`buried`), the way is forward only: a failure leaves the server in VERIFY_RESIZE, and the same may be asked for again, the other not any more. The
 * clock asks, too (`housekeeping.ts`).
 */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { migrationByUuid, patchMigration } from '../store/server-migrations.ts'
import { patchServer } from '../store/servers.ts'
import type { FlavorSnapshot, MigrationRow, ServerPrivate } from '../store/tables.ts'
import { release, returnClaim } from './claims.ts'
import { callCompute } from './computes.ts'
import { guestWish } from './guest.ts'
import { attachmentsOf, letGo as letAttachmentsGo, returnTo } from './moving-volumes.ts'
import { awaitWires, rebindPorts } from './ports.ts'
import { letGo, liveServer, passengersSeated, type ServerWork, settle } from './state.ts'

export interface SettleResize extends ServerWork {
  migration: string
}

async function about(nova: Nova, p: SettleResize): Promise<{ move: MigrationRow; same: boolean }> {
  const move = await migrationByUuid(nova.db, p.migration)
  if (!move) throw new Error(`migration ${p.migration} is gone`)
  return { move, same: move.source_host_id === move.dest_host_id }
}

/** While both sides are whole the user may choose anew. */
async function notBegun(nova: Nova, p: SettleResize): Promise<void> {
  const move = await migrationByUuid(nova.db, p.migration)
  if (move) await patchMigration(nova.db, p.migration, { ...(move.buried === 1 ? {} : { status: 'finished' }), updated_at: nova.world.clock.now() })
}

const withoutMove = (text: string): string => {
  const { old_vm_state: _state, old_attachments: _attachments, ...own } = JSON.parse(text) as ServerPrivate
  return JSON.stringify(own)
}

export const confirmResizeFlow = (nova: Nova): Flow<SettleResize> =>
  defineFlow<SettleResize>(
    'confirm-resize',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        await notBegun(nova, p)
        await letGo(nova, p, ['resize_confirming'], fault, cancelled)
      },
    },
    async (f, p) => {
      await f.step('source', async (signal) => {
        await passengersSeated(nova, p.server_id, signal)
        const { move, same } = await about(nova, p)
        await patchMigration(nova.db, p.migration, { buried: 1 })
        if (same) await callCompute(nova, move.source_host_id, 'confirmResize', { server_id: p.server_id }, { signal })
        else await callCompute(nova, move.source_host_id, 'ensureNoGuest', { server_id: p.server_id, host_id: move.source_host_id }, { signal })
      })
      await f.step('release', async () => {
        const server = await liveServer(nova, p.server_id)
        await letAttachmentsGo(nova, (JSON.parse(server.private) as ServerPrivate).old_attachments ?? {})
        await release(nova, p.migration)
      })
      await f.step('settle', async () => {
        const server = await liveServer(nova, p.server_id)
        const now = nova.world.clock.now()
        const off = server.power_state === POWER_NUMBER.shutdown
        await settle(nova, f, p, ['resize_confirming'], { vm_state: off ? 'stopped' : 'active', progress: 0, private: withoutMove(server.private) }, server.host, (tx) => patchMigration(tx, p.migration, { status: 'confirmed', updated_at: now }))
      })
    },
  )

export const revertResizeFlow = (nova: Nova): Flow<SettleResize> =>
  defineFlow<SettleResize>(
    'revert-resize',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        await notBegun(nova, p)
        await letGo(nova, p, ['resize_reverting'], fault, cancelled)
      },
    },
    async (f, p) => {
      await f.step('destination', async (signal) => {
        await passengersSeated(nova, p.server_id, signal)
        const { move, same } = await about(nova, p)
        await patchMigration(nova.db, p.migration, { buried: 1 })
        if (same) await callCompute(nova, move.source_host_id, 'revertResize', { server_id: p.server_id }, { signal })
        else await callCompute(nova, move.dest_host_id!, 'ensureNoGuest', { server_id: p.server_id, host_id: move.dest_host_id! }, { signal })
      })
      await f.step('back', (signal) => bringBack(nova, p, signal))
      const power = await f.step('power', async (signal) => {
        const { move } = await about(nova, p)
        const server = await liveServer(nova, p.server_id)
        const was = (JSON.parse(server.private) as ServerPrivate).old_vm_state ?? 'active'
        if (was !== 'active') return 'shutdown' as const
        return (await callCompute(nova, move.source_host_id, 'powerOn', { server_id: p.server_id }, { signal })).power_state
      })
      await f.step('settle', async () => {
        const { move } = await about(nova, p)
        const server = await liveServer(nova, p.server_id)
        const flavor = JSON.parse(move.old_flavor ?? server.flavor) as FlavorSnapshot
        const now = nova.world.clock.now()
        const source = await nova.hosts.byId(move.source_host_id)
        await settle(
          nova, f, p, ['resize_reverting'],
          {
            vm_state: power === 'running' ? 'active' : 'stopped', power_state: POWER_NUMBER[power], host: move.source_compute, node: move.source_node, host_id: move.source_host_id, ...(source ? { availability_zone: source.zone } : {}),
            flavor: JSON.stringify(flavor), flavor_id: flavor.flavorid, vcpus: flavor.vcpus, memory_mb: flavor.memory_mb, progress: 0, private: withoutMove(server.private),
          },
          move.source_compute,
          (tx) => patchMigration(tx, p.migration, { status: 'reverted', updated_at: now }),
        )
      })
    },
  )

/** Claim, ports and volumes are the source's again. */
async function bringBack(nova: Nova, p: SettleResize, signal: AbortSignal): Promise<void> {
  const { move, same } = await about(nova, p)
  const server = await liveServer(nova, p.server_id)
  await returnClaim(nova, p.server_id, p.migration, server)
  if (same) return
  const devices = await blockDevicesOf(nova.db, server.id)
  const old = (JSON.parse(server.private) as ServerPrivate).old_attachments ?? {}
  const source = { host: move.source_compute, host_ip: (await nova.hosts.byId(move.source_host_id))?.host_ip ?? '' }
  const fresh = Object.fromEntries(Object.entries(attachmentsOf(devices)).filter(([device, attachment]) => old[device] !== undefined && old[device] !== attachment))
  const back = await returnTo(nova, devices, old, source)
  await letAttachmentsGo(nova, fresh)
  const { nics, ports } = await rebindPorts(nova, server, move.source_compute)
  await awaitWires(nova, server.id, ports, signal)
  await patchServer(nova.db, server.id, { network_info: JSON.stringify(nics) })
  // Volumes and cards may have come while the server was away.
  const flavor = JSON.parse(move.old_flavor ?? server.flavor) as FlavorSnapshot
  const guest = await guestWish(nova, { server, flavor, devices: back, nics })
  await callCompute(nova, move.source_host_id, 'ensureGuest', { guest, power: 'shutdown' }, { signal })
}
