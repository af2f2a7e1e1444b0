/** Names of limits by version, and their names in `limits`. */
import { type ApiVersion, v } from '#stack/version.ts'
import type { QuotaName } from '../config.ts'

/** Kept by Nova for old clients and used by nobody: Neutron has its own. */
export const NETWORK_QUOTAS = ['fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules'] as const
const INJECTED: readonly QuotaName[] = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes']
const GROUPS: readonly QuotaName[] = ['server_groups', 'server_group_members']
const ALWAYS: readonly QuotaName[] = ['instances', 'cores', 'ram', 'metadata_items', 'key_pairs']

/** Resources of `os-quota-sets`. */
export function quotaNames(version: ApiVersion): string[] {
  return [...ALWAYS, ...GROUPS, ...(version < v('2.57') ? INJECTED : []), ...(version < v('2.36') ? NETWORK_QUOTAS : [])]
}

/** Resources of `os-quota-class-sets`: server groups came later here, and the network's went then. */
export function classQuotaNames(version: ApiVersion): string[] {
  return [...ALWAYS, ...(version < v('2.50') ? NETWORK_QUOTAS : GROUPS), ...(version < v('2.57') ? INJECTED : [])]
}

/** Fields of `GET /limits`: quota, name on the wire, last version that has it. */
export const LIMIT_FIELDS: readonly { name: string; quota: string; until?: ApiVersion }[] = [
  { name: 'maxTotalInstances', quota: 'instances' },
  { name: 'maxTotalCores', quota: 'cores' },
  { name: 'maxTotalRAMSize', quota: 'ram' },
  { name: 'maxServerMeta', quota: 'metadata_items' },
  { name: 'maxImageMeta', quota: 'metadata_items', until: v('2.38') },
  { name: 'maxTotalKeypairs', quota: 'key_pairs' },
  { name: 'maxServerGroups', quota: 'server_groups' },
  { name: 'maxServerGroupMembers', quota: 'server_group_members' },
  { name: 'maxPersonality', quota: 'injected_files', until: v('2.56') },
  { name: 'maxPersonalitySize', quota: 'injected_file_content_bytes', until: v('2.56') },
  { name: 'maxTotalFloatingIps', quota: 'floating_ips', until: v('2.35') },
  { name: 'maxSecurityGroups', quota: 'security_groups', until: v('2.35') },
  { name: 'maxSecurityGroupRules', quota: 'security_group_rules', until: v('2.35') },
]
