/** What `keystone:` in ondol.yaml may hold. */
import { type ConfigNode, type ConfigSchema, withDefaults } from '#base/config.ts'
import type { HashCost } from './core/password-hash.ts'

export interface KeystoneConfig {
  token: {
    provider: 'fernet' | 'jws'
    /** Seconds a token lives. */
    expiration: number
    /** Seconds after its end during which a token still passes with `allow_expired`. */
    allow_expired_window: number
    allow_rescope_scoped_token: boolean
    max_active_keys: number
    key_repository: string
  }
  jwt_tokens: { jws_private_key_repository: string; jws_public_key_repository: string }
  password_hashing: HashCost
  security_compliance: {
    lockout_failure_attempts: number | null
    lockout_duration: number
    password_expires_days: number | null
    minimum_password_age: number
    unique_last_password_count: number
    password_regex: string | null
    password_regex_description: string | null
    disable_user_account_days_inactive: number | null
    change_password_upon_first_use: boolean
  }
  /** Levels of projects below a domain. */
  max_project_tree_depth: number
  list_limit: number | null
  credential: { auth_ttl: number; user_limit: number; max_active_keys: number; key_repository: string }
  application_credential: { user_limit: number }
  trust: { allow_redelegation: boolean; max_redelegation_count: number }
  oauth1: { request_token_duration: number; access_token_duration: number }
  oauth2: { oauth2_authn_methods: readonly string[]; oauth2_cert_dn_mapping_id: string }
  unified_limit: { enforcement_model: 'flat' | 'strict_two_level' }
  endpoint_filter: { return_all_endpoints_if_no_filter: boolean }
  receipt_expiration: number
  domain_configurations_from_database: boolean
  domains: Readonly<Record<string, { identity?: object; ldap?: object }>>
  external: { trust_headers_from: readonly string[]; default_domain: string; use_remote_domain: boolean }
  federation: {
    trusted_dashboard: readonly string[]
    remote_id_attribute: string | null
    default_authorization_ttl: number
    assertion_prefix: string
    trust_headers_from: readonly string[]
    key_repository: string
    openid: Readonly<Record<string, object>>
    saml: Readonly<Record<string, unknown>>
  }
}

type Fact = ConfigNode
const group = (description: string, properties: Record<string, Fact>): ConfigSchema => ({ type: 'object', description, properties })
const int = (fallback: number, description: string): Fact => ({ type: 'integer', default: fallback, description })
const intOrNull = (description: string): Fact => ({ type: ['integer', 'null'], default: null, description })
const bool = (fallback: boolean, description: string): Fact => ({ type: 'boolean', default: fallback, description })
const textOrNull = (description: string): Fact => ({ type: ['string', 'null'], default: null, description })

