/**
 * Keystone's tables. An empty string stands where the wire has null in a column that is part of a unique key (a domain's own `domain_id`,
 * the `domain_id` of a role of the whole cloud), because NULLs never collide. `extra` holds what clients sent and Keystone does not name.
 */
export interface UserRow {
  id: string
  domain_id: string
  name: string
  enabled: number
  default_project_id: string | null
  options: string
  extra: string
  created_at: number
  last_active_at: number | null
  failed_auth_count: number
  failed_auth_at: number | null
  /** Tokens issued in this second (ms) or before are dead. */
  revoked_before: number
  /** 1: known by an identity provider alone. 2: one of ours, whom a provider knows, too. */
  federated: number
}

export interface PasswordRow {
  id: string
  user_id: string
  hash: string
  created_at: number
  expires_at: number | null
  /** Set by the user (1) or by an administrator (0). */
  self_service: number
  /** Rises with every new one. */
  generation: number
}

export interface ProjectRow {
  id: string
  name: string
  domain_id: string
  parent_id: string
  is_domain: number
  enabled: number
  description: string | null
  options: string
  extra: string
  revoked_before: number
}

export interface GroupRow {
  id: string
  domain_id: string
  name: string
  description: string | null
  extra: string
}

export interface RoleRow {
  id: string
  name: string
  domain_id: string
  description: string | null
  options: string
  extra: string
}

export interface AssignmentRow {
  actor_kind: 'user' | 'group'
  actor_id: string
  target_kind: 'project' | 'domain' | 'system'
  target_id: string
  role_id: string
  inherited: number
}

export interface EndpointRow {
  id: string
  service_id: string
  interface: string
  region_id: string | null
  url: string
  enabled: number
  extra: string
}

export interface ServiceRow {
  id: string
  type: string
  name: string | null
  description: string | null
  enabled: number
  extra: string
}

export interface RegionRow {
  id: string
  description: string
  parent_region_id: string | null
  extra: string
}

export interface RevocationRow {
  id: string
  audit_id: string | null
  audit_chain_id: string | null
  user_id: string | null
  project_id: string | null
  domain_id: string | null
  trust_id: string | null
  /** Milliseconds: tokens issued then or before. */
  issued_before: number
  revoked_at: number
  /** When no token that it concerns can still be alive. */
  forget_at: number
}

export interface TrustRow {
  id: string
  trustor_user_id: string
  trustee_user_id: string
  project_id: string | null
  impersonation: number
  expires_at: number | null
  /** What `expires_at` has beyond its milliseconds. */
  expires_us: number
  deleted_at: number | null
  remaining_uses: number | null
  redelegated_trust_id: string | null
  redelegation_count: number
  roles: string
  extra: string
}

export interface ApplicationCredentialRow {
  id: string
  user_id: string
  name: string
  project_id: string
  description: string | null
  secret_hash: string
  expires_at: number | null
  /** What `expires_at` has beyond its milliseconds. */
  expires_us: number
  unrestricted: number
  roles: string
  /** JSON list of access rule ids; null: no rules, everything. */
  access_rules: string | null
}

export interface AccessRuleRow {
  id: string
  user_id: string
  service: string
  path: string
  method: string
}

export interface CredentialRow {
  id: string
  user_id: string
  project_id: string | null
  type: string
  encrypted_blob: string
  /** Who made it with less than a whole login: `trust_id`, `app_cred_id`, `access_token_id`. */
  extra: string
}

export interface RegisteredLimitRow {
  id: string
  service_id: string
  region_id: string
  resource_name: string
  default_limit: number
  description: string | null
}

export interface LimitRow {
  id: string
  registered_limit_id: string
  project_id: string
  domain_id: string
  service_id: string
  region_id: string
  resource_name: string
  resource_limit: number
  description: string | null
}

export interface PolicyRow {
  id: string
  type: string
  blob: string
  extra: string
}

export interface PolicyAssociationRow {
  id: string
  policy_id: string
  endpoint_id: string
  service_id: string
  region_id: string
}

export interface EndpointGroupRow {
  id: string
  name: string
  description: string | null
  filters: string
}

export interface ConsumerRow {
  id: string
  description: string | null
  secret: string
  extra: string
}

export interface OauthTokenRow {
  id: string
  kind: 'request' | 'access'
  secret: string
  consumer_id: string
  project_id: string
  user_id: string | null
  roles: string
  verifier: string | null
  expires_at: number | null
}

export interface IdentityProviderRow {
  id: string
  domain_id: string
  enabled: number
  description: string | null
  authorization_ttl: number | null
}

export interface ProtocolRow {
  idp_id: string
  id: string
  mapping_id: string
  remote_id_attribute: string | null
}

export interface MappingRow {
  id: string
  rules: string
  schema_version: string
}

export interface ServiceProviderRow {
  id: string
  auth_url: string
  sp_url: string
  description: string | null
  enabled: number
  relay_state_prefix: string
}

export interface FederatedUserRow {
  user_id: string
  idp_id: string
  protocol_id: string
  unique_id: string
  display_name: string
}

/** A membership that a mapping gave; it ends unless renewed. */
export interface ExpiringMembershipRow {
  user_id: string
  group_id: string
  idp_id: string
  verified_at: number
}

export interface KeystoneTables {
  keystone_users: UserRow
  keystone_passwords: PasswordRow
  keystone_projects: ProjectRow
  keystone_project_tags: { project_id: string; name: string }
  keystone_groups: GroupRow
  keystone_memberships: { user_id: string; group_id: string }
  keystone_roles: RoleRow
  keystone_implied_roles: { prior_role_id: string; implied_role_id: string }
  keystone_assignments: AssignmentRow
  keystone_regions: RegionRow
  keystone_services: ServiceRow
  keystone_endpoints: EndpointRow
  keystone_revocations: RevocationRow
  keystone_epochs: { name: string; value: number }
  keystone_trusts: TrustRow
  keystone_application_credentials: ApplicationCredentialRow
  keystone_access_rules: AccessRuleRow
  keystone_credentials: CredentialRow
  keystone_registered_limits: RegisteredLimitRow
  keystone_limits: LimitRow
  keystone_policies: PolicyRow
  keystone_policy_associations: PolicyAssociationRow
  keystone_endpoint_groups: EndpointGroupRow
  keystone_project_endpoints: { endpoint_id: string; project_id: string }
  keystone_project_endpoint_groups: { endpoint_group_id: string; project_id: string }
  keystone_domain_config: { domain_id: string; config_group: string; config_option: string; value: string }
  keystone_consumers: ConsumerRow
  keystone_oauth_tokens: OauthTokenRow
  keystone_identity_providers: IdentityProviderRow
  keystone_idp_remote_ids: { remote_id: string; idp_id: string }
  keystone_protocols: ProtocolRow
  keystone_mappings: MappingRow
  keystone_service_providers: ServiceProviderRow
  keystone_federated_users: FederatedUserRow
  keystone_expiring_memberships: ExpiringMembershipRow
  keystone_used_once: { id: string; forget_at: number }
}
