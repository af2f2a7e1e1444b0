/** Every flow of this house, by name: what the engine can run and the API can start. */
import type { Flow } from '#base/flow/definition.ts'
import type { Nova } from '../house.ts'
import { actOnServerFlow } from './act-on-server.ts'
import { cacheImagesFlow } from './cache-images.ts'
import { attachInterfaceFlow, detachInterfaceFlow } from './attach-interface.ts'
import { attachVolumeFlow, detachVolumeFlow } from './attach-volume.ts'
import { createServerFlow } from './create-server.ts'
import { deleteServerFlow } from './delete-server.ts'
import { dropImageFlow } from './drop-image.ts'
import { evacuateServerFlow } from './evacuate-server.ts'
import { liveMigrateServerFlow } from './live-migrate-server.ts'
import { rebuildServerFlow } from './rebuild-server.ts'
import { rescueServerFlow } from './rescue-server.ts'
import { resizeServerFlow } from './resize-server.ts'
import { confirmResizeFlow, revertResizeFlow } from './settle-resize.ts'
import { offloadServerFlow, shelveServerFlow } from './shelve-server.ts'
import { snapshotServerFlow } from './snapshot-server.ts'
import { restoreServerFlow, softDeleteServerFlow } from './soft-delete-server.ts'
import { unholdVolumesFlow } from './unhold-volumes.ts'
import { unshelveServerFlow } from './unshelve-server.ts'

export const makeFlows = (nova: Nova) => ({
  createServer: createServerFlow(nova),
  deleteServer: deleteServerFlow(nova),
  softDeleteServer: softDeleteServerFlow(nova),
  restoreServer: restoreServerFlow(nova),
  actOnServer: actOnServerFlow(nova),
  cacheImages: cacheImagesFlow(nova),
  rebuildServer: rebuildServerFlow(nova),
  rescueServer: rescueServerFlow(nova),
  resizeServer: resizeServerFlow(nova),
  confirmResize: confirmResizeFlow(nova),
  revertResize: revertResizeFlow(nova),
  liveMigrateServer: liveMigrateServerFlow(nova),
  evacuateServer: evacuateServerFlow(nova),
  dropImage: dropImageFlow(nova),
  snapshotServer: snapshotServerFlow(nova),
  shelveServer: shelveServerFlow(nova),
  offloadServer: offloadServerFlow(nova),
  unshelveServer: unshelveServerFlow(nova),
  attachVolume: attachVolumeFlow(nova),
  detachVolume: detachVolumeFlow(nova),
  attachInterface: attachInterfaceFlow(nova),
  detachInterface: detachInterfaceFlow(nova),
  unholdVolumes: unholdVolumesFlow(nova),
})

export type NovaFlows = ReturnType<typeof makeFlows>

export function flowList(flows: NovaFlows): Flow<never>[] {
  return Object.values(flows) as unknown as Flow<never>[]
}