export const configSchema: ConfigSchema = {
  type: 'object',
  properties: {
    token: group('Tokens', {
      provider: { type: 'string', enum: ['fernet', 'jws'], default: 'fernet', description: 'fernet: sealed, at most 255 bytes. jws: signed with ES256, so that others who have the public key can read them; longer. Only tokens of the one that is chosen are valid' },
      expiration: int(3600, 'Seconds a token lives'),
      allow_expired_window: int(172_800, 'Seconds after its end during which services may still fetch an expired token'),
      allow_rescope_scoped_token: bool(true, 'A scoped token may be exchanged for one of another scope'),
      max_active_keys: int(3, 'Fernet keys kept after a rotation'),
      key_repository: { type: 'string', default: '', description: 'Folder of the Fernet keys, the same on every machine of the control plane. Empty: fernet-keys in the data folder.' },
    }),
    jwt_tokens: group('Keys of JWS tokens', {
      jws_private_key_repository: { type: 'string', default: '', description: 'Folder of private.pem, which signs. Empty: jws-keys/private in the data folder.' },
      jws_public_key_repository: { type: 'string', default: '', description: 'Folder of the public keys that are believed, of every API machine. Empty: jws-keys/public in the data folder.' },
    }),
    password_hashing: group('How new passwords are hashed', {
      algorithm: { type: 'string', enum: ['argon2id', 'scrypt'], default: 'argon2id', description: 'For new passwords; old ones are verified as they are and hashed anew at the next login' },
      memory_kib: int(19_456, 'Memory of one argon2id hash'),
      passes: int(2, 'Passes of argon2id'),
      log_rounds: int(16, 'log2 of N for scrypt'),
    }),
    security_compliance: group('PCI-DSS', {
      lockout_failure_attempts: intOrNull('Wrong passwords before a user is locked out'),
      lockout_duration: int(1800, 'Seconds a lockout lasts'),
      password_expires_days: intOrNull('Days a password holds'),
      minimum_password_age: int(0, 'Days before a user may change a password again'),
      unique_last_password_count: int(0, 'How many former passwords may not be used again'),
      password_regex: textOrNull('Regular expression that a password must match'),
      password_regex_description: textOrNull('What users are told about it'),
      disable_user_account_days_inactive: intOrNull('Days without a login before a user counts as disabled'),
      change_password_upon_first_use: bool(false, 'A password set by an administrator must be changed before its first use'),
    }),
    max_project_tree_depth: int(5, 'Levels of projects, the domain included'),
    list_limit: intOrNull('Most rows of one list'),
    credential: group('Credentials', {
      auth_ttl: int(15, 'Minutes in which a signed EC2 or S3 request is accepted'),
      user_limit: int(-1, 'Credentials of one user; -1 for no limit'),
      max_active_keys: int(3, 'Keys kept after a rotation'),
      key_repository: { type: 'string', default: '', description: 'Folder of the keys of credentials, the same on every machine of the control plane. Empty: credential-keys in the data folder.' },
    }),
    application_credential: group('Application credentials', { user_limit: int(-1, 'Application credentials of one user; -1 for no limit') }),
    trust: group('Trusts', { allow_redelegation: bool(false, 'A trustee may pass a trust on'), max_redelegation_count: int(3, 'How many times') }),
    oauth1: group('OAuth 1.0a', { request_token_duration: int(28_800, 'Seconds'), access_token_duration: int(86_400, 'Seconds; 0 for ever') }),
    oauth2: group('OAuth 2.0', {
      oauth2_authn_methods: { type: 'array', default: ['tls_client_auth', 'client_secret_basic'], description: 'How clients may show who they are: by a certificate, or by an application credential' },
      oauth2_cert_dn_mapping_id: { type: 'string', default: 'oauth2_mapping', description: 'The mapping that says which user the names of a certificate (SSL_CLIENT_SUBJECT_DN_CN, SSL_CLIENT_ISSUER_DN_O …) stand for' },
    }),
    unified_limit: group('Unified limits', { enforcement_model: { type: 'string', enum: ['flat', 'strict_two_level'], default: 'flat', description: 'How limits of a tree of projects bind each other' } }),
    endpoint_filter: group('OS-EP-FILTER', { return_all_endpoints_if_no_filter: bool(true, 'A project without filters sees every endpoint') }),
    domain_configurations_from_database: bool(false, 'Domains may name a directory of their own by the API of domain configuration; otherwise it is stored and shown, and nothing reads it'),
    domains: { type: 'object', default: {}, additionalProperties: true, description: 'Options of single domains by name, as in keystone.<domain>.conf: identity: {driver: ldap}, ldap: {url, suffix, user_tree_dn, …}' } as unknown as Fact,
    receipt_expiration: int(300, 'Seconds an auth receipt lives'),
    external: group('The method external', {
      trust_headers_from: { type: 'array', default: [], description: 'Peers whose REMOTE_USER is taken for a user who has logged in. Such a web server must throw away what its clients send under that name' },
      default_domain: { type: 'string', default: 'default', description: 'Id of the domain of these users' },
      use_remote_domain: bool(false, 'REMOTE_DOMAIN of the same peers names the domain instead'),
    }),
    federation: group('Federation', {
      trusted_dashboard: { type: 'array', default: [], description: 'URLs that web sign-on may return to' },
      remote_id_attribute: textOrNull('Attribute of an assertion that names the identity provider'),
      default_authorization_ttl: int(0, 'Minutes a membership from a mapping lasts'),
      assertion_prefix: { type: 'string', default: '', description: 'Prefix of the attributes of an assertion' },
      trust_headers_from: { type: 'array', default: [], description: 'Peers whose headers are taken as assertions; from all others they are ignored' },
      key_repository: { type: 'string', default: '', description: 'Folder of the keys of logins under way, the same on every machine of the control plane. Empty: federation-keys in the data folder.' },
      openid: {
        type: 'object', default: {}, additionalProperties: { type: 'object' },
        description: 'Providers of OpenID Connect that Keystone asks itself, by identity provider: issuer, client_id, client_secret or client_secret_file; also protocol (openid), token_endpoint_auth_method, scopes, audiences (whom access tokens are meant for: the client), algorithms, bearer (auto, jwt, introspection, off), userinfo, and endpoints where there is no discovery',
      } as unknown as Fact,
      saml: {
        type: 'object', default: {}, additionalProperties: true,
        description: 'SAML2, which Keystone speaks itself: entity_id of this Keystone (an address of its own), key_file and certificate_file for signed requests and for assertions to other Keystones (idp_entity_id, assertion_expiration in seconds), and providers by identity provider: metadata_file, or entity_id, sso_url and certificate_files; also protocol (saml2), sign_requests, keystone (it is a Keystone, whose users come with an assertion for this one), accept_sha1 (the Keystone of OpenStack signs so), encrypted (nothing else is taken), accept_cbc (encrypted by AES-CBC, where a provider has no AES-GCM)',
      } as unknown as Fact,
    }),
  },
}

/** The configuration with what was not given filled in. */
export function keystoneConfig(given: { [K in keyof KeystoneConfig]?: KeystoneConfig[K] extends object ? Partial<KeystoneConfig[K]> : KeystoneConfig[K] } = {}): KeystoneConfig {
  return withDefaults(configSchema, given) as KeystoneConfig
}
