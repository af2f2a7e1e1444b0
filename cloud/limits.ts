/** Limits of Keystone for one house, as `stack/quota.ts` wants them. A limit without a region holds where none of this region does. */
import type { Caller, Client } from '#stack/client.ts'
import type { LimitFacts } from '#stack/quota.ts'
import { listLimits, listProjects, listRegisteredLimits, listServices, showLimitModel } from '#keystone/contract/operations.ts'

/** `names` are those under which the house stands in the catalog. */
export async function limitFacts(client: Client, caller: Caller, names: readonly string[], region: string): Promise<LimitFacts> {
  const services = (await client.call(caller, 'keystone', listServices, {})).services.filter(({ name }) => names.includes(name)).map(({ id }) => id)
  const [{ registered_limits }, { limits }, { model }] = await Promise.all([
    client.call(caller, 'keystone', listRegisteredLimits, {}),
    client.call(caller, 'keystone', listLimits, {}),
    client.call(caller, 'keystone', showLimitModel, {}),
  ])
  const here = <T extends { service_id: string; region_id: string | null }>(rows: readonly T[]): T[] =>
    rows.filter((row) => services.includes(row.service_id) && (row.region_id === null || row.region_id === region)).sort((a, b) => Number(a.region_id !== null) - Number(b.region_id !== null))
  const own = new Map<string, Map<string, number>>()
  for (const { project_id, domain_id, resource_name, resource_limit } of here(limits)) {
    const holder = project_id ?? domain_id ?? ''
    own.set(holder, (own.get(holder) ?? new Map<string, number>()).set(resource_name, resource_limit))
  }
  const registered = new Map(here(registered_limits).map((row) => [row.resource_name, row.default_limit]))
  if (model.name === 'flat') return { registered, own }
  const { projects } = await client.call(caller, 'keystone', listProjects, {})
  return { registered, own, parents: new Map(projects.map((project) => [project.id, project.parent_id ?? project.domain_id])) }
}
