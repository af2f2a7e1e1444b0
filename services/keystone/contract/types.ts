/** Keystone's nouns as they stand on the wire. */
import type { CatalogService } from '#stack/context.ts'

export interface NamedId {
  id: string
  name: string
}

export interface User {
  id: string
  name: string
  domain_id: string
  enabled: boolean
  default_project_id?: string
  description?: string
  email?: string
  options: Readonly<Record<string, unknown>>
  password_expires_at: string | null
}

export interface Project {
  id: string
  name: string
  domain_id: string
  parent_id: string | null
  is_domain: boolean
  enabled: boolean
  description: string
  tags: string[]
  options: Readonly<Record<string, unknown>>
}

export interface Role {
  id: string
  name: string
  domain_id: string | null
  description: string | null
}

export interface Trust {
  id: string
  trustor_user_id: string
  trustee_user_id: string
  project_id: string | null
  impersonation: boolean
  expires_at: string | null
  deleted_at: string | null
  remaining_uses: number | null
  redelegated_trust_id: string | null
  redelegation_count: number
  roles: NamedId[]
}

export interface Limit {
  id: string
  service_id: string
  region_id: string | null
  resource_name: string
  resource_limit: number
  project_id: string | null
  domain_id: string | null
}

export interface RegisteredLimit {
  id: string
  service_id: string
  region_id: string | null
  resource_name: string
  default_limit: number
}

/** What stands under `token` in the answer of `/v3/auth/tokens`. */
export interface TokenBody {
  methods: string[]
  user: NamedId & { domain: NamedId; password_expires_at: string | null; 'OS-FEDERATION'?: object }
  audit_ids: string[]
  expires_at: string
  issued_at: string
  project?: NamedId & { domain: NamedId }
  domain?: NamedId
  system?: { all: true }
  is_domain?: boolean
  roles?: NamedId[]
  catalog?: readonly CatalogService[]
  service_providers?: readonly { id: string; auth_url: string; sp_url: string }[]
  'OS-TRUST:trust'?: { id: string; impersonation: boolean; trustor_user: { id: string }; trustee_user: { id: string } }
  oauth2_credential?: { 'x5t#S256': string }
  'OS-OAUTH1'?: { access_token_id: string; consumer_id: string }
  application_credential?: { id: string; name: string; restricted: boolean; access_rules?: { id: string; service: string; method: string; path: string }[] }
}
