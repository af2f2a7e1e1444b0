/** From the answer of `GET /v3/auth/tokens` to what the corridor wants to know, for processes that ask Keystone over the wire. */
import type { TokenFacts } from '#stack/context.ts'
import type { TokenBody } from './types.ts'

export function factsOfBody(token: TokenBody): TokenFacts {
  const trust = token['OS-TRUST:trust']
  const credential = token.application_credential
  return {
    user_id: token.user.id,
    user_name: token.user.name,
    user_domain_id: token.user.domain.id,
    user_domain_name: token.user.domain.name,
    ...(token.project ? { project_id: token.project.id, project_name: token.project.name, project_domain_id: token.project.domain.id, project_domain_name: token.project.domain.name } : {}),
    ...(token.domain ? { domain_id: token.domain.id, domain_name: token.domain.name } : {}),
    ...(token.system ? { system_scope: 'all' } : {}),
    roles: (token.roles ?? []).map((role) => role.name),
    role_ids: (token.roles ?? []).map((role) => role.id),
    ...(trust ? { trust_id: trust.id, trustor_id: trust.trustor_user.id, trustee_id: trust.trustee_user.id } : {}),
    ...(credential ? { application_credential_id: credential.id, ...(credential.access_rules ? { access_rules: credential.access_rules } : {}) } : {}),
    ...(token.oauth2_credential ? { thumbprint: token.oauth2_credential['x5t#S256'] } : {}),
    expires_at: Date.parse(token.expires_at),
    issued_at: Date.parse(token.issued_at),
    methods: token.methods,
    audit_ids: token.audit_ids,
  }
}
