/** What `/` and `/v3/` say. */
import { formatVersion } from '#stack/version.ts'
import { type Route, route, type Rq } from '#stack/route.ts'
import { dialect } from './dialect.ts'

const versions = (rq: Pick<Rq, 'base'>): object => ({
  versions: [
    {
      id: 'v3.0',
      status: 'CURRENT',
      version: formatVersion(dialect.versions!.max),
      min_version: formatVersion(dialect.versions!.min),
      updated: '2022-08-31T00:00:00Z',
      links: [
        { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
        { rel: 'self', href: `${rq.base}/v3/` },
      ],
      'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
    },
  ],
})

export const versionRoutes: Route[] = [
  route({ method: 'GET', path: '/', name: 'versions.list', access: 'public', bodyKind: 'none', status: 300, handle: (rq) => ({ json: versions(rq) }) }),
  route({ method: 'GET', path: '/v3', name: 'versions.show', access: 'public', bodyKind: 'none', status: 200, handle: (rq) => ({ json: versions(rq) }) }),
]
