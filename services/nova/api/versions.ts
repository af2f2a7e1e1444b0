/** `GET /`, `GET /v2.1` and `GET /v2`: which versions there are. */
import type { HttpRequest } from '#base/http/message.ts'
import { route, type Route, type Rq } from '#stack/route.ts'
import { formatVersion } from '#stack/version.ts'
import { MAX_VERSION, MIN_VERSION } from '../core/versions.ts'

const entry = (rq: Rq<unknown>, id: 'v2.0' | 'v2.1') => {
  const newest = id === 'v2.1'
  return {
    id,
    status: newest ? 'CURRENT' : 'SUPPORTED',
    version: newest ? formatVersion(MAX_VERSION) : '',
    min_version: newest ? formatVersion(MIN_VERSION) : '',
    updated: newest ? '2013-07-23T11:33:21Z' : '2011-01-21T11:33:21Z',
    links: [{ rel: 'self', href: `${rq.base}/${newest ? 'v2.1' : 'v2'}/` }],
  }
}

const detail = (rq: Rq<unknown>, id: 'v2.0' | 'v2.1') => {
  const { links, ...rest } = entry(rq, id)
  return { ...rest, links: [...links, { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' }], 'media-types': [{ base: 'application/json', type: `application/vnd.openstack.compute+json;version=${id === 'v2.1' ? '2.1' : '2'}` }] }
}

export function versionRoutes(): Route[] {
  const all = (rq: Rq<unknown>) => ({ versions: [entry(rq, 'v2.0'), entry(rq, 'v2.1')] })
  return [
    route({ method: 'GET', path: '/', name: 'versions.list', access: 'public', status: 200, handle: (rq) => ({ json: all(rq) }) }),
    route({ method: 'GET', path: '/v2.1', name: 'versions.show', access: 'public', status: 200, handle: (rq) => ({ json: { version: detail(rq, isLegacy(rq.http) ? 'v2.0' : 'v2.1') } }) }),
  ]
}

/** Set by the edge (`legacy-paths.ts`) on what came in under `/v2`. */
export const LEGACY_HEADER = 'x-ondol-compute-legacy'

export const isLegacy = (request: HttpRequest): boolean => request.headers[LEGACY_HEADER] !== undefined
