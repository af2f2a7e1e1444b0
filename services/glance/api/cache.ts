/** The cache API: which images are kept near, and which are to be. For administrators. */
import { invalid, notFound } from '#base/fault.ts'
import { type Route, route, type Rq } from '#stack/route.ts'
import type { Glance } from '../house.ts'
import { imageById } from '../store/images.ts'

export const cacheRoutes = (house: Glance): Route[] => [
  route({ method: 'GET', path: '/v2/cache', name: 'cache.list', policy: 'cache_list', status: 200, handle: async () => ({ json: { queued_images: house.cache.queued(), cached_images: await house.cache.list() } }) }),
  route({
    method: 'DELETE',
    path: '/v2/cache',
    name: 'cache.clear',
    policy: 'cache_delete',
    bodyKind: 'none',
    status: 204,
    handle: async (rq) => {
      const target = rq.http.headers['x-image-cache-clear-target'] || 'both'
      if (target !== 'cache' && target !== 'queue' && target !== 'both') throw invalid('If provided x-image-cache-clear-target must be cache or queue', { field: 'x-image-cache-clear-target' })
      await house.cache.clear(target)
      return {}
    },
  }),
  route({ method: 'POST', path: '/v2/cache/clean', name: 'cache.clean', policy: 'cache_clean', status: 200, handle: () => ({ json: {} }) }),
  route({
    method: 'POST',
    path: '/v2/cache/prune',
    name: 'cache.prune',
    policy: 'cache_prune',
    status: 200,
    handle: async () => {
      const { files, bytes } = await house.cache.prune(house.config.cache_max_size)
      return { json: { total_files_pruned: files, total_bytes_pruned: bytes } }
    },
  }),
  route({
    method: 'PUT',
    path: '/v2/cache/{image_id}',
    name: 'cache.queue',
    policy: 'cache_image',
    bodyKind: 'none',
    status: 202,
    handle: async (rq) => {
      const row = await known(house, rq)
      if (row.status !== 'active') throw invalid('Only images with status active can be targeted for queueing')
      house.cache.queue(row.id)
      house.wakeCache()
      return {}
    },
  }),
  route({
    method: 'DELETE',
    path: '/v2/cache/{image_id}',
    name: 'cache.delete',
    policy: 'cache_delete',
    bodyKind: 'none',
    status: 204,
    handle: async (rq) => {
      await house.cache.drop((await known(house, rq)).id)
      return {}
    },
  }),
]

async function known(house: Glance, rq: Pick<Rq, 'params'>) {
  const row = await imageById(house.db, rq.params.image_id!)
  if (!row) throw notFound(`No image found with ID ${rq.params.image_id!.slice(0, 100)}`)
  return row
}
