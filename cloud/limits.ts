/** Limits of Keystone for one house, as `stack/quota.ts` wants them. A limit without a region holds where none of this region does. */
import type { Caller, Client } from '#stack/client.ts'
import type { LimitFacts } from '#stack/quota.ts'
import { type Paged, listLimits, listProjects, listRegisteredLimits, listServices, showLimitModel } from '#keystone/contract/operations.ts'

/** `names` are those under which the house stands in the catalog. */
export async function limitFacts(client: Client, caller: Caller, names: readonly string[], region: string): Promise<LimitFacts> {
  const services = (await Promise.all(names.map((name) => client.call(caller, 'keystone', listServices, { query: { name } })))).flatMap((answer) => answer.services.map(({ id }) => id))
  const [registeredLimits, limits, { model }] = await Promise.all([
    every(async (page) => {
      const { registered_limits, links } = await client.call(caller, 'keystone', listRegisteredLimits, { query: page })
      return { rows: registered_limits, links }
    }),
    every(async (page) => {
      const answer = await client.call(caller, 'keystone', listLimits, { query: page })
      return { rows: answer.limits, links: answer.links }
    }),
    client.call(caller, 'keystone', showLimitModel, {}),
  ])
  const here = <T extends { service_id: string; region_id: string | null }>(rows: readonly T[]): T[] =>
    rows.filter((row) => services.includes(row.service_id) && (row.region_id === null || row.region_id === region)).sort((a, b) => Number(a.region_id !== null) - Number(b.region_id !== null))
  const own = new Map<string, Map<string, number>>()
  for (const { project_id, domain_id, resource_name, resource_limit } of here(limits)) {
    const holder = project_id ?? domain_id ?? ''
    own.set(holder, (own.get(holder) ?? new Map<string, number>()).set(resource_name, resource_limit))
  }
  const registered = new Map(here(registeredLimits).map((row) => [row.resource_name, row.default_limit]))
  if (model.name === 'flat') return { registered, own }
  const projects = await every(async (page) => {
    const answer = await client.call(caller, 'keystone', listProjects, { query: page })
    return { rows: answer.projects, links: answer.links }
  })
  return { registered, own, parents: new Map(projects.map((project) => [project.id, project.parent_id ?? project.domain_id])) }
}

const PAGE = 1_000

/** All pages: a limit that is left out would not hold. */
async function every<Row extends { id: string }>(ask: (page: { limit: number; marker?: string }) => Promise<{ rows: Row[] } & Paged>): Promise<Row[]> {
  const found: Row[] = []
  for (;;) {
    const marker = found.at(-1)?.id
    const { rows, links } = await ask({ limit: PAGE, ...(marker === undefined ? {} : { marker }) })
    found.push(...rows)
    if (links.next === null || rows.length === 0) return found
  }
}
