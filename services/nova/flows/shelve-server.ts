/**
 * shelve-server: off → snapshot (+) → perhaps off its host. A shelved server costs no host, an offloaded one holds its addresses, volumes and
 * image only. offload-server is the second half alone.
 */
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import { isFault } from '#base/fault.ts'
import { updatePort } from '#neutron/contract/network.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf, patchBlockDevice } from '../store/block-devices.ts'
import type { NicInfo, ServerPrivate, ServerRow } from '../store/tables.ts'
import { release } from './claims.ts'
import { callCompute } from './computes.ts'
import { dropImage } from './snapshot-server.ts'
import { letGo, liveServer, moveServer, type ServerWork, settle } from './state.ts'
import { hold, isVolume, letVolumeGo } from './volumes.ts'

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
        if (p.image_id !== undefined) await dropImage(nova, p.image_id)
        await letGo(nova, p, LOCKS, fault, cancelled)
      },
    },
    async (f, p) => {
      await f.step(
        'off',
        async (signal) => {
          const server = await liveServer(nova, p.server_id)
          await callCompute(nova, server.host_id!, 'powerOff', { server_id: server.id, soft_timeout: 60_000 }, { signal })
        },
        async () => {
          const server = await liveServer(nova, p.server_id)
          if (p.was === 'active' && server.host_id !== null) await callCompute(nova, server.host_id, 'powerOn', { server_id: server.id })
        },
      )
      if (p.image_id !== undefined) {
        await f.step('snapshot', async (signal) => {
          const server = await liveServer(nova, p.server_id)
          await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'shelving_image_uploading' })
          await callCompute(nova, server.host_id!, 'snapshot', { server_id: server.id, image_id: p.image_id!, format: p.format }, { signal, timeout: nova.config.action_deadline })
        })
      }
      if (p.offload) await f.step('offload', (signal) => offload(nova, p, signal))
      await f.step('settle', () => shelved(nova, f, p, p.offload, p.image_id))
    },
  )

export const offloadServerFlow = (nova: Nova): Flow<ServerWork> =>
  defineFlow<ServerWork>('offload-server', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, LOCKS, fault, cancelled) }, async (f, p) => {
    await f.step('offload', (signal) => offload(nova, p, signal))
    await f.step('settle', () => shelved(nova, f, p, true, undefined))
  })

async function shelved(nova: Nova, f: FlowRun, p: ServerWork, away: boolean, imageId: string | undefined): Promise<void> {
  const server = await liveServer(nova, p.server_id)
  const own = JSON.parse(server.private) as ServerPrivate
  const patch: Partial<ServerRow> = {
    vm_state: away ? 'shelved_offloaded' : 'shelved',
    power_state: POWER_NUMBER.shutdown,
    private: JSON.stringify({ ...own, shelved_at: own.shelved_at ?? nova.world.clock.now(), ...(imageId === undefined ? {} : { shelved_image_id: imageId }) }),
    ...(away ? { host: null, node: null, host_id: null, availability_zone: null } : {}),
  }
  await settle(nova, f, p, LOCKS, patch, server.host)
}

/** Guest, claim, bindings and connections are the host's no more; the volumes stay held for the server. */
async function offload(nova: Nova, p: ServerWork, signal: AbortSignal): Promise<void> {
  const server = await liveServer(nova, p.server_id)
  if (server.host_id === null) return
  await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'shelving_offloading' })
  await callCompute(nova, server.host_id, 'ensureNoGuest', { server_id: server.id, host_id: server.host_id }, { signal })
  const caller = await nova.service()
  for (const nic of JSON.parse(server.network_info) as NicInfo[]) {
    await nova.client.call(caller, 'neutron', updatePort, { params: { id: nic.port_id }, body: { port: { 'binding:host_id': '' } } }).catch((thrown: unknown) => {
      if (!isFault(thrown, 'not_found')) throw thrown
    })
  }
  for (const device of await blockDevicesOf(nova.db, server.id)) {
    if (!isVolume(device) || device.connection_info === null) continue
    const held = await hold(nova, server.id, { ...device, attachment_id: null })
    await letVolumeGo(nova, device)
    await patchBlockDevice(nova.db, device.id, { attachment_id: held.attachment_id, connection_info: null })
  }
  await release(nova, server.id)
}
