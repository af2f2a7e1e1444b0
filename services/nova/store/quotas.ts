/** Limits that differ from the configured ones. */
import type { QuotaName } from '../config.ts'
import type { NovaSql } from './servers.ts'

/** Row owner for the default class, whose limits hold for every project that has none of its own. */
export const DEFAULT_CLASS = 'class:default'

export async function limitsOf(sql: NovaSql, projectId: string, defaults: Readonly<Record<QuotaName, number>>): Promise<Record<QuotaName, number>> {
  const rows = await sql.query.selectFrom('nova_quotas').selectAll().where('project_id', 'in', [projectId, DEFAULT_CLASS]).where('user_id', '=', '').execute()
  const limits: Record<QuotaName, number> = { ...defaults }
  for (const owner of [DEFAULT_CLASS, projectId]) {
    for (const row of rows) if (row.project_id === owner && row.resource in limits) limits[row.resource as QuotaName] = row.hard_limit
  }
  return limits
}
