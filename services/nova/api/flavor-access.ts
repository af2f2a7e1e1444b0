/** Which projects may use a flavor that is not public. */
import { conflict, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type Reply, route, type Route } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import { deleteFlavorAccess, flavorAccess, insertFlavorAccess } from '../store/flavors.ts'
import { loadFlavor } from './flavors.ts'
import { assertProject } from './projects.ts'
import { envelope, object } from './schemas.ts'

const tenant = (action: string) => envelope(action, object({ tenant: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-]*$' } }, ['tenant']))

export function flavorAccessRoutes(nova: Nova): Route[] {
  const view = async (flavorid: string): Promise<Reply> => ({ json: { flavor_access: (await flavorAccess(nova.db, flavorid)).map((tenant_id) => ({ flavor_id: flavorid, tenant_id })) } })
  return [
    route({
      method: 'GET', path: '/v2.1/flavors/{flavor_id}/os-flavor-access', name: 'flavors.access', policy: 'os_compute_api:os-flavor-access', status: 200,
      async handle(rq) {
        const flavor = await loadFlavor(nova, rq)
        if (flavor.is_public === 1) throw notFound('Access list not available for public flavors.')
        return view(flavor.flavorid)
      },
    }),
    route<{ tenant: string }>({
      method: 'POST', path: '/v2.1/flavors/{flavor_id}/action', action: 'addTenantAccess', name: 'flavors.add-access', policy: 'os_compute_api:os-flavor-access:add_tenant_access', status: 200,
      body: tenant('addTenantAccess'),
      async handle(rq) {
        const { tenant: project } = rq.body
        await assertProject(nova, rq, project)
        const flavor = await loadFlavor(nova, rq)
        if (flavor.is_public === 1) throw conflict('Can not add access to a public flavor.')
        try {
          await nova.db.transaction((tx) => insertFlavorAccess(tx, flavor.flavorid, project))
        } catch (thrown) {
          if (isDuplicate(nova.db.engine, thrown)) throw conflict(`Flavor access already exists for flavor ${flavor.flavorid} and project ${project} combination.`)
          throw thrown
        }
        return view(flavor.flavorid)
      },
    }),
    route<{ tenant: string }>({
      method: 'POST', path: '/v2.1/flavors/{flavor_id}/action', action: 'removeTenantAccess', name: 'flavors.remove-access', policy: 'os_compute_api:os-flavor-access:remove_tenant_access', status: 200,
      body: tenant('removeTenantAccess'),
      async handle(rq) {
        const { tenant: project } = rq.body
        const flavor = await loadFlavor(nova, rq)
        if (!(await deleteFlavorAccess(nova.db, flavor.flavorid, project))) throw notFound(`Flavor access not found for ${flavor.flavorid} / ${project} combination.`)
        return view(flavor.flavorid)
      },
    }),
  ]
}
