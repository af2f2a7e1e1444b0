/** Roles, implied roles and the catalog: small tables kept whole in memory, as of one epoch. */
import type { EndpointFacts, ServiceFacts } from '../core/catalog.ts'
import type { RoleFacts } from '../core/role-inference.ts'
import { findRows, type Db } from './rows.ts'
import type { EndpointGroupRow, EndpointRow, ServiceProviderRow } from './tables.ts'

export interface MemoryTables {
  readonly epoch: string
  readonly roles: ReadonlyMap<string, RoleFacts>
  readonly implies: ReadonlyMap<string, readonly string[]>
  readonly services: readonly ServiceFacts[]
  readonly endpoints: readonly EndpointFacts[]
  /** Other clouds that tokens of this one open. */
  readonly serviceProviders: readonly Pick<ServiceProviderRow, 'id' | 'auth_url' | 'sp_url'>[]
  /** Endpoints that a project is bound to; absent when it has no filter. */
  readonly filtered: ReadonlyMap<string, ReadonlySet<string>>
}

export type LoadTables = (epochs: string) => Promise<MemoryTables>

/** `epochs` as of `readEpochs`. */
export function memoryTables(db: Db): LoadTables {
  let kept: MemoryTables | undefined
  return async (epochs) => {
    const epoch = epochs.slice(epochs.indexOf(' ') + 1)
    if (kept?.epoch === epoch) return kept
    const roles = new Map((await findRows(db, 'keystone_roles')).map((row) => [row.id, { id: row.id, name: row.name, domain_id: row.domain_id }]))
    const implies = new Map<string, string[]>()
    for (const row of await findRows(db, 'keystone_implied_roles')) implies.set(row.prior_role_id, [...(implies.get(row.prior_role_id) ?? []), row.implied_role_id])
    const services = (await findRows(db, 'keystone_services', { enabled: 1 }, 'type')).map(({ id, type, name }) => ({ id, type, name: name ?? '' }))
    const endpoints = await findRows(db, 'keystone_endpoints', { enabled: 1 }, 'id')
    const filtered = await filters(db, endpoints)
    const serviceProviders = (await findRows(db, 'keystone_service_providers', { enabled: 1 }, 'id')).map(({ id, auth_url, sp_url }) => ({ id, auth_url, sp_url }))
    kept = { epoch, roles, implies, services, endpoints: endpoints.map(({ id, service_id, interface: face, region_id, url }) => ({ id, service_id, interface: face, region_id, url })), serviceProviders, filtered }
    return kept
  }
}

async function filters(db: Db, endpoints: readonly EndpointRow[]): Promise<Map<string, Set<string>>> {
  const filtered = new Map<string, Set<string>>()
  const add = (project_id: string, endpoint_id: string): void => void (filtered.get(project_id) ?? filtered.set(project_id, new Set()).get(project_id)!).add(endpoint_id)
  for (const row of await findRows(db, 'keystone_project_endpoints')) add(row.project_id, row.endpoint_id)
  const bound = await findRows(db, 'keystone_project_endpoint_groups')
  if (bound.length > 0) {
    const groups = new Map((await findRows(db, 'keystone_endpoint_groups')).map((row) => [row.id, row]))
    for (const { project_id, endpoint_group_id } of bound) {
      const group = groups.get(endpoint_group_id)
      if (group) for (const endpoint of endpointsOfGroup(group, endpoints)) add(project_id, endpoint.id)
    }
  }
  return filtered
}

/** An endpoint group names endpoints by what they are like: `{"interface": "public", "service_id": …}`. */
export function endpointsOfGroup(group: Pick<EndpointGroupRow, 'filters'>, endpoints: readonly EndpointRow[]): EndpointRow[] {
  const wanted = Object.entries(JSON.parse(group.filters) as Record<string, unknown>)
  return endpoints.filter((one) => {
    const facts: Record<string, unknown> = { ...(JSON.parse(one.extra) as object), ...one, enabled: one.enabled === 1 }
    return wanted.every(([key, value]) => facts[key] === value)
  })
}
