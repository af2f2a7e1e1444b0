/**
 * What a token's bytes say: the payloads of Keystone, byte for byte, so that a token of either can be read by the other when they
 * share keys. A payload is a msgpack array whose first element is its version.
 *
 *     0 unscoped            user, methods, expires, audit
 *     1 domain              user, methods, domain, expires, audit
 *     2 project             user, methods, project, expires, audit
 *     3 trust               user, methods, project, expires, audit, trust
 *     4 federated           user, methods, groups, idp, protocol, expires, audit
 *     5 federated project   user, methods, project, groups, idp, protocol, expires, audit
 *     6 federated domain    user, methods, domain, groups, idp, protocol, expires, audit
 *     7 oauth1              user, methods, project, access token, expires, audit
 *     8 system              user, methods, system, expires, audit
 *     9 app. credential     user, methods, project, expires, audit, application credential
 *    10 oauth2 mTLS         user, methods, project, domain, expires, audit, thumbprint
 */
import { decode, encode } from '@msgpack/msgpack'

/** Order is meaning: a method is the bit of its place. New ones go to the end. */
export const METHODS = ['external', 'password', 'token', 'oauth1', 'mapped', 'application_credential', 'totp', 'saml2', 'openid', 'oauth2_credential', 'ec2credential'] as const

export interface TokenRecord {
  user_id: string
  methods: readonly string[]
  /** Milliseconds, whole seconds. */
  issued_at: number
  expires_at: number
  /** Own id, then the id of the chain when it was made from another token. */
  audit_ids: readonly string[]
  project_id?: string
  domain_id?: string
  system?: string
  trust_id?: string
  access_token_id?: string
  application_credential_id?: string
  identity_provider_id?: string
  protocol_id?: string
  group_ids?: readonly string[]
  thumbprint?: string
}

const HEX = /^[0-9a-f]{32}$/

/** Ids that are 32 hex digits travel as 16 bytes. */
function idPair(id: string): [boolean, Uint8Array | string] {
  return HEX.test(id) ? [true, Buffer.from(id, 'hex')] : [false, id]
}

function bareId(id: string): Uint8Array | string {
  return HEX.test(id) ? Buffer.from(id, 'hex') : id
}

function readId(value: unknown): string {
  if (Array.isArray(value)) return readId(value[1])
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString(value.length === 16 ? 'hex' : 'utf8') : String(value)
}

function methodBits(methods: readonly string[]): number {
  let bits = 0
  for (const method of methods) bits |= 1 << METHODS.indexOf(method as (typeof METHODS)[number])
  return bits
}

function methodsOf(bits: number): string[] {
  return METHODS.filter((_, i) => bits & (1 << i))
}

/** Floats stay floats even when they are whole, as Python writes them. */
class Float {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

function pack(parts: readonly unknown[]): Buffer {
  const chunks: Uint8Array[] = [Uint8Array.of(0x90 | parts.length)]
  for (const part of parts) {
    if (part instanceof Float) {
      const bytes = Buffer.allocUnsafe(9)
      bytes[0] = 0xcb
      bytes.writeDoubleBE(part.value, 1)
      chunks.push(bytes)
    } else chunks.push(encode(part))
  }
  return Buffer.concat(chunks)
}

export function packToken(token: TokenRecord): Buffer {
  const user = idPair(token.user_id)
  const methods = methodBits(token.methods)
  const end = [new Float(token.expires_at / 1000), token.audit_ids.map((id) => Buffer.from(id, 'base64url'))]
  if (token.identity_provider_id !== undefined) {
    const groups = (token.group_ids ?? []).map(idPair)
    const federation = [groups, idPair(token.identity_provider_id), token.protocol_id ?? '', ...end]
    if (token.project_id !== undefined) return pack([5, user, methods, idPair(token.project_id), ...federation])
    if (token.domain_id !== undefined) return pack([6, user, methods, idPair(token.domain_id), ...federation])
    return pack([4, user, methods, ...federation])
  }
  if (token.thumbprint !== undefined) return pack([10, user, methods, idPair(token.project_id ?? ''), bareId(token.domain_id ?? ''), ...end, idPair(token.thumbprint)])
  if (token.trust_id !== undefined) return pack([3, user, methods, idPair(token.project_id!), ...end, bareId(token.trust_id)])
  if (token.access_token_id !== undefined) return pack([7, user, methods, idPair(token.project_id!), idPair(token.access_token_id), ...end])
  if (token.application_credential_id !== undefined) return pack([9, user, methods, idPair(token.project_id!), ...end, idPair(token.application_credential_id)])
  if (token.system !== undefined) return pack([8, user, methods, token.system, ...end])
  if (token.project_id !== undefined) return pack([2, user, methods, idPair(token.project_id), ...end])
  if (token.domain_id !== undefined) return pack([1, user, methods, bareId(token.domain_id), ...end])
  return pack([0, user, methods, ...end])
}

/** Undefined for bytes that are no payload. `issued_at` milliseconds, from the Fernet frame. */
export function unpackToken(data: Uint8Array, issued_at: number): TokenRecord | undefined {
  let p: unknown[]
  try {
    p = decode(data) as unknown[]
  } catch {
    return undefined
  }
  if (!Array.isArray(p) || p.length < 5) return undefined
  const version = p[0] as number
  const make = (expires: unknown, audit: unknown, more: Partial<TokenRecord>): TokenRecord | undefined => {
    if (typeof expires !== 'number' || !Array.isArray(audit)) return undefined
    const audit_ids = audit.map((one) => (one instanceof Uint8Array ? Buffer.from(one).toString('base64url') : String(one)))
    return { user_id: readId(p[1]), methods: methodsOf(Number(p[2])), issued_at, expires_at: Math.round(expires * 1000), audit_ids, ...more }
  }
  const federated = (at: number, scope: Partial<TokenRecord>): TokenRecord | undefined =>
    make(p[at + 3], p[at + 4], { ...scope, group_ids: ((p[at] as unknown[]) ?? []).map(readId), identity_provider_id: readId(p[at + 1]), protocol_id: readId(p[at + 2]) })
  switch (version) {
    case 0:
      return make(p[3], p[4], {})
    case 1:
      return make(p[4], p[5], { domain_id: readId(p[3]) })
    case 2:
      return make(p[4], p[5], { project_id: readId(p[3]) })
    case 3:
      return make(p[4], p[5], { project_id: readId(p[3]), trust_id: readId(p[6]) })
    case 4:
      return federated(3, {})
    case 5:
      return federated(4, { project_id: readId(p[3]) })
    case 6:
      return federated(4, { domain_id: readId(p[3]) })
    case 7:
      return make(p[5], p[6], { project_id: readId(p[3]), access_token_id: readId(p[4]) })
    case 8:
      return make(p[4], p[5], { system: readId(p[3]) })
    case 9:
      return make(p[4], p[5], { project_id: readId(p[3]), application_credential_id: readId(p[6]) })
    case 10: {
      const project_id = readId(p[3])
      return make(p[5], p[6], { ...(project_id ? { project_id } : {}), thumbprint: readId(p[7]) })
    }
    default:
      return undefined
  }
}
