/** rescue-server: the guest starts from a rescue image, with its own disk beside. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import type { NicInfo } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { driveOf, hasConfigDrive } from './guest.ts'
import { letGo, liveServer, type ServerWork, settle } from './state.ts'

export interface RescueServer extends ServerWork {
  image_id: string
  /** Only when the config drive is to carry it. */
  admin_pass?: string
}

export const rescueServerFlow = (nova: Nova): Flow<RescueServer> =>
  defineFlow<RescueServer>('rescue-server', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, ['rescuing'], fault, cancelled, { vm_state: 'error' }) }, async (f, p) => {
    const { power_state, host } = await f.step(
      'rescue',
      async (signal) => {
        const server = await liveServer(nova, p.server_id)
        const drive = hasConfigDrive(nova, server) ? { config_drive: await driveOf(nova, { server, devices: await blockDevicesOf(nova.db, server.id), nics: JSON.parse(server.network_info) as NicInfo[], admin_pass: p.admin_pass }) } : {}
        const answer = await callCompute(nova, server.host_id!, 'rescue', { server_id: server.id, image_id: p.image_id, ...drive }, { signal })
        return { ...answer, host: server.host }
      },
      async () => {
        const server = await liveServer(nova, p.server_id)
        if (server.host_id === null) return
        await callCompute(nova, server.host_id, 'unrescue', { server_id: server.id })
        if (server.power_state === POWER_NUMBER.shutdown) await callCompute(nova, server.host_id, 'powerOff', { server_id: server.id })
      },
    )
    await f.step('settle', () => settle(nova, f, p, ['rescuing'], { vm_state: 'rescued', power_state: POWER_NUMBER[power_state], launched_at: nova.world.clock.now() }, host))
  })
