/** Version documents, and what this Glance can do. */
import { type Reply, type Route, route } from '#stack/route.ts'
import { type Glance, IMPORT_METHODS } from '../house.ts'
import { usageOf } from '../store/images.ts'
import { limitFinder } from './quota.ts'

const SUPPORTED = ['v2.15', 'v2.13', 'v2.12', 'v2.11', 'v2.10', 'v2.9', 'v2.8', 'v2.7', 'v2.6', 'v2.5', 'v2.4', 'v2.3', 'v2.2', 'v2.1', 'v2.0']

export const versionRoutes = (house: Glance): Route[] => {
  const versions = (base: string): object => ({
    versions: SUPPORTED.map((id, i) => ({ id, status: i === 0 ? 'CURRENT' : 'SUPPORTED', links: [{ rel: 'self', href: `${base}/v2/` }] })),
  })
  return [
    route({ method: 'GET', path: '/', name: 'versions.list', access: 'public', status: 300, handle: (rq) => ({ json: versions(rq.base) }) }),
    route({ method: 'GET', path: '/versions', name: 'versions.show', access: 'public', status: 200, handle: (rq) => ({ json: versions(rq.base) }) }),
    route({
      method: 'GET',
      path: '/v2/info/import',
      name: 'info.import',
      status: 200,
      handle: () => ({ json: { 'import-methods': { description: 'Import methods available.', type: 'array', value: house.stores.size > 1 ? IMPORT_METHODS : IMPORT_METHODS.filter((name) => name !== 'copy-image') } } }),
    }),
    route({ method: 'GET', path: '/v2/info/stores', name: 'info.stores', status: 200, handle: () => ({ json: { stores: stores(house) } }) }),
    route({
      method: 'GET',
      path: '/v2/info/stores/detail',
      name: 'info.stores.detail',
      policy: 'stores_info_detail',
      status: 200,
      handle: () => ({ json: { stores: stores(house).map((one) => ({ ...one, type: house.stores.get(one.id)!.name, weight: 0, properties: { data_dir: one.id, chunk_size: 1 << 20, thin_provisioning: false } })) } }),
    }),
    route({ method: 'GET', path: '/v2/info/usage', name: 'info.usage', status: 200, handle: (rq) => usage(house, rq.context.project_id ?? '') }),
  ]
}

function stores(house: Glance): { id: string; description: string; default?: 'true' }[] {
  return [...house.stores.keys()].map((id, i) => ({ id, description: house.config.stores.find((one) => one.id === id)?.description ?? 'Files', ...(i === 0 ? { default: 'true' as const } : {}) }))
}

/** Sizes in MiB; -1 is no limit. */
async function usage(house: Glance, project: string): Promise<Reply> {
  const { count, uploading, size, staged } = await usageOf(house.db, project)
  const limit = await limitFinder(house, house.db, project)
  const of = (name: string, used: number): object => ({ limit: limit(name), usage: used })
  return { json: { usage: { image_size_total: of('image_size_total', Math.ceil(size / 2 ** 20)), image_stage_total: of('image_stage_total', Math.ceil(staged / 2 ** 20)), image_count_total: of('image_count_total', count), image_count_uploading: of('image_count_uploading', uploading) } } }
}
