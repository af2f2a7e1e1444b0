/** `GET /extensions`: old clients ask it before they use what they know by an extension's alias. */
import { notFound } from '#base/fault.ts'
import { route, type Route } from '#stack/route.ts'
import { EXTENSIONS } from '../core/extension-list.ts'

const VIEWS = EXTENSIONS.map(([alias, name, description]) => ({ alias, name, description, namespace: 'http://docs.openstack.org/compute/ext/fake_xml', updated: '2014-12-03T00:00:00Z', links: [] }))
const BY_ALIAS = new Map(VIEWS.map((view) => [view.alias, view]))

export function extensionRoutes(): Route[] {
  const policy = 'os_compute_api:extensions'
  return [
    route({ method: 'GET', path: '/v2.1/extensions', name: 'extensions.index', policy, status: 200, handle: () => ({ json: { extensions: VIEWS } }) }),
    route({
      method: 'GET', path: '/v2.1/extensions/{alias}', name: 'extensions.show', policy, status: 200,
      handle(rq) {
        const extension = BY_ALIAS.get(rq.params.alias!)
        if (!extension) throw notFound('The resource could not be found.')
        return { json: { extension } }
      },
    }),
  ]
}
