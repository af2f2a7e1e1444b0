/** cache-images: every host of an aggregate fetches images before somebody needs them. A host that is silent or cannot is passed over. */
import { isFault } from '#base/fault.ts'
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import type { Nova } from '../house.ts'
import { callCompute } from './computes.ts'

export interface CacheImages {
  host_ids: string[]
  image_ids: string[]
}

export const cacheImagesFlow = (nova: Nova): Flow<CacheImages> =>
  defineFlow<CacheImages>('cache-images', { deadline: nova.config.build_deadline }, async (f, p) => {
    for (const host_id of p.host_ids) {
      await f.step(`cache ${host_id}`, async (signal) => {
        try {
          await callCompute(nova, host_id, 'cacheImages', { image_ids: p.image_ids }, { signal, timeout: 600_000, wait: 0 })
        } catch (thrown) {
          signal.throwIfAborted()
          nova.world.log.module('nova.cache').warn('A host could not cache images', { host_id, images: p.image_ids, reason: isFault(thrown) ? thrown.message : String(thrown) })
        }
      })
    }
  })
