/** Changing security groups and their rules. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Values } from '#neutron/core/body.ts'
import { type RuleAsk, ruleKey } from '#neutron/core/security-rules.ts'
import type { Neutron } from '#neutron/house.ts'
import { boundPorts, groupInUse, rulesOf } from '#neutron/store/security-groups.ts'
import type { SecurityGroupRow, SecurityGroupRuleRow, T } from '#neutron/store/tables.ts'
import { ruleRow } from './default-group.ts'
import { removeRbacOf } from '#neutron/store/rbac.ts'
import { touch } from './standard.ts'

export const ruleAsk = (values: Values): RuleAsk => ({
  direction: values.direction as string,
  ethertype: (values.ethertype as string | undefined) ?? 'IPv4',
  protocol: (values.protocol as string | null | undefined) ?? null,
  port_range_min: (values.port_range_min as number | null | undefined) ?? null,
  port_range_max: (values.port_range_max as number | null | undefined) ?? null,
  remote_ip_prefix: (values.remote_ip_prefix as string | null | undefined) ?? null,
  remote_group_id: (values.remote_group_id as string | null | undefined) ?? null,
  remote_address_group_id: (values.remote_address_group_id as string | null | undefined) ?? null,
})

/** The rules are of one group, which the caller may change. */
export async function addRules(house: Neutron, tx: T, group: SecurityGroupRow, wishes: readonly Values[]): Promise<SecurityGroupRuleRow[]> {
  const existing = new Map((await rulesOf(tx, [group.id])).map((rule) => [ruleKey(rule), rule.id]))
  const rows = wishes.map((values) => {
    const row = ruleRow(house, group, ruleAsk(values), (values.description as string | undefined) ?? '')
    const key = ruleKey(row)
    const same = existing.get(key)
    if (same === 'new') throw conflict('Duplicate Security Group Rule in POST.', { code: 'DuplicateSecurityGroupRuleInPost' })
    if (same) throw conflict(`Security group rule already exists. Rule id is ${same}.`, { code: 'SecurityGroupRuleExists' })
    existing.set(key, 'new')
    return { ...row, project_id: (values.project_id as string | undefined) ?? group.project_id }
  })
  await remotesThere(tx, rows)
  await tx.query.insertInto('neutron_security_group_rules').values(rows).execute()
  await touch(house, tx, 'neutron_security_groups', group)
  await tellPorts(house, tx, [group.id])
  return rows
}

async function remotesThere(tx: T, rows: readonly SecurityGroupRuleRow[]): Promise<void> {
  for (const id of new Set(rows.flatMap((row) => row.remote_group_id ?? []))) {
    if (!(await tx.query.selectFrom('neutron_security_groups').select('id').where('id', '=', id).executeTakeFirst())) throw notFound(`Security group ${id} does not exist`, { code: 'SecurityGroupNotFound' })
  }
  for (const id of new Set(rows.flatMap((row) => row.remote_address_group_id ?? []))) {
    if (!(await tx.query.selectFrom('neutron_address_groups').select('id').where('id', '=', id).executeTakeFirst())) throw notFound(`Address group ${id} could not be found.`, { code: 'AddressGroupNotFound' })
  }
}

/** Ports that use these groups are wired anew. */
export async function tellPorts(house: Neutron, tx: T, groupIds: readonly string[]): Promise<void> {
  for (const [host, ports] of await boundPorts(tx, groupIds)) house.notices.changed(tx, { ports }, host)
}

export async function removeRule(house: Neutron, tx: T, rule: SecurityGroupRuleRow): Promise<void> {
  await tx.query.deleteFrom('neutron_security_group_rules').where('id', '=', rule.id).execute()
  const group = await tx.query.selectFrom('neutron_security_groups').select(['id', 'revision_number']).where('id', '=', rule.security_group_id).executeTakeFirst()
  if (group) await touch(house, tx, 'neutron_security_groups', group)
  await tellPorts(house, tx, [rule.security_group_id])
}

export async function deleteGroup(house: Neutron, tx: T, group: SecurityGroupRow, admin: boolean): Promise<void> {
  if (group.is_default && !admin) throw conflict('Insufficient rights for removing default security group.', { code: 'SecurityGroupCannotRemoveDefault' })
  if (await groupInUse(tx, group.id)) throw conflict(`Security Group ${group.id} in use.`, { code: 'SecurityGroupInUse' })
  const remote = await tx.query.selectFrom('neutron_security_group_rules').select('security_group_id').where('remote_group_id', '=', group.id).where('security_group_id', '!=', group.id).execute()
  await tx.query.deleteFrom('neutron_security_group_rules').where((eb) => eb.or([eb('security_group_id', '=', group.id), eb('remote_group_id', '=', group.id)])).execute()
  if (group.is_default) await tx.query.deleteFrom('neutron_default_groups').where('project_id', '=', group.project_id).execute()
  if (group.shared_with !== '[]') await removeRbacOf(tx, 'security_group', group.id)
  await tx.query.deleteFrom('neutron_logs' as never).where('resource_id' as never, '=', group.id as never).execute()
  await tx.query.deleteFrom('neutron_security_groups').where('id', '=', group.id).execute()
  if (remote.length > 0) await tellPorts(house, tx, [...new Set(remote.map((one) => one.security_group_id))])
}

export function oneGroup(wishes: readonly Values[]): string {
  const ids = new Set(wishes.map((one) => one.security_group_id as string))
  if (ids.size > 1) throw invalid('Only allowed to update rules for one security profile at a time', { code: 'SecurityGroupNotSingleGroupRules' })
  return [...ids][0]!
}
