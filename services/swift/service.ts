/** The door plate of Swift: what it is in the catalog, how it speaks, and every operation it has. */
import { Fault } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { account, container } from './api/containers.ts'
import { dialect } from './api/dialect.ts'
import { namesOf } from './api/door.ts'
import { object } from './api/objects.ts'
import type { Swift } from './house.ts'
import { initial } from './store/migrations/0001-initial.ts'

export const plate: ServicePlate = { name: 'swift', type: 'object-store', mount: '/object-store', catalogPath: '/v1/AUTH_{project_id}', catalogAtRoot: true, rootPaths: ['/v1', '/info', '/healthcheck'], roles: ['ResellerAdmin', 'swiftoperator'], dialect, migrations: { house: 'swift', migrations: [initial] } }

const LIMITS = { max_file_size: 5_368_709_122, max_meta_name_length: 128, max_meta_value_length: 256, max_meta_count: 90, max_meta_overall_size: 4096, max_object_name_length: 700, max_container_name_length: 256, container_listing_limit: 10_000, account_listing_limit: 10_000 }

export function routesOf(house: Swift): Route[] {
  // Names keep their slashes and escapes, so the raw path says what is meant, not what the router made of it.
  const handle = async (rq: Rq): Promise<Reply> => {
    for (const name of ['extract-archive', 'bulk-delete', 'temp_url_sig']) if (rq.query.has(name)) throw new Fault('not_implemented', `The query ${name} is not there yet.`, { field: name })
    const names = namesOf(rq.http.path)
    if (names.object !== '') return object(house, rq, names)
    return names.container === '' ? account(house, rq, names) : container(house, rq, names)
  }
  const at = (path: string, noun: string, methods: readonly Route['method'][]): Route[] =>
    methods.map((method) => route({ method, path, name: `${noun}.${method.toLowerCase()}`, access: 'optional', bodyKind: 'raw', status: 200, handle }))
  return [
    route({ method: 'GET', path: '/info', name: 'info.show', access: 'public', bodyKind: 'none', status: 200, handle: () => ({ json: { swift: { version: '2.30.1', policies: [{ name: 'Policy-0', default: true, aliases: 'Policy-0' }], ...LIMITS, max_file_size: house.config.max_file_size } } }) }),
    route({ method: 'GET', path: '/healthcheck', name: 'healthcheck.show', access: 'public', bodyKind: 'none', status: 200, handle: () => ({ headers: { 'content-type': 'text/plain' }, body: 'OK' }) }),
    ...at('/v1/{account}', 'account', ['GET', 'HEAD', 'POST']),
    ...at('/v1/{account}/{container}', 'container', ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']),
    ...at('/v1/{account}/{container}/{object+}', 'object', ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'COPY']),
  ]
}
