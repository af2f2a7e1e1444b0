/** Security groups: their rules, and the ports that use them. */
import { rowsIn } from './rows.ts'
import type { Q, SecurityGroupRuleRow } from './tables.ts'

export async function rulesOf(db: Q, groupIds: readonly string[]): Promise<SecurityGroupRuleRow[]> {
  return (await rowsIn(db as never, 'neutron_security_group_rules', 'security_group_id', groupIds)) as unknown as SecurityGroupRuleRow[]
}

/** Bound ports of these groups, by host. */
export async function boundPorts(db: Q, groupIds: readonly string[]): Promise<Map<string, string[]>> {
  if (groupIds.length === 0) return new Map()
  const rows = await db.query
    .selectFrom('neutron_port_security_groups')
    .innerJoin('neutron_ports', 'neutron_ports.id', 'port_id')
    .select(['port_id', 'binding:host_id as host'])
    .where('security_group_id', 'in', groupIds)
    .where('binding:host_id', '!=', '')
    .distinct()
    .execute()
  const out = new Map<string, string[]>()
  for (const row of rows) out.set(row.host, [...(out.get(row.host) ?? []), row.port_id])
  return out
}

/** Those of the groups that some rule lets in by name: only of these must hosts know the members. */
export async function remoteAmong(db: Q, groupIds: readonly string[]): Promise<string[]> {
  const rules = await rowsIn(db as never, 'neutron_security_group_rules', 'remote_group_id', groupIds, ['remote_group_id'])
  return [...new Set(rules.map((rule) => rule.remote_group_id as string))]
}

export async function groupInUse(db: Q, groupId: string): Promise<boolean> {
  return (await db.query.selectFrom('neutron_port_security_groups').select('port_id').where('security_group_id', '=', groupId).executeTakeFirst()) !== undefined
}

/** What a project said of groups that say nothing themselves. */
export async function statefulByDefault(db: Q, project: string): Promise<boolean> {
  return (await db.query.selectFrom('neutron_sg_statefulness').select('stateful').where('project_id', '=', project).executeTakeFirst())?.stateful !== 0
}

/** Projects whose ports use the group. */
export async function projectsUsing(db: Q, groupId: string): Promise<string[]> {
  const rows = await db.query.selectFrom('neutron_port_security_groups').innerJoin('neutron_ports', 'neutron_ports.id', 'port_id').select('project_id').where('security_group_id', '=', groupId).distinct().execute()
  return rows.map((row) => row.project_id)
}

/** The group's own rules, and those of others that name it. */
export async function removeRulesAbout(db: Q, groupId: string): Promise<void> {
  await db.query.deleteFrom('neutron_security_group_rules').where((eb) => eb.or([eb('security_group_id', '=', groupId), eb('remote_group_id', '=', groupId)])).execute()
}
