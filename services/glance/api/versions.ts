/** Version documents, and what this Glance can do. */
import { type Route, route } from '#stack/route.ts'
import { type Glance, IMPORT_METHODS, STORE_ID } from '../house.ts'

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
      handle: () => ({ json: { 'import-methods': { description: 'Import methods available.', type: 'array', value: IMPORT_METHODS } } }),
    }),
    route({ method: 'GET', path: '/v2/info/stores', name: 'info.stores', status: 200, handle: () => ({ json: { stores: [{ id: STORE_ID, description: 'Files on this machine', default: 'true' }] } }) }),
    route({
      method: 'GET',
      path: '/v2/info/stores/detail',
      name: 'info.stores.detail',
      policy: 'stores_info_detail',
      status: 200,
      handle: () => ({ json: { stores: [{ id: STORE_ID, type: house.store.name, description: 'Files on this machine', default: 'true', weight: 0, properties: { data_dir: STORE_ID, chunk_size: 1 << 20, thin_provisioning: false } }] } }),
    }),
  ]
}
