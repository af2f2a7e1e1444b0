/** Who asks, with what authority. Made by the corridor from a token; never from headers of the client (A10). */
import type { Secret } from '#base/secret.ts'

export interface CatalogEndpoint {
  id: string
  interface: 'public' | 'internal' | 'admin'
  region: string | null
  region_id: string | null
  url: string
}

export interface CatalogService {
  id: string
  type: string
  name: string
  endpoints: readonly CatalogEndpoint[]
}

/** What a valid token says. */
export interface TokenFacts {
  user_id: string
  user_name: string
  user_domain_id: string
  user_domain_name: string
  project_id?: string
  project_name?: string
  project_domain_id?: string
  project_domain_name?: string
  /** Set when the token is scoped to a domain. */
  domain_id?: string
  domain_name?: string
  /** `all` when the token is scoped to the system. */
  system_scope?: string
  roles: readonly string[]
  role_ids?: readonly string[]
  is_admin_project?: boolean
  trust_id?: string
  trustor_id?: string
  trustee_id?: string
  application_credential_id?: string
  /** Rules of a restricted application credential: `{service, method, path}`. */
  access_rules?: readonly { id: string; service: string; method: string; path: string }[]
  /** `x5t#S256` of the certificate without which the token is worth nothing (RFC 8705). */
  thumbprint?: string
  /** Milliseconds since the epoch. */
  expires_at: number
  issued_at: number
  methods: readonly string[]
  audit_ids: readonly string[]
}

export interface Context extends Partial<TokenFacts> {
  /** Names and ids that a policy rule may ask for; `is_admin` is set by a house whose policy defines `context_is_admin`. */
  roles: readonly string[]
  is_admin: boolean
  token?: Secret
  /** Roles of the service that sends the request for a user (`X-Service-Token`). */
  service_roles: readonly string[]
  request_id: string
  global_request_id?: string
}

/** The context of a request without a token. */
export function anonymous(request_id: string, global_request_id?: string): Context {
  return { roles: [], is_admin: false, service_roles: [], request_id, ...(global_request_id === undefined ? {} : { global_request_id }) }
}
