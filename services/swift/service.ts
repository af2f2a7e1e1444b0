/** The door plate of Swift: what it is in the catalog, how it speaks, and every operation it has. */
import { notFound } from '#base/fault.ts'
import { type Route, route } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { dialect } from './api/dialect.ts'
import { doorOf } from './api/door.ts'
import { answerInfo } from './api/info.ts'
import { layersOf } from './api/layers.ts'
import { giveToken } from './api/tempauth.ts'
import { namesOf, pathOf } from './core/names.ts'
import type { Swift } from './house.ts'
import { initial } from './store/migrations/0001-initial.ts'
import { uploads } from './store/migrations/0002-uploads.ts'
import { buckets } from './store/migrations/0003-buckets.ts'
import { sync } from './store/migrations/0004-sync.ts'

export const plate: ServicePlate = {
  name: 'swift', type: 'object-store', mount: '/object-store', catalogPath: '/v1/AUTH_{project_id}', dialect, migrations: { house: 'swift', migrations: [initial, uploads, buckets, sync] },
  // Clients look for `/info` at the root, and some take the second part of a storage URL for the account.
  catalogAtRoot: true, rootPaths: ['/v1', '/v1.0', '/s3', '/info', '/healthcheck', '/auth', '/crossdomain.xml', '/endpoints'], roles: ['ResellerAdmin', 'swiftoperator'],
}

const TEXT = { 'content-type': 'text/plain' }

export function routesOf(house: Swift): Route[] {
  // Names keep their slashes and escapes, so the raw path says what is meant, not what the router made of it.
  const handle = doorOf(house, layersOf(house))
  const at = (path: string, noun: string, methods: readonly Route['method'][]): Route[] =>
    methods.map((method) => route({ method, path, name: `${noun}.${method.toLowerCase()}`, access: 'optional', bodyKind: 'raw', status: 200, handle }))
  const open = (path: string, name: string, handleIt: Route['handle']): Route => route({ method: 'GET', path, name, access: 'public', bodyKind: 'none', status: 200, handle: handleIt as never })
  const { config } = house
  return [
    open('/info', 'info.show', (rq) => answerInfo(house, rq)),
    route({ method: 'OPTIONS', path: '/info', name: 'info.options', access: 'public', bodyKind: 'none', status: 200, handle: () => ({ headers: { allow: 'GET, HEAD, OPTIONS', 'content-type': 'text/html; charset=UTF-8' }, body: '' }) }),
    open('/healthcheck', 'healthcheck.show', () => ({ headers: { ...TEXT }, body: 'OK' })),
    open('/auth/v1.0', 'auth.show', (rq) => {
      if (config.tempauth_users.length === 0) throw notFound('This cloud has Keystone, and no v1 auth.')
      return giveToken(house, rq.http.headers, rq.http.origin + (rq.http.mount ?? ''), rq.http.path)
    }),
    open('/crossdomain.xml', 'crossdomain.show', () => {
      if (config.cross_domain_policy === '') throw notFound('The resource could not be found.')
      return { headers: { 'content-type': 'application/xml' }, body: `<?xml version="1.0"?>\n<!DOCTYPE cross-domain-policy SYSTEM "http://www.adobe.com/xml/dtds/cross-domain-policy.dtd" >\n<cross-domain-policy>\n${config.cross_domain_policy}\n</cross-domain-policy>` }
    }),
    // Where an object lies: with no ring, at the front door.
    open('/endpoints/{path+}', 'endpoints.list', (rq) => {
      const [, version = '', rest = ''] = /^\/endpoints(?:\/(v1|v2))?\/(.*)$/s.exec(rq.http.path) ?? []
      const url = `${rq.http.origin}${pathOf(namesOf(`/v1/${rest}`))}`
      return { json: version === 'v2' ? { endpoints: [url], headers: {} } : [url] }
    }),
    ...at('/v1/{account}', 'account', ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS']),
    ...at('/v1/{account}/{container}', 'container', ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS']),
    ...at('/v1/{account}/{container}/{object+}', 'object', ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'COPY', 'OPTIONS']),
  ]
}
