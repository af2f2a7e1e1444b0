/** The group `default` of every project, made by itself when it is first needed, and the rules that new groups begin with. */
import type { Neutron } from '#neutron/house.ts'
import type { RuleAsk } from '#neutron/core/security-rules.ts'
import type { DefaultRuleRow, SecurityGroupRow, SecurityGroupRuleRow, T, Q } from '#neutron/store/tables.ts'
import { checkRule } from '#neutron/core/security-rules.ts'
import { born } from './standard.ts'
import { store } from '#neutron/store/store.ts'

export async function defaultGroupId(db: Q, project: string): Promise<string | undefined> {
  return (await store.defaultGroups.one(db, { project_id: project }, ['security_group_id']))?.security_group_id
}

/** Its id, made if it is not there. */
export async function ensureDefaultGroup(house: Neutron, tx: T, project: string): Promise<string> {
  const known = await defaultGroupId(tx, project)
  if (known) return known
  const id = house.world.random.uuid()
  await store.defaultGroups.add(tx, { project_id: project, security_group_id: id })
  await insertGroup(house, tx, { id, project_id: project, name: 'default', description: 'Default security group', is_default: 1, stateful: 1 })
  return id
}

export async function insertGroup(house: Neutron, tx: T, given: Pick<SecurityGroupRow, 'id' | 'project_id' | 'name' | 'description' | 'is_default' | 'stateful'>): Promise<SecurityGroupRow> {
  const row: SecurityGroupRow = { ...given, shared_with: '[]', tags: '[]', ...born(house) }
  await store.groups.add(tx, row)
  const templates = (await store.defaultRules.all(tx, {})).filter((one) => (given.is_default ? one.used_in_default_sg : one.used_in_non_default_sg))
  const rules = templates.map((template) => ruleFrom(house, row, template))
  if (rules.length > 0) await store.groupRules.add(tx, rules)
  return row
}

function ruleFrom(house: Neutron, group: SecurityGroupRow, template: DefaultRuleRow): SecurityGroupRuleRow {
  const { id: _, used_in_default_sg: _d, used_in_non_default_sg: _n, description, ...rule } = template
  return ruleRow(house, group, { ...rule, remote_group_id: rule.remote_group_id === 'PARENT' ? group.id : rule.remote_group_id }, description)
}

export function ruleRow(house: Neutron, group: Pick<SecurityGroupRow, 'id' | 'project_id' | 'is_default'>, rule: RuleAsk, description: string | null): SecurityGroupRuleRow {
  const checked = checkRule(rule)
  return { id: house.world.random.uuid(), project_id: group.project_id, security_group_id: group.id, ...(checked as RuleAsk & { normalized_cidr: string | null }), belongs_to_default_sg: group.is_default, description: description ?? '', ...born(house) }
}
