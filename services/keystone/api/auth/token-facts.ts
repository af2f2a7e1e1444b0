/** What the corridors of all houses know of a token. */
import type { TokenFacts } from '#stack/context.ts'
import type { Judged } from './judgement.ts'

/** Kept beside the facts for Keystone's own policy and verbs. */
export interface OwnFacts extends TokenFacts {
  is_domain?: boolean
  /** The application credential may make no other credentials. */
  restricted?: boolean
  access_token_id?: string
  federated?: boolean
  group_ids?: readonly string[]
  'token.domain.id'?: string
  'token.project.domain.id'?: string
}

/** Under whose name the token acts: with an impersonating trust, the trustor's. */
export function actingUser(judged: Judged): { user: Judged['user']; domain: Judged['user_domain'] } {
  return judged.trust?.impersonation === 1 ? { user: judged.trustor!, domain: judged.trustor_domain! } : { user: judged.user, domain: judged.user_domain }
}

export function tokenFacts(judged: Judged): OwnFacts {
  const { record, project, project_domain, domain, trust, application_credential } = judged
  const acting = actingUser(judged)
  const facts: OwnFacts = {
    user_id: acting.user.id,
    user_name: acting.user.name,
    user_domain_id: acting.user.domain_id,
    user_domain_name: acting.domain.name,
    roles: judged.roles.map((role) => role.name),
    role_ids: judged.roles.map((role) => role.id),
    expires_at: record.expires_at,
    issued_at: record.issued_at,
    methods: record.methods,
    audit_ids: record.audit_ids,
  }
  if (project && project_domain) {
    Object.assign(facts, { project_id: project.id, project_name: project.name, project_domain_id: project_domain.id, project_domain_name: project_domain.name, 'token.project.domain.id': project_domain.id })
    if (project.is_domain === 1) facts.is_domain = true
  }
  if (domain) Object.assign(facts, { domain_id: domain.id, domain_name: domain.name, 'token.domain.id': domain.id })
  if (record.system !== undefined) facts.system_scope = 'all'
  if (trust) Object.assign(facts, { trust_id: trust.id, trustor_id: trust.trustor_user_id, trustee_id: trust.trustee_user_id })
  if (application_credential) {
    facts.application_credential_id = application_credential.id
    if (application_credential.unrestricted !== 1) facts.restricted = true
    if (judged.access_rules) facts.access_rules = judged.access_rules.map(({ id, service, method, path }) => ({ id, service, method, path }))
  }
  if (record.thumbprint !== undefined) facts.thumbprint = record.thumbprint
  if (judged.oauth) facts.access_token_id = judged.oauth.id
  if (record.identity_provider_id !== undefined) Object.assign(facts, { federated: true, group_ids: record.group_ids ?? [] })
  return facts
}
