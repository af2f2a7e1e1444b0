/** Changing security groups and their rules. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Values } from '#neutron/core/body.ts'
import { type RuleAsk, ruleKey } from '#neutron/core/security-rules.ts'
import type { Neutron } from '#neutron/house.ts'
import { boundPorts, groupInUse, removeRulesAbout, rulesOf } from '#neutron/store/security-groups.ts'
import type { SecurityGroupRow, SecurityGroupRuleRow, T } from '#neutron/store/tables.ts'
import { ruleRow } from './default-group.ts'
import { removeRbacOf } from '#neutron/store/rbac.ts'
import { touch } from './standard.ts'
import { but, store } from '#neutron/store/store.ts'

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
  await store.groupRules.add(tx, rows)
  await touch(house, tx, 'neutron_security_groups', group)
  await tellPorts(house, tx, [group.id])
  return rows
}

async function remotesThere(tx: T, rows: readonly SecurityGroupRuleRow[]): Promise<void> {
  for (const id of new Set(rows.flatMap((row) => row.remote_group_id ?? []))) {
    if (!(await store.groups.one(tx, { id }, ['id']))) throw notFound(`Security group ${id} does not exist`, { code: 'SecurityGroupNotFound' })
  }
  for (const id of new Set(rows.flatMap((row) => row.remote_address_group_id ?? []))) {
    if (!(await store.addressGroups.one(tx, { id }, ['id']))) throw notFound(`Address group ${id} could not be found.`, { code: 'AddressGroupNotFound' })
  }
}

/** Ports that use these groups are wired anew. */
export async function tellPorts(house: Neutron, tx: T, groupIds: readonly string[]): Promise<void> {
  for (const [host, ports] of await boundPorts(tx, groupIds)) house.notices.changed(tx, { ports }, host)
}

export async function removeRule(house: Neutron, tx: T, rule: SecurityGroupRuleRow): Promise<void> {
  await store.groupRules.drop(tx, { id: rule.id })
  const group = await store.groups.one(tx, { id: rule.security_group_id }, ['id', 'revision_number'])
  if (group) await touch(house, tx, 'neutron_security_groups', group)
  await tellPorts(house, tx, [rule.security_group_id])
}

export async function deleteGroup(house: Neutron, tx: T, group: SecurityGroupRow, admin: boolean): Promise<void> {
  if (group.is_default && !admin) throw conflict('Insufficient rights for removing default security group.', { code: 'SecurityGroupCannotRemoveDefault' })
  if (await groupInUse(tx, group.id)) throw conflict(`Security Group ${group.id} in use.`, { code: 'SecurityGroupInUse' })
  const remote = await store.groupRules.all(tx, { remote_group_id: group.id, security_group_id: but(group.id) }, ['security_group_id'])
  await removeRulesAbout(tx, group.id)
  if (group.is_default) await store.defaultGroups.drop(tx, { project_id: group.project_id })
  if (group.shared_with !== '[]') await removeRbacOf(tx, 'security_group', group.id)
  await store.logs.drop(tx, { resource_id: group.id })
  await store.groups.drop(tx, { id: group.id })
  if (remote.length > 0) await tellPorts(house, tx, [...new Set(remote.map((one) => one.security_group_id))])
}

export function oneGroup(wishes: readonly Values[]): string {
  const ids = new Set(wishes.map((one) => one.security_group_id as string))
  if (ids.size > 1) throw invalid('Only allowed to update rules for one security profile at a time', { code: 'SecurityGroupNotSingleGroupRules' })
  return [...ids][0]!
}
