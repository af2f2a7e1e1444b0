/** QoS rules. */
import type { Q, QosRuleRow } from './tables.ts'

export async function qosRulesOf(db: Q, policyIds: readonly string[]): Promise<QosRuleRow[]> {
  if (policyIds.length === 0) return []
  return db.query.selectFrom('neutron_qos_rules').selectAll().where('qos_policy_id', 'in', policyIds).execute()
}

export async function minimumRulesOf(db: Q, policyIds: readonly string[]): Promise<QosRuleRow[]> {
  return (await qosRulesOf(db, policyIds)).filter((rule) => rule.type === 'minimum_bandwidth' || rule.type === 'minimum_packet_rate')
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
