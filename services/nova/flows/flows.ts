/** Every flow of this house, by name: what the engine can run and the API can start. */
import type { Flow } from '#base/flow/definition.ts'
import type { Nova } from '../house.ts'
import { actOnServerFlow } from './act-on-server.ts'
import { cacheImagesFlow } from './cache-images.ts'
import { createServerFlow } from './create-server.ts'
import { deleteServerFlow } from './delete-server.ts'
import { restoreServerFlow, softDeleteServerFlow } from './soft-delete-server.ts'

export const makeFlows = (nova: Nova) => ({
  createServer: createServerFlow(nova),
  deleteServer: deleteServerFlow(nova),
  softDeleteServer: softDeleteServerFlow(nova),
  restoreServer: restoreServerFlow(nova),
  actOnServer: actOnServerFlow(nova),
  cacheImages: cacheImagesFlow(nova),
})

export type NovaFlows = ReturnType<typeof makeFlows>

export function flowList(flows: NovaFlows): Flow<never>[] {
  return Object.values(flows) as unknown as Flow<never>[]
}
