/** Limits and what is used of them; counted in the transaction that uses them. */
import type { Sql } from '#base/sql/database.ts'
import { overQuota as overQuotaFault } from '#base/fault.ts'
import { roomOf, type UnifiedLimits } from '#stack/quota.ts'
import { overQuota, QUOTAS } from '#neutron/core/quota.ts'
import { countWhere } from './rows.ts'
import type { Q, T } from './tables.ts'
import { equals } from './where.ts'

/** Tables behind the keys of a quota. */
export const COUNTED: Readonly<Record<string, string>> = {
  network: 'neutron_networks',
  subnet: 'neutron_subnets',
  subnetpool: 'neutron_subnetpools',
  port: 'neutron_ports',
  router: 'neutron_routers',
  floatingip: 'neutron_floatingips',
  security_group: 'neutron_security_groups',
  security_group_rule: 'neutron_security_group_rules',
  rbac_policy: 'neutron_rbac_policies',
  trunk: 'neutron_trunks',
}

export interface Limits {
  defaults: Readonly<Record<string, number>>
  /** Keystone's instead of our own. */
  unified?: UnifiedLimits | undefined
}

export async function limitsOf(db: Q, project: string, { defaults, unified }: Limits, resources?: readonly string[]): Promise<Record<string, number>> {
  if (unified) {
    const wanted = resources ?? Object.keys(QUOTAS)
    const room = await roomOf(unified, project, (resource) => defaults[resource] ?? QUOTAS[resource] ?? -1, async (projects) => {
      const counts = new Map<string, number>()
      for (const resource of wanted) counts.set(resource, await countWhere(db as Sql<never>, COUNTED[resource]!, [equals('project_id', projects)]))
      return (resource) => counts.get(resource) ?? 0
    })
    return Object.fromEntries(wanted.map((resource) => [resource, room(resource)]))
  }
  let query = db.query.selectFrom('neutron_quotas').select(['resource', 'limit']).where('project_id', '=', project)
  if (resources) query = query.where('resource', 'in', resources)
  const rows = await query.execute()
  return { ...QUOTAS, ...defaults, ...Object.fromEntries(rows.map((row) => [row.resource, row.limit])) }
}

export async function used(db: Q, resource: string, project: string): Promise<number> {
  return countWhere(db as Sql<never>, COUNTED[resource]!, [equals('project_id', [project])])
}

/** Throws when a project would have more than it may. */
export async function spend(tx: T, project: string, deltas: Readonly<Record<string, number>>, source: Limits): Promise<void> {
  if (project === '') return
  const resources = Object.keys(deltas)
  const limits = await limitsOf(tx, project, source, resources)
  const counts: Record<string, number> = {}
  for (const resource of resources) if (limits[resource]! >= 0) counts[resource] = await used(tx, resource, project)
  const over = overQuota(limits, counts, deltas)
  if (over.length > 0) throw overQuotaFault(`Quota exceeded for resources: [${over.map((one) => `'${one}'`).join(', ')}].`, { code: 'OverQuota' })
}
