/** rebuild-server: the same server from another image, on the same host. A server on a volume gets the image into its volume (2.93). */
import { Fault } from '#base/fault.ts'
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { actOnVolume, showVolume } from '#cinder/contract/volumes.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import type { FlavorSnapshot, NicInfo, ServerRow } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { guestWish } from './guest.ts'
import { letGo, liveServer, moveServer, passengersSeated, type ServerWork, settle } from './state.ts'

export interface RebuildServer extends ServerWork {
  power: 'running' | 'shutdown'
  preserve_ephemeral: boolean
  /** The volume that gets the image. */
  volume_id?: string
  image_id: string
  /** Only when the config drive is to carry it. */
  admin_pass?: string
}

const LOCKS = ['rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning'] as const

export const rebuildServerFlow = (nova: Nova): Flow<RebuildServer> =>
  defineFlow<RebuildServer>('rebuild-server', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, LOCKS, fault, cancelled, { vm_state: 'error' }) }, async (f, p) => {
    if (p.volume_id !== undefined) {
      await f.step('off', async (signal) => {
        await passengersSeated(nova, p.server_id, signal)
        const server = await liveServer(nova, p.server_id)
        await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'rebuild_block_device_mapping' })
        await callCompute(nova, server.host_id!, 'powerOff', { server_id: server.id }, { signal })
      })
      await f.step('reimage', (signal) => reimage(nova, p, signal))
    }
    const done = await f.step('spawn', async (signal) => {
      await passengersSeated(nova, p.server_id, signal)
      const server = await liveServer(nova, p.server_id)
      await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'rebuild_spawning' })
      const devices = await blockDevicesOf(nova.db, server.id)
      const guest = await guestWish(nova, { server, flavor: JSON.parse(server.flavor) as FlavorSnapshot, devices, nics: JSON.parse(server.network_info) as NicInfo[], admin_pass: p.admin_pass })
      return callCompute(nova, server.host_id!, 'ensureRebuilt', { guest, rebuild_id: p.action_id, preserve_ephemeral: p.preserve_ephemeral, power: p.power }, { signal })
    })
    await f.step('settle', async () => {
      const patch: Partial<ServerRow> = { vm_state: p.power === 'running' ? 'active' : 'stopped', power_state: POWER_NUMBER[done.power_state], fault: null, launched_at: nova.world.clock.now(), progress: 0 }
      await settle(nova, f, p, LOCKS, patch, (await liveServer(nova, p.server_id)).host)
    })
  })

async function reimage(nova: Nova, p: RebuildServer, signal: AbortSignal): Promise<void> {
  const caller = await nova.service()
  const params = { volume_id: p.volume_id! }
  await nova.client.call(caller, 'cinder', actOnVolume, { params, body: { 'os-reimage': { image_id: p.image_id, reimage_reserved: true } } })
  for (let wait = 100; ; wait = Math.min(2_000, wait * 2)) {
    const { volume } = await nova.client.call(caller, 'cinder', showVolume, { params })
    if (volume.status === 'error') throw new Fault('internal', `Volume ${p.volume_id} could not be filled with image ${p.image_id}.`, { code: 'nova.reimage_failed' })
    if (volume.status !== 'downloading') return
    await nova.wakes.wait(p.server_id, wait, signal)
  }
}
