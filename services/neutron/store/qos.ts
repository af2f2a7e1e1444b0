/** QoS rules. */
import type { Q, QosRuleRow } from './tables.ts'

export async function qosRulesOf(db: Q, policyIds: readonly string[]): Promise<QosRuleRow[]> {
  if (policyIds.length === 0) return []
  return db.query.selectFrom('neutron_qos_rules').selectAll().where('qos_policy_id', 'in', policyIds).execute()
}

export async function minimumRulesOf(db: Q, policyIds: readonly string[]): Promise<QosRuleRow[]> {
  return (await qosRulesOf(db, policyIds)).filter((rule) => rule.type === 'minimum_bandwidth' || rule.type === 'minimum_packet_rate')
}
