/** The answer of `/v3/auth/tokens`. */
import type { CatalogService } from '#stack/context.ts'
import type { KeystoneConfig } from '../../config.ts'
import type { NamedId, TokenBody } from '../../contract/types.ts'
import { catalogOf } from '../../core/catalog.ts'
import { naiveInstantOr, wireInstant } from '../../core/instant.ts'
import type { MemoryTables } from '../../store/memory-tables.ts'
import type { Judged } from './judgement.ts'
import { actingUser } from './token-facts.ts'

const named = ({ id, name }: NamedId): NamedId => ({ id, name })

export function tokenBody(judged: Judged, catalog: readonly CatalogService[] | undefined, serviceProviders: MemoryTables['serviceProviders'] = []): TokenBody {
  const { record, project, project_domain, domain, trust, application_credential: credential, oauth } = judged
  const acting = actingUser(judged)
  const body: TokenBody = {
    methods: [...record.methods],
    user: { domain: named(acting.domain), id: acting.user.id, name: acting.user.name, password_expires_at: naiveInstantOr(judged.password_expires_at) },
    audit_ids: [...record.audit_ids],
    expires_at: wireInstant(record.expires_at),
    issued_at: wireInstant(record.issued_at),
  }
  if (record.identity_provider_id !== undefined) {
    body.user['OS-FEDERATION'] = { groups: (record.group_ids ?? []).map((id) => ({ id })), identity_provider: { id: record.identity_provider_id }, protocol: { id: record.protocol_id } }
  }
  if (project && project_domain) {
    body.project = { domain: named(project_domain), id: project.id, name: project.name }
    body.is_domain = project.is_domain === 1
  }
  if (domain) body.domain = named(domain)
  if (record.system !== undefined) body.system = { all: true }
  if (judged.roles.length > 0) body.roles = judged.roles.map(named)
  if (trust) body['OS-TRUST:trust'] = { id: trust.id, impersonation: trust.impersonation === 1, trustor_user: { id: trust.trustor_user_id }, trustee_user: { id: trust.trustee_user_id } }
  if (record.thumbprint !== undefined) body.oauth2_credential = { 'x5t#S256': record.thumbprint }
  if (oauth) body['OS-OAUTH1'] = { access_token_id: oauth.id, consumer_id: oauth.consumer_id }
  if (credential) {
    body.application_credential = { id: credential.id, name: credential.name, restricted: credential.unrestricted !== 1 }
    if (judged.access_rules) body.application_credential.access_rules = judged.access_rules.map(({ id, service, method, path }) => ({ id, service, method, path }))
  }
  if (catalog && (project || domain || record.system !== undefined)) body.catalog = catalog
  if (serviceProviders.length > 0) body.service_providers = serviceProviders
  return body
}

export function catalogFor(tables: MemoryTables, judged: Judged, config: KeystoneConfig, publicUrl: string): CatalogService[] {
  const { project } = judged
  let endpoints = tables.endpoints
  if (project) {
    const bound = tables.filtered.get(project.id)
    if (bound) endpoints = endpoints.filter((one) => bound.has(one.id))
    else if (!config.endpoint_filter.return_all_endpoints_if_no_filter) endpoints = []
  }
  const here = endpoints.map((one) => (one.url.startsWith(PUBLIC) ? { ...one, url: publicUrl + one.url.slice(PUBLIC.length) } : one))
  return catalogOf(tables.services, here, { ...(project ? { project_id: project.id } : {}), user_id: actingUser(judged).user.id })
}

/** Stands in stored URLs for the root of the front door, which may listen on another port at the next start. */
export const PUBLIC = '{public_url}'

export function shownUrl(url: string, publicUrl: string): string {
  return url.startsWith(PUBLIC) ? publicUrl + url.slice(PUBLIC.length) : url
}

