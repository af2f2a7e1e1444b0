/** soft-delete-server and restore-server: the guest is turned off and kept for a while, or comes back. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { serverById } from '../store/servers.ts'
import type { ServerPrivate } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { letGo, liveServer, type ServerWork, settle } from './state.ts'

export const softDeleteServerFlow = (nova: Nova): Flow<ServerWork> =>
  defineFlow<ServerWork>('soft-delete-server', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, ['soft-deleting'], fault, cancelled, { vm_state: 'error' }) }, async (f, p) => {
    await f.step('quiet', (signal) => nova.engine.idle('server', p.server_id, f.id, signal))
    await f.step('off', async (signal) => {
      const server = await liveServer(nova, p.server_id)
      if (server.host_id !== null) await callCompute(nova, server.host_id, 'powerOff', { server_id: server.id }, { signal })
    })
    await f.step('settle', () => settle(nova, f, p, ['soft-deleting'], { vm_state: 'soft-delete', power_state: POWER_NUMBER.shutdown }))
  })

export const restoreServerFlow = (nova: Nova): Flow<ServerWork> =>
  defineFlow<ServerWork>('restore-server', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, ['restoring'], fault, cancelled) }, async (f, p) => {
    await f.step(
      'on',
      async (signal) => {
        const server = await liveServer(nova, p.server_id)
        if (server.host_id !== null) await callCompute(nova, server.host_id, 'powerOn', { server_id: server.id }, { signal })
      },
      async () => {
        const server = await liveServer(nova, p.server_id)
        if (server.host_id !== null) await callCompute(nova, server.host_id, 'powerOff', { server_id: server.id })
      },
    )
    await f.step('settle', async () => {
      const server = await serverById(nova.db, p.server_id)
      const { soft_deleted_at: _at, old_vm_state: _old, ...own } = JSON.parse(server?.private ?? '{}') as ServerPrivate
      await settle(nova, f, p, ['restoring'], { vm_state: 'active', power_state: POWER_NUMBER.running, private: JSON.stringify(own) })
    })
  })
