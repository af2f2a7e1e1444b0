/** Extra specs of flavors. From 2.86 those in known namespaces are judged. */
import { invalid, notFound } from '#base/fault.ts'
import { route, type Route } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { type ApiVersion, v } from '#stack/version.ts'
import { extraSpecProblem } from '../core/extra-spec-validation.ts'
import type { Nova } from '../house.ts'
import { changeExtraSpecs } from '../store/flavors.ts'
import { loadFlavor, noFlavor } from './flavors.ts'
import { object } from './schemas.ts'

type Specs = Record<string, string>

const specs = (limits: object = {}): Schema => ({ type: 'object', patternProperties: { '^[a-zA-Z0-9-_:. ]{1,255}$': { type: 'string', maxLength: 255 } }, additionalProperties: false, ...limits })

export function flavorExtraSpecRoutes(nova: Nova): Route[] {
  const all = '/v2.1/flavors/{flavor_id}/os-extra_specs'
  const one = `${all}/{key}`
  return [
    route({ method: 'GET', path: all, name: 'flavors.extra-specs', policy: 'os_compute_api:os-flavor-extra-specs:index', status: 200, handle: async (rq) => ({ json: { extra_specs: JSON.parse((await loadFlavor(nova, rq)).extra_specs) } }) }),
    route({
      method: 'GET', path: one, name: 'flavors.extra-spec', policy: 'os_compute_api:os-flavor-extra-specs:show', status: 200,
      async handle(rq) {
        const key = rq.params.key!
        const value = (JSON.parse((await loadFlavor(nova, rq)).extra_specs) as Specs)[key]
        if (value === undefined) throw noSpec(rq.params.flavor_id!, key)
        return { json: { [key]: value } }
      },
    }),
    route<{ extra_specs: Specs }>({
      method: 'POST', path: all, name: 'flavors.create-extra-specs', policy: 'os_compute_api:os-flavor-extra-specs:create', status: 200,
      body: object({ extra_specs: specs() }, ['extra_specs']),
      async handle(rq) {
        const { extra_specs } = rq.body
        assertSpecs(extra_specs, rq.version)
        const { flavorid } = await loadFlavor(nova, rq)
        await change(nova, flavorid, (now) => ({ ...now, ...extra_specs }))
        return { json: { extra_specs } }
      },
    }),
    route<Specs>({
      method: 'PUT', path: one, name: 'flavors.update-extra-spec', policy: 'os_compute_api:os-flavor-extra-specs:update', status: 200,
      body: specs({ minProperties: 1, maxProperties: 1 }),
      async handle(rq) {
        const key = rq.params.key!
        const value = rq.body[key]
        if (value === undefined) throw invalid('Request body and URI mismatch', { field: key })
        assertSpecs({ [key]: value }, rq.version)
        const { flavorid } = await loadFlavor(nova, rq)
        await change(nova, flavorid, (now) => ({ ...now, [key]: value }))
        return { json: { [key]: value } }
      },
    }),
    route({
      method: 'DELETE', path: one, name: 'flavors.delete-extra-spec', policy: 'os_compute_api:os-flavor-extra-specs:delete', status: 200,
      async handle(rq) {
        const key = rq.params.key!
        const { flavorid } = await loadFlavor(nova, rq)
        await change(nova, flavorid, (now) => {
          if (now[key] === undefined) throw noSpec(flavorid, key)
          const { [key]: _gone, ...rest } = now
          return rest
        })
        return {}
      },
    }),
  ]
}

async function change(nova: Nova, flavorid: string, to: (now: Specs) => Specs): Promise<void> {
  if (!(await nova.db.transaction((tx) => changeExtraSpecs(tx, flavorid, to, nova.world.clock.now())))) throw noFlavor(flavorid)
}

function assertSpecs(all: Specs, version: ApiVersion): void {
  if (version < v('2.86')) return
  for (const [key, value] of Object.entries(all)) {
    const problem = extraSpecProblem(key, value)
    if (problem !== undefined) throw invalid(`Validation failed; ${problem}`, { field: key })
  }
}

const noSpec = (flavorid: string, key: string) => notFound(`Flavor ${flavorid} has no extra specs with key ${key}.`)
