/** The tables as of the first release. */
import { big, flag, id, int, json, type Migration, nullable, string, text } from '#base/sql/table.ts'

export const initial: Migration = {
  name: '0001-initial',
  async up(m) {
    await m.createTable(
      'keystone_users',
      {
        id: id(), domain_id: id(), name: string(), enabled: flag(), default_project_id: nullable(id()), options: json(), extra: json(), created_at: big(),
        last_active_at: nullable(big()), failed_auth_count: int(), failed_auth_at: nullable(big()), revoked_before: big(), federated: flag(),
      },
      { primary: ['id'], unique: [['domain_id', 'name']], index: [['default_project_id']] },
    )
    await m.createTable('keystone_passwords', { id: id(), user_id: id(), hash: text(), created_at: big(), expires_at: nullable(big()), self_service: flag(), generation: int() }, { primary: ['id'], unique: [['user_id', 'generation']], index: [['expires_at']] })
    await m.createTable(
      'keystone_projects',
      { id: id(), name: string(), domain_id: id(), parent_id: id(), is_domain: flag(), enabled: flag(), description: nullable(text()), options: json(), extra: json(), revoked_before: big() },
      { primary: ['id'], unique: [['domain_id', 'name']], index: [['parent_id'], ['is_domain']] },
    )
    await m.createTable('keystone_project_tags', { project_id: id(), name: string() }, { primary: ['project_id', 'name'], index: [['name']] })
    await m.createTable('keystone_groups', { id: id(), domain_id: id(), name: string(), description: nullable(text()), extra: json() }, { primary: ['id'], unique: [['domain_id', 'name']] })
    await m.createTable('keystone_memberships', { user_id: id(), group_id: id() }, { primary: ['user_id', 'group_id'], index: [['group_id']] })
    await m.createTable('keystone_roles', { id: id(), name: string(), domain_id: id(), description: nullable(text()), options: json(), extra: json() }, { primary: ['id'], unique: [['domain_id', 'name']] })
    await m.createTable('keystone_implied_roles', { prior_role_id: id(), implied_role_id: id() }, { primary: ['prior_role_id', 'implied_role_id'] })
    await m.createTable(
      'keystone_assignments',
      { actor_kind: string(8), actor_id: id(), target_kind: string(8), target_id: id(), role_id: id(), inherited: flag() },
      { primary: ['actor_id', 'target_id', 'role_id', 'inherited', 'actor_kind', 'target_kind'], index: [['target_id'], ['role_id']] },
    )
    await m.createTable('keystone_regions', { id: string(), description: text(), parent_region_id: nullable(string()), extra: json() }, { primary: ['id'] })
    await m.createTable('keystone_services', { id: id(), type: string(), name: nullable(string()), description: nullable(text()), enabled: flag(), extra: json() }, { primary: ['id'] })
    await m.createTable('keystone_endpoints', { id: id(), service_id: id(), interface: string(16), region_id: nullable(string()), url: text(), enabled: flag(), extra: json() }, { primary: ['id'], index: [['service_id'], ['region_id']] })
    await m.createTable(
      'keystone_revocations',
      {
        id: id(), audit_id: nullable(id()), audit_chain_id: nullable(id()), user_id: nullable(id()), project_id: nullable(id()), domain_id: nullable(id()), trust_id: nullable(id()),
        issued_before: big(), revoked_at: big(), forget_at: big(),
      },
      { primary: ['id'], index: [['audit_id'], ['audit_chain_id'], ['forget_at'], ['revoked_at']] },
    )
    await m.createTable('keystone_epochs', { name: id(), value: big() }, { primary: ['name'] })
    await m.query.insertInto('keystone_epochs').values([{ name: 'judgement', value: 1 }, { name: 'tables', value: 1 }]).execute()
    await m.createTable(
      'keystone_trusts',
      {
        id: id(), trustor_user_id: id(), trustee_user_id: id(), project_id: nullable(id()), impersonation: flag(), expires_at: nullable(big()), expires_us: int(), deleted_at: nullable(big()), remaining_uses: nullable(int()),
        redelegated_trust_id: nullable(id()), redelegation_count: int(), roles: json(), extra: json(),
      },
      { primary: ['id'], index: [['trustor_user_id'], ['trustee_user_id'], ['project_id'], ['redelegated_trust_id']] },
    )
    await m.createTable(
      'keystone_application_credentials',
      {
        id: id(), user_id: id(), name: string(), project_id: id(), description: nullable(text()), secret_hash: text(), expires_at: nullable(big()), expires_us: int(), unrestricted: flag(), roles: json(), access_rules: nullable(json()),
      },
      { primary: ['id'], unique: [['user_id', 'name']], index: [['project_id']] },
    )
    await m.createTable('keystone_access_rules', { id: id(), user_id: id(), service: string(64), path: string(255), method: string(16) }, { primary: ['id'], index: [['user_id']] })
    await m.createTable('keystone_credentials', { id: id(), user_id: id(), project_id: nullable(id()), type: string(), encrypted_blob: text(), extra: json() }, { primary: ['id'], index: [['user_id'], ['project_id']] })
    await m.createTable('keystone_registered_limits', { id: id(), service_id: id(), region_id: string(), resource_name: string(), default_limit: big(), description: nullable(text()) }, { primary: ['id'], unique: [['service_id', 'region_id', 'resource_name']] })
    await m.createTable(
      'keystone_limits',
      { id: id(), registered_limit_id: id(), project_id: id(), domain_id: id(), service_id: id(), region_id: string(), resource_name: string(), resource_limit: big(), description: nullable(text()) },
      { primary: ['id'], unique: [['project_id', 'domain_id', 'registered_limit_id']], index: [['registered_limit_id']] },
    )
    await m.createTable('keystone_policies', { id: id(), type: string(), blob: text(), extra: json() }, { primary: ['id'] })
    await m.createTable('keystone_policy_associations', { id: id(), policy_id: id(), endpoint_id: id(), service_id: id(), region_id: string() }, { primary: ['id'], unique: [['endpoint_id', 'service_id', 'region_id']], index: [['policy_id']] })
    await m.createTable('keystone_endpoint_groups', { id: id(), name: string(), description: nullable(text()), filters: json() }, { primary: ['id'] })
    await m.createTable('keystone_project_endpoints', { endpoint_id: id(), project_id: id() }, { primary: ['endpoint_id', 'project_id'], index: [['project_id']] })
    await m.createTable('keystone_project_endpoint_groups', { endpoint_group_id: id(), project_id: id() }, { primary: ['endpoint_group_id', 'project_id'], index: [['project_id']] })
    await m.createTable('keystone_domain_config', { domain_id: id(), config_group: string(), config_option: string(), value: json() }, { primary: ['domain_id', 'config_group', 'config_option'] })
    await m.createTable('keystone_consumers', { id: id(), description: nullable(text()), secret: string(64), extra: json() }, { primary: ['id'] })
    await m.createTable(
      'keystone_oauth_tokens',
      { id: id(), kind: string(8), secret: string(64), consumer_id: id(), project_id: id(), user_id: nullable(id()), roles: json(), verifier: nullable(string(64)), expires_at: nullable(big()) },
      { primary: ['id'], index: [['consumer_id'], ['user_id']] },
    )
    await m.createTable('keystone_identity_providers', { id: id(), domain_id: id(), enabled: flag(), description: nullable(text()), authorization_ttl: nullable(int()) }, { primary: ['id'] })
    await m.createTable('keystone_idp_remote_ids', { remote_id: string(), idp_id: id() }, { primary: ['remote_id'], index: [['idp_id']] })
    await m.createTable('keystone_protocols', { idp_id: id(), id: id(), mapping_id: id(), remote_id_attribute: nullable(string(64)) }, { primary: ['idp_id', 'id'] })
    await m.createTable('keystone_mappings', { id: id(), rules: json(), schema_version: string(8) }, { primary: ['id'] })
    await m.createTable('keystone_service_providers', { id: id(), auth_url: string(), sp_url: string(), description: nullable(text()), enabled: flag(), relay_state_prefix: string() }, { primary: ['id'] })
    await m.createTable('keystone_federated_users', { user_id: id(), idp_id: id(), protocol_id: id(), unique_id: string(), display_name: string() }, { primary: ['user_id', 'idp_id', 'protocol_id'], unique: [['idp_id', 'protocol_id', 'unique_id']] })
    await m.createTable('keystone_expiring_memberships', { user_id: id(), group_id: id(), idp_id: id(), verified_at: big() }, { primary: ['user_id', 'group_id', 'idp_id'] })
    await m.createTable('keystone_used_once', { id: id(), forget_at: big() }, { primary: ['id'], index: [['forget_at']] })
  },
}
