/** The catalog, limits, policies, filters, domain configuration and federation. */
import { blob, count, plain, flagOf, type ForeignKeystone, naive, word, words } from '../foreign-keystone.ts'
import { findRow, findRows } from '../rows.ts'
import type { Arrival } from './arrival.ts'

export async function importRest(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  await catalog(at, foreign)
  await limits(at, foreign)
  for (const row of foreign.policy) await at.put('keystone_policies', { id: word(row.id) }, { id: word(row.id), type: word(row.type), blob: textOf(plain(row.blob)), extra: JSON.stringify(blob(row.extra)) })
  for (const row of foreign.policy_association) {
    const key = { endpoint_id: word(row.endpoint_id), service_id: serviceOf(at, row.service_id), region_id: word(row.region_id) }
    await at.put('keystone_policy_associations', key, { id: word(row.id), policy_id: word(row.policy_id), ...key })
  }
  for (const row of foreign.endpoint_group) await at.put('keystone_endpoint_groups', { id: word(row.id) }, { id: word(row.id), name: word(row.name), description: words(row.description), filters: JSON.stringify(blob(row.filters)) })
  for (const row of foreign.project_endpoint) {
    const key = { endpoint_id: word(row.endpoint_id), project_id: word(row.project_id) }
    await at.put('keystone_project_endpoints', key, key)
  }
  for (const row of foreign.project_endpoint_group) {
    const key = { endpoint_group_id: word(row.endpoint_group_id), project_id: word(row.project_id) }
    await at.put('keystone_project_endpoint_groups', key, key)
  }
  for (const row of [...foreign.whitelisted_config, ...foreign.sensitive_config]) {
    const key = { domain_id: word(row.domain_id), config_group: word(row.group), config_option: word(row.option) }
    await at.put('keystone_domain_config', key, { ...key, value: typeof row.value === 'string' ? row.value : JSON.stringify(row.value) })
  }
  await federation(at, foreign)
}

/** A policy is text of any kind. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

const serviceOf = (at: Arrival, id: unknown): string => at.services.get(word(id)) ?? word(id)

async function catalog(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  for (const row of foreign.region) await at.put('keystone_regions', { id: word(row.id) }, { id: word(row.id), description: word(row.description), parent_region_id: words(row.parent_region_id), extra: JSON.stringify(blob(row.extra)) })
  for (const row of foreign.service) {
    const { name, description, ...extra } = blob(row.extra)
    const known = await findRow(at.tx, 'keystone_services', { id: word(row.id) })
    const ours = known ?? (await findRows(at.tx, 'keystone_services', { type: word(row.type) }))[0]
    at.services.set(word(row.id), ours?.id ?? word(row.id))
    if (ours && !known) at.note(`The service ${words(name) ?? ''} of type ${word(row.type)} is here already: its endpoints stay as they are.`)
    if (!ours) await at.put('keystone_services', { id: word(row.id) }, { id: word(row.id), type: word(row.type), name: words(name), description: words(description), enabled: flagOf(row.enabled, 1), extra: JSON.stringify(extra) })
  }
  for (const row of foreign.endpoint) {
    const service_id = word(row.service_id)
    if (serviceOf(at, service_id) !== service_id) continue
    await at.put('keystone_endpoints', { id: word(row.id) }, { id: word(row.id), service_id, interface: word(row.interface), region_id: words(row.region_id), url: word(row.url), enabled: flagOf(row.enabled, 1), extra: JSON.stringify(blob(row.extra)) })
  }
}

async function limits(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  const registered = new Map<string, { id: string; service_id: string; region_id: string; resource_name: string }>()
  for (const row of foreign.registered_limit) {
    const key = { service_id: serviceOf(at, row.service_id), region_id: word(row.region_id), resource_name: word(row.resource_name) }
    const ours = await findRow(at.tx, 'keystone_registered_limits', key)
    const id = ours?.id ?? word(row.id)
    registered.set(word(row.id), { id, ...key })
    if (!ours) await at.put('keystone_registered_limits', { id }, { id, ...key, default_limit: count(row.default_limit), description: words(row.description) })
  }
  for (const row of foreign.limit) {
    const base = registered.get(word(row.registered_limit_id))
    if (!base) continue
    const key = { project_id: word(row.project_id), domain_id: word(row.domain_id), registered_limit_id: base.id }
    await at.put('keystone_limits', key, { id: word(row.id), ...key, service_id: base.service_id, region_id: base.region_id, resource_name: base.resource_name, resource_limit: count(row.resource_limit), description: words(row.description) })
  }
}

async function federation(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  for (const row of foreign.identity_provider) {
    await at.put('keystone_identity_providers', { id: word(row.id) }, { id: word(row.id), domain_id: word(row.domain_id), enabled: flagOf(row.enabled), description: words(row.description), authorization_ttl: row.authorization_ttl === null || row.authorization_ttl === undefined ? null : count(row.authorization_ttl) })
  }
  for (const row of foreign.idp_remote_ids) await at.put('keystone_idp_remote_ids', { remote_id: word(row.remote_id) }, { remote_id: word(row.remote_id), idp_id: word(row.idp_id) })
  for (const row of foreign.mapping) await at.put('keystone_mappings', { id: word(row.id) }, { id: word(row.id), rules: JSON.stringify(typeof plain(row.rules) === 'string' ? plain(plain(row.rules)) : plain(row.rules)), schema_version: words(row.schema_version) ?? '1.0' })
  for (const row of foreign.federation_protocol) {
    await at.put('keystone_protocols', { idp_id: word(row.idp_id), id: word(row.id) }, { idp_id: word(row.idp_id), id: word(row.id), mapping_id: word(row.mapping_id), remote_id_attribute: words(row.remote_id_attribute) })
  }
  for (const row of foreign.service_provider) {
    await at.put('keystone_service_providers', { id: word(row.id) }, { id: word(row.id), auth_url: word(row.auth_url), sp_url: word(row.sp_url), description: words(row.description), enabled: flagOf(row.enabled), relay_state_prefix: word(row.relay_state_prefix) })
  }
  for (const row of foreign.federated_user) {
    const key = { user_id: word(row.user_id), idp_id: word(row.idp_id), protocol_id: word(row.protocol_id) }
    await at.put('keystone_federated_users', key, { ...key, unique_id: word(row.unique_id), display_name: words(row.display_name) ?? word(row.unique_id) })
  }
  for (const row of foreign.expiring_user_group_membership) {
    const key = { user_id: word(row.user_id), group_id: word(row.group_id), idp_id: word(row.idp_id) }
    await at.put('keystone_expiring_memberships', key, { ...key, verified_at: naive(row.last_verified) ?? 0 })
  }
}
