/** What `keystone.federation.openid` in ondol.yaml says of a provider of OpenID Connect, read and judged once at the start. */
import { invalid } from '#base/fault.ts'
import { Secret } from '#base/secret.ts'

export interface OpenidProvider {
  /** The identity provider and the protocol of the API that it stands behind. */
  idp_id: string
  protocol_id: string
  issuer: string
  client_id: string
  /** Undefined: a public client, which PKCE alone protects. */
  client_secret: Secret | undefined
  token_endpoint_auth_method: 'client_secret_basic' | 'client_secret_post' | 'none'
  scopes: string
  /** Who an access token may be meant for, to be taken here. */
  audiences: readonly string[]
  algorithms: readonly string[]
  /** How an access token is judged; `auto`: a JWT by the provider's keys, any other by asking the provider. */
  bearer: 'auto' | 'jwt' | 'introspection' | 'off'
  /** Whether the provider is asked for more claims. */
  userinfo: boolean
  /** Those that are not asked of the provider by discovery. */
  endpoints: Partial<OpenidEndpoints>
}

export interface OpenidEndpoints {
  authorization_endpoint: string
  token_endpoint: string
  jwks_uri: string
  introspection_endpoint: string
  userinfo_endpoint: string
}

export const ENDPOINTS = ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'introspection_endpoint', 'userinfo_endpoint'] as const
/** Signatures by a private key only: what is checked with a shared secret, or not at all, anybody could make. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const KEYS = new Set(['protocol', 'issuer', 'client_id', 'client_secret', 'client_secret_file', 'token_endpoint_auth_method', 'scopes', 'audiences', 'algorithms', 'bearer', 'userinfo', ...ENDPOINTS])

/** True for https, and for http on the machine itself. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
}

/** By identity provider. Throws what names the key, and never a value that may be secret. */
export function openidProviders(given: Readonly<Record<string, unknown>>, readFile: (path: string) => string): Map<string, OpenidProvider> {
  return new Map(Object.entries(given).map(([idp_id, settings]) => [idp_id, openidProvider(idp_id, settings, readFile)]))
}

function openidProvider(idp_id: string, settings: unknown, readFile: (path: string) => string): OpenidProvider {
  const where = `keystone.federation.openid.${idp_id}`
  const wrong = (key: string, must: string): never => {
    throw invalid(`${where}.${key} must be ${must}`, { field: `${where}.${key}` })
  }
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) throw invalid(`${where} must be a map of keys`, { field: where })
  const given = settings as Record<string, unknown>
  for (const key of Object.keys(given)) if (!KEYS.has(key)) throw invalid(`${where}: unknown key "${key}"; there are ${[...KEYS].join(', ')}`, { field: `${where}.${key}` })
  const text = (key: string, fallback?: string): string => {
    const value = given[key] ?? fallback
    return typeof value === 'string' && value !== '' ? value : wrong(key, 'a text')
  }
  const texts = (key: string, fallback: readonly string[]): readonly string[] => {
    const value = given[key] ?? fallback
    return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string' && one !== '') ? (value as string[]) : wrong(key, 'a list of texts')
  }
  const oneOf = <T extends string>(key: string, words: readonly T[], fallback: T): T => {
    const value = (given[key] ?? fallback) as T
    return words.includes(value) ? value : wrong(key, `one of ${words.join(', ')}`)
  }
  const address = (key: string): string => (isSafeUrl(text(key)) ? text(key) : wrong(key, 'an https URL (http is for the machine itself only)'))
  const client_id = text('client_id')
  const secret = given.client_secret_file === undefined ? (given.client_secret === undefined ? undefined : text('client_secret')) : readFile(text('client_secret_file')).trim()
  const algorithms = texts('algorithms', ALGORITHMS)
  for (const algorithm of algorithms) if (!ALGORITHMS.includes(algorithm)) wrong('algorithms', `a list of ${ALGORITHMS.join(', ')}`)
  const userinfo = given.userinfo ?? false
  if (typeof userinfo !== 'boolean') wrong('userinfo', 'true or false')
  const scopes = texts('scopes', ['openid', 'profile', 'email'])
  const endpoints: Partial<OpenidEndpoints> = {}
  for (const key of ENDPOINTS) if (given[key] !== undefined) endpoints[key] = address(key)
  return {
    idp_id,
    protocol_id: text('protocol', 'openid'),
    issuer: address('issuer'),
    client_id,
    client_secret: secret === undefined ? undefined : new Secret(secret),
    token_endpoint_auth_method: oneOf('token_endpoint_auth_method', ['client_secret_basic', 'client_secret_post', 'none'], secret === undefined ? 'none' : 'client_secret_basic'),
    scopes: [...new Set(['openid', ...scopes])].join(' '),
    audiences: texts('audiences', [client_id]),
    algorithms,
    bearer: oneOf('bearer', ['auto', 'jwt', 'introspection', 'off'], 'auto'),
    userinfo: userinfo as boolean,
    endpoints,
  }
}
