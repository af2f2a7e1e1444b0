/** What a port shows beside its columns: names in DNS, what it asks of placement, and the trunk it leads. */
import type { Values } from '#neutron/core/body.ts'
import { rawJson } from '#neutron/core/view.ts'
import type { Neutron } from '#neutron/house.ts'
import { minimumRulesOf } from '#neutron/store/qos.ts'
import type { PortRow, Q, QosRuleRow } from '#neutron/store/tables.ts'
import { trunkDetails } from '#neutron/store/trunks.ts'

export async function portValues(house: Neutron, db: Q, rows: readonly PortRow[], wanted: (name: string) => boolean): Promise<(row: PortRow) => Values> {
  const policies = wanted('resource_request') ? [...new Set(rows.flatMap((row) => row.qos_policy_id ?? row.qos_network_policy_id ?? []))] : []
  const rules = Map.groupBy(policies.length > 0 ? await minimumRulesOf(db, policies) : [], (rule) => rule.qos_policy_id)
  const leaders = wanted('trunk_details') ? rows.filter((row) => Number((row as { trunks?: unknown }).trunks ?? 1) > 0) : []
  const trunks = leaders.length > 0 ? await trunkDetails(db, leaders.map((row) => row.id)) : undefined
  const domain = house.config.dns_domain.replace(/\.?$/, '.')
  return (row) => ({
    ...(wanted('dns_assignment') ? { dns_assignment: rawJson(dnsAssignment(row, domain)) } : {}),
    resource_request: resourceRequest(row, rules.get(row.qos_policy_id ?? row.qos_network_policy_id ?? '')),
    trunk_details: trunks?.get(row.id),
  })
}

/** As JSON text: names and addresses hold nothing that JSON would escape. */
function dnsAssignment(row: Pick<PortRow, 'fixed_ips' | 'dns_name'>, domain: string): string {
  if (row.fixed_ips === '[]') return '[]'
  let text = ''
  for (const [, address] of row.fixed_ips.matchAll(ADDRESS)) {
    const hostname = row.dns_name || `host-${address!.replaceAll('.', '-').replaceAll(':', '-')}`
    const fqdn = hostname.endsWith('.') ? hostname : `${hostname}.${domain}`
    text += `${text === '' ? '' : ','}{"ip_address":"${address!}","hostname":"${hostname}","fqdn":"${fqdn}"}`
  }
  return `[${text}]`
}

const ADDRESS = /"ip_address":"([^"]+)"/g

/** Resource classes by direction, as placement knows them. */
function resourceRequest(row: PortRow, rules: readonly QosRuleRow[] | undefined): object | null {
  if (!rules || rules.length === 0) return null
  const groups: { id: string; required: string[]; resources: Record<string, number> }[] = []
  const vnic = `CUSTOM_VNIC_TYPE_${row['binding:vnic_type'].replaceAll('-', '_').toUpperCase()}`
  for (const [type, ofType] of Map.groupBy(rules, (rule) => rule.type)) {
    const resources: Record<string, number> = {}
    for (const rule of ofType) {
      const direction = rule.direction === 'ingress' ? 'IGR' : 'EGR'
      if (type === 'minimum_bandwidth') resources[`NET_BW_${direction}_KILOBIT_PER_SEC`] = rule.min_kbps!
      else resources[rule.direction === 'any' ? 'NET_PACKET_RATE_KILOPACKET_PER_SEC' : `NET_PACKET_RATE_${direction}_KILOPACKET_PER_SEC`] = rule.min_kpps!
    }
    groups.push({ id: groupId(row.id, type), required: [vnic], resources })
  }
  return { request_groups: groups, same_subtree: groups.map((group) => group.id) }
}

/** The same for the same port and type: the port's own id, marked by the type. */
function groupId(portId: string, type: string): string {
  return `${portId.slice(0, 14)}5${portId.slice(15, 35)}${type === 'minimum_bandwidth' ? 'b' : 'a'}`
}
