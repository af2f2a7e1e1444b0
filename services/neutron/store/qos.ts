/** QoS rules. */
import type { Q, QosRuleRow } from './tables.ts'

export async function qosRulesOf(db: Q, policyIds: readonly string[]): Promise<QosRuleRow[]> {
  if (policyIds.length === 0) return []
  return db.query.selectFrom('neutron_qos_rules').selectAll().where('qos_policy_id', 'in', policyIds).execute()
}

export async function minimumRulesOf(db: Q, policyIds: readonly string[]): Promise<QosRuleRow[]> {
  return (await qosRulesOf(db, policyIds)).filter((rule) => rule.type === 'minimum_bandwidth' || rule.type === 'minimum_packet_rate')
}

/** Routers whose floating IPs or gateways a policy limits. */
export async function routersBelow(db: Q, policyId: string): Promise<string[]> {
  const floating = await db.query.selectFrom('neutron_floatingips').select('router_id').where('qos_policy_id', '=', policyId).where('router_id', 'is not', null).execute()
  const gateways = await db.query.selectFrom('neutron_routers').select('id').where('external_gateway_info', 'like', `%${policyId}%`).execute()
  return [...new Set([...floating.map((row) => row.router_id!), ...gateways.map((row) => row.id)])]
}

/** Bound ports below a policy, by host: their own policy or their network's. */
export async function boundBelow(db: Q, policyId: string): Promise<Map<string, string[]>> {
  const rows = await db.query
    .selectFrom('neutron_ports')
    .select(['id', 'binding:host_id as host'])
    .where((eb) => eb.or([eb('qos_policy_id', '=', policyId), eb('qos_network_policy_id', '=', policyId)]))
    .where('binding:host_id', '!=', '')
    .execute()
  return new Map([...Map.groupBy(rows, (row) => row.host)].map(([host, own]) => [host, own.map((row) => row.id)]))
}
