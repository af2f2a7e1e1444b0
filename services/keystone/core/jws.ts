/**
 * Tokens as JSON Web Signatures, claim by claim as Keystone's provider `jws` writes and reads them. The algorithm is ES256 and nothing
 * else: what a token's head asks for is only compared with it, never followed. Values in, values out.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type { TokenRecord } from './token-payload.ts'

const ALGORITHM = 'ES256'
const HEAD = Buffer.from(JSON.stringify({ alg: ALGORITHM, typ: 'JWT' })).toString('base64url')
const SHAPE = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/
/** r and s of 32 bytes each. */
const SIGNATURE = 64

/** Undefined when the text is no private key on the curve P-256. */
export function signingKey(pem: string): KeyObject | undefined {
  return onCurve(() => createPrivateKey(pem))
}

/** Undefined when the text is no public key on the curve P-256; a private one is none, so that its presence among the public ones is noticed. */
export function verifyingKey(pem: string): KeyObject | undefined {
  return pem.includes('PRIVATE KEY') ? undefined : onCurve(() => createPublicKey(pem))
}

function onCurve(read: () => KeyObject): KeyObject | undefined {
  try {
    const key = read()
    return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}

export function jwsSign(key: KeyObject, claims: Readonly<Record<string, unknown>>): string {
  const signed = `${HEAD}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

/** The claims of what one of the keys has signed; undefined for everything else. Times are not judged here. */
export function jwsVerify(keys: readonly KeyObject[], token: string): Record<string, unknown> | undefined {
  const [, head, body, tail] = SHAPE.exec(token) ?? []
  if (head === undefined || body === undefined || tail === undefined) return undefined
  const asked = objectOf(head)
  if (asked?.alg !== ALGORITHM || asked.crit !== undefined || asked.b64 !== undefined) return undefined
  const signature = Buffer.from(tail, 'base64url')
  if (signature.length !== SIGNATURE) return undefined
  const signed = Buffer.from(`${head}.${body}`)
  return keys.some((key) => verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)) ? objectOf(body) : undefined
}

function objectOf(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Optional fields of a record, and the claims that carry them. */
const CLAIMS = {
  system: 'openstack_system',
  domain_id: 'openstack_domain_id',
  project_id: 'openstack_project_id',
  trust_id: 'openstack_trust_id',
  identity_provider_id: 'openstack_idp_id',
  protocol_id: 'openstack_protocol_id',
  access_token_id: 'openstack_access_token_id',
  application_credential_id: 'openstack_app_cred_id',
  thumbprint: 'openstack_thumbprint',
} as const

export function claimsOf(token: TokenRecord): Record<string, unknown> {
  const claims: Record<string, unknown> = {
    sub: token.user_id,
    iat: token.issued_at / 1000,
    exp: token.expires_at / 1000,
    openstack_methods: token.methods,
    openstack_audit_ids: token.audit_ids,
  }
  for (const [field, claim] of Object.entries(CLAIMS)) if (token[field as keyof typeof CLAIMS] !== undefined) claims[claim] = token[field as keyof typeof CLAIMS]
  if (token.group_ids) claims.openstack_group_ids = token.group_ids.map((id) => ({ id }))
  return claims
}

/** Undefined for claims that are no token of Keystone. */
export function recordOf(claims: Readonly<Record<string, unknown>>): TokenRecord | undefined {
  const { sub, iat, exp, openstack_methods: methods, openstack_audit_ids: audit_ids, openstack_group_ids: groups } = claims
  if (typeof sub !== 'string' || !seconds(iat) || !seconds(exp) || !texts(methods) || !texts(audit_ids) || audit_ids.length === 0) return undefined
  const record: TokenRecord = { user_id: sub, methods, audit_ids, issued_at: iat * 1000, expires_at: exp * 1000 }
  for (const [field, claim] of Object.entries(CLAIMS)) {
    const value = claims[claim]
    if (value === undefined || value === null) continue
    if (typeof value !== 'string') return undefined
    record[field as keyof typeof CLAIMS] = value
  }
  if (Array.isArray(groups)) {
    const ids = groups.map((one: unknown) => (typeof one === 'object' && one !== null ? (one as { id?: unknown }).id : one))
    if (!texts(ids)) return undefined
    record.group_ids = ids
  }
  return record
}

const seconds = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const texts = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => typeof one === 'string')
