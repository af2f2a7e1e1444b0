/** attach-volume: connect → guest (+) → in use. The API has held the volume and written its row; what fails lets both go. detach-volume is the way back. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { isFault } from '#base/fault.ts'
import type { Nova } from '../house.ts'
import { blockDeviceById } from '../store/block-devices.ts'
import type { ServerPrivate } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { letGo as letAttachmentsGo } from './moving-volumes.ts'
import { letGo, liveServer, type ServerWork, settle } from './state.ts'
import { completeVolumes, connectVolumes, forgetVolume, volumeSpec } from './volumes.ts'

export interface AttachVolume extends ServerWork {
  device_id: string
  volume_id: string
}

export const attachVolumeFlow = (nova: Nova): Flow<AttachVolume> =>
  defineFlow<AttachVolume>(
    'attach-volume',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        const device = await blockDeviceById(nova.db, p.device_id)
        if (device) await forgetVolume(nova, device)
        await letGo(nova, p, [], fault, cancelled)
      },
    },
    async (f, p) => {
      await f.step(
        'attach',
        async (signal) => {
          const server = await liveServer(nova, p.server_id)
          const device = await blockDeviceById(nova.db, p.device_id)
          // On no host there is nothing to connect: the volume is held, and connected when the server comes back.
          if (!device || server.host_id === null) return
          const host = await nova.hosts.byId(server.host_id)
          const [connected] = await connectVolumes(nova, [device], { host: server.host!, host_ip: host?.host_ip ?? '' })
          await callCompute(nova, server.host_id, 'attachVolume', { server_id: server.id, volume: volumeSpec(connected!) }, { signal }).catch(async (thrown: unknown) => {
            // A host that answered badly, or not in time, may have done it all the same.
            if (!signal.aborted || isFault(signal.reason)) await takeFromGuest(nova, p).catch(() => {})
            throw thrown
          })
        },
        () => takeFromGuest(nova, p),
      )
      await f.step('complete', async () => {
        const device = await blockDeviceById(nova.db, p.device_id)
        // Also of a server on no host: the volume is in use, as it was before attachments had connections.
        if (device) await completeVolumes(nova, [device])
      })
      await f.step('settle', async () => settle(nova, f, p, [], {}, (await liveServer(nova, p.server_id)).host))
    },
  )

export const detachVolumeFlow = (nova: Nova): Flow<AttachVolume> =>
  defineFlow<AttachVolume>('detach-volume', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, [], fault, cancelled) }, async (f, p) => {
    await f.step(
      'guest',
      (signal) => takeFromGuest(nova, p, signal),
      async () => {
        const server = await liveServer(nova, p.server_id)
        const device = await blockDeviceById(nova.db, p.device_id)
        // Still the server's, so its guest has it again.
        if (device && device.connection_info !== null && server.host_id !== null) await callCompute(nova, server.host_id, 'attachVolume', { server_id: server.id, volume: volumeSpec(device) })
      },
    )
    await f.step('release', async () => {
      const device = await blockDeviceById(nova.db, p.device_id)
      if (device) await forgetVolume(nova, device)
      // While a resize waits to be confirmed the volume is held for the other host as well.
      const other = (JSON.parse((await liveServer(nova, p.server_id)).private) as ServerPrivate).old_attachments?.[p.device_id]
      if (other !== undefined) await letAttachmentsGo(nova, { [p.device_id]: other })
    })
    await f.step('settle', async () => settle(nova, f, p, [], {}, (await liveServer(nova, p.server_id)).host))
  })

async function takeFromGuest(nova: Nova, p: AttachVolume, signal?: AbortSignal): Promise<void> {
  const server = await liveServer(nova, p.server_id)
  if (server.host_id === null) return
  await callCompute(nova, server.host_id, 'detachVolume', { server_id: server.id, volume_id: p.volume_id }, signal ? { signal } : {}).catch((thrown: unknown) => {
    if (!isFault(thrown, 'not_found')) throw thrown
  })
}
