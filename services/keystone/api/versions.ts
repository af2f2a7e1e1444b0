/** What one finds before one has a token: `/` and `/v3`. */
import type { Reply, Route, Rq } from '#stack/route.ts'
import { at } from './steps.ts'

const MEDIA = [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }]

function version(rq: Rq): object {
  return { id: 'v3.14', status: 'stable', updated: '2020-04-07T00:00:00Z', links: [{ rel: 'self', href: `${rq.base}/v3/` }], 'media-types': MEDIA }
}

export function versionRoutes(homeDocument: (rq: Rq) => object): Route[] {
  const wantsHome = (rq: Rq): boolean => (rq.http.headers.accept ?? '').includes('application/json-home')
  const home = (rq: Rq): Reply => ({ status: 200, headers: { 'content-type': 'application/json-home' }, body: JSON.stringify(homeDocument(rq)) })
  return [
    at('GET', '/', 'versions.list', 300, (rq) => (wantsHome(rq) ? home(rq) : { headers: { location: `${rq.base}/v3/` }, json: { versions: { values: [version(rq)] } } }), { access: 'public' }),
    at('GET', '/v3', 'versions.show', 200, (rq) => (wantsHome(rq) ? home(rq) : { json: { version: version(rq) } }), { access: 'public' }),
  ]
}
