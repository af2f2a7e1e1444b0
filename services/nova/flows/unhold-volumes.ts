/** unhold-volumes: what holds volumes for a server that could not be built, when it could not be ended at once: their host was away. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf, patchBlockDevice } from '../store/block-devices.ts'
import { serverById } from '../store/servers.ts'
import { isVolume, letAllGo } from './volumes.ts'

export interface UnholdVolumes {
  server_id: string
}

export const unholdVolumesFlow = (nova: Nova): Flow<UnholdVolumes> =>
  defineFlow<UnholdVolumes>('unhold-volumes', { deadline: nova.config.action_deadline }, (f, { server_id }) =>
    f.must('let go', async () => {
      const named = new Set((await blockDevicesOf(nova.db, server_id)).map((device) => device.attachment_id))
      await letAllGo(nova, server_id, ({ id }) => !named.has(id))
    }),
  )

/** Of a server that could not be built: its volumes are free for others. Which ones they were stays on record until it is deleted. */
export async function unholdVolumes(nova: Nova, serverId: string): Promise<void> {
  const devices = (await blockDevicesOf(nova.db, serverId)).filter(isVolume)
  if (devices.length === 0) return
  // In this order no row names what is gone; what is left when this process dies, the server's deletion finds.
  for (const { id } of devices) await patchBlockDevice(nova.db, id, { attachment_id: null, connection_info: null })
  await letAllGo(nova, serverId).catch(async (thrown: unknown) => {
    const server = await serverById(nova.db, serverId)
    if (!server || server.deleted === 1) return
    nova.world.log.module('nova.volumes').warn('Goes on trying to let the volumes of a server go', { server: serverId, error: thrown })
    await nova.db.transaction((tx) => nova.engine.start(tx.as<unknown>(), nova.flows.unholdVolumes, { server_id: serverId }, { resource_kind: 'server', resource_id: serverId, project_id: server.project_id }))
  })
}
