/**
 * shelve-server: off (+) → snapshot (+) → shelved → perhaps off its host. A shelved server costs no host, an offloaded one holds its addresses,
 * volumes and image only. Once it is shelved nothing is undone: the image may be all that is left of its disk. offload-server is the second half alone;
 * what of it failed is begun again by the clock (`housekeeping.ts`) or the user.
 */
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { serverById } from '../store/servers.ts'
import type { ServerPrivate, ServerRow } from '../store/tables.ts'
import { release } from './claims.ts'
import { callCompute } from './computes.ts'
import { persist } from './delete-server.ts'
import { leaveHost } from './leave-host.ts'
import { dropImage } from './snapshot-server.ts'
import { letGo, liveServer, moveServer, passengersSeated, type ServerWork, settle } from './state.ts'

export interface ShelveServer extends ServerWork {
  was: string
  /** Absent for a server on a volume. */
  image_id?: string
  format: 'raw' | 'qcow2'
  offload: boolean
}

const LOCKS = ['shelving', 'shelving_image_pending_upload', 'shelving_image_uploading', 'shelving_offloading'] as const

export const shelveServerFlow = (nova: Nova): Flow<ShelveServer> =>
  defineFlow<ShelveServer>(
    'shelve-server',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        if (p.image_id !== undefined && !(await isShelved(nova, p.server_id))) await dropImage(nova, p.image_id)
        await letGo(nova, p, LOCKS, fault, cancelled)
      },
    },
    async (f, p) => {
      await f.step(
        'off',
        async (signal) => {
          await passengersSeated(nova, p.server_id, signal)
          const server = await liveServer(nova, p.server_id)
          await callCompute(nova, server.host_id!, 'powerOff', { server_id: server.id, soft_timeout: 60_000 }, { signal })
        },
        async () => {
          const server = await liveServer(nova, p.server_id)
          if (p.was === 'active' && server.vm_state !== 'shelved' && server.host_id !== null) await callCompute(nova, server.host_id, 'powerOn', { server_id: server.id })
        },
      )
      if (p.image_id !== undefined) {
        await f.step('snapshot', async (signal) => {
          const server = await liveServer(nova, p.server_id)
          await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'shelving_image_uploading' })
          await callCompute(nova, server.host_id!, 'snapshot', { server_id: server.id, image_id: p.image_id!, format: p.format }, { signal, timeout: nova.config.action_deadline })
        })
      }
      if (!p.offload) return void (await f.step('settle', () => shelved(nova, f, p, p.image_id)))
      await f.step('shelved', async () => {
        const server = await liveServer(nova, p.server_id)
        await moveServer(nova, nova.db, p.server_id, { task_state: LOCKS }, { task_state: 'shelving_offloading', ...shelvedPatch(nova, server, p.image_id) })
      })
      await f.step('offload', (signal) => persist(nova, signal, () => offload(nova, f, p, signal)))
    },
  )

async function isShelved(nova: Nova, serverId: string): Promise<boolean> {
  return (await serverById(nova.db, serverId))?.vm_state.startsWith('shelved') === true
}

export const offloadServerFlow = (nova: Nova): Flow<ServerWork> =>
  defineFlow<ServerWork>('offload-server', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, LOCKS, fault, cancelled) }, async (f, p) => {
    await f.step('offload', async (signal) => {
      await passengersSeated(nova, p.server_id, signal)
      await persist(nova, signal, () => offload(nova, f, p, signal))
    })
  })

function shelvedPatch(nova: Nova, server: ServerRow, imageId: string | undefined): Partial<ServerRow> {
  const own = JSON.parse(server.private) as ServerPrivate
  return {
    vm_state: 'shelved',
    power_state: POWER_NUMBER.shutdown,
    private: JSON.stringify({ ...own, shelved_at: own.shelved_at ?? nova.world.clock.now(), ...(imageId === undefined ? {} : { shelved_image_id: imageId }) }),
  }
}

async function shelved(nova: Nova, f: FlowRun, p: ServerWork, imageId: string | undefined): Promise<void> {
  const server = await liveServer(nova, p.server_id)
  await settle(nova, f, p, LOCKS, shelvedPatch(nova, server, imageId), server.host)
}

/** Off its host and, in the same step, off its record: a server that is nowhere names no host. */
async function offload(nova: Nova, f: FlowRun, p: ServerWork, signal: AbortSignal): Promise<void> {
  const server = await liveServer(nova, p.server_id)
  if (server.host_id !== null) {
    await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'shelving_offloading' })
    await leaveHost(nova, server.id, server.host_id, signal)
    await release(nova, server.id)
  }
  await settle(nova, f, p, LOCKS, { ...shelvedPatch(nova, server, undefined), vm_state: 'shelved_offloaded', host: null, node: null, host_id: null, availability_zone: null }, server.host)
}
