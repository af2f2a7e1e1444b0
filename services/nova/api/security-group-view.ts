/** Security groups as Nova showed them when it had its own: only what lets in, addresses and ports in one line. */
import { listSecurityGroups, type SecurityGroup, type SecurityGroupRule } from '#neutron/contract/security-group.ts'
import type { Caller } from '#stack/client.ts'
import type { Nova } from '../house.ts'

type Named = Pick<SecurityGroup, 'id' | 'name' | 'project_id'>

export async function securityGroupViews(nova: Nova, caller: Caller, groups: readonly SecurityGroup[]): Promise<Record<string, unknown>[]> {
  const sources = await sourceGroups(nova, caller, groups.flatMap((group) => group.security_group_rules), groups)
  return groups.map((group) => ({
    id: group.id,
    name: group.name,
    description: group.description,
    tenant_id: group.project_id,
    rules: group.security_group_rules.filter((rule) => rule.direction === 'ingress').flatMap((rule) => ruleView(rule, sources) ?? []),
  }))
}

export async function securityGroupRuleView(nova: Nova, caller: Caller, rule: SecurityGroupRule): Promise<Record<string, unknown> | undefined> {
  return ruleView(rule, await sourceGroups(nova, caller, [rule], []))
}

/** Groups that rules let in, by id. */
async function sourceGroups(nova: Nova, caller: Caller, rules: readonly SecurityGroupRule[], known: readonly Named[]): Promise<ReadonlyMap<string, Named>> {
  const found = new Map(known.map((group) => [group.id, group]))
  const missing = [...new Set(rules.flatMap((rule) => (rule.remote_group_id !== null && !found.has(rule.remote_group_id) ? [rule.remote_group_id] : [])))]
  if (missing.length > 0) {
    const { security_groups } = await nova.client.call(caller, 'neutron', listSecurityGroups, { query: { id: missing, fields: ['id', 'name', 'project_id', 'tenant_id'] } })
    for (const group of security_groups) found.set(group.id, group)
  }
  return found
}

/** undefined for a rule whose source the caller cannot see. */
function ruleView(rule: SecurityGroupRule, sources: ReadonlyMap<string, Named>): Record<string, unknown> | undefined {
  const source = rule.remote_group_id === null ? undefined : sources.get(rule.remote_group_id)
  if (rule.remote_group_id !== null && !source) return undefined
  const [from_port, to_port] = portsOf(rule)
  return {
    id: rule.id,
    parent_group_id: rule.security_group_id,
    ip_protocol: rule.protocol,
    from_port,
    to_port,
    group: source ? { name: source.name, tenant_id: source.project_id } : {},
    ip_range: source ? {} : { cidr: rule.remote_ip_prefix ?? (rule.ethertype === 'IPv6' ? '::/0' : '0.0.0.0/0') },
  }
}

/** All ports were written as numbers. */
function portsOf(rule: SecurityGroupRule): [number | null, number | null] {
  if (rule.protocol === null || rule.port_range_min !== null || rule.port_range_max !== null) return [rule.port_range_min, rule.port_range_max]
  return ['tcp', 'udp'].includes(rule.protocol.toLowerCase()) ? [1, 65_535] : [-1, -1]
}
