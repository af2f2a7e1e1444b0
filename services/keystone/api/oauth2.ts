/**
 * OS-OAUTH2: client credentials (RFC 6749, 4.4). The client is an application credential with its secret; or a user with a certificate
 * (RFC 8705), whose names a mapping must find to be that user's, and to which the token is bound.
 */
import { readBody } from '#base/http/message.ts'
import { isFault, unauthenticated } from '#base/fault.ts'
import { namesOf, thumbprintOf } from '#stack/client-certificate.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { mapAssertion, type MappingRule } from '../core/mapping.ts'
import { findRow } from '../store/rows.ts'
import { getUser } from '../store/users.ts'
import { methodPlugins } from './auth/methods.ts'
import type { TokenWish } from './auth/token-office.ts'
import type { Keystone } from './house.ts'
import { at, v3 } from './steps.ts'

const MOST = 16_384

export function oauth2Routes(house: Keystone): Route[] {
  const token = async (rq: Rq): Promise<Reply> => {
    const bytes = await readBody(rq.http.body, MOST)
    const form = new URLSearchParams(bytes?.toString() ?? '')
    const grant = form.get('grant_type')
    if (grant === null) return failed(400, 'invalid_request', 'The parameter grant_type is required.')
    if (grant !== 'client_credentials') return failed(400, 'unsupported_grant_type', `The parameter grant_type ${grant.slice(0, 100)} is not supported.`)
    const { certificate } = rq.http
    const client = certificate ? undefined : (basic(rq.http.headers.authorization) ?? posted(form))
    const allowed = house.config.oauth2.oauth2_authn_methods
    try {
      if (certificate && allowed.includes('tls_client_auth')) return await answered(await certified(house, form.get('client_id') ?? '', certificate))
      if (client && allowed.includes('client_secret_basic')) return await answered(await credentialed(house, client, rq))
    } catch (thrown) {
      if (!isFault(thrown, 'unauthenticated')) throw thrown
      house.world.log.module('keystone.auth').info('Refused an OAuth 2.0 client', { reason: String(thrown.detail ?? thrown.message) })
      return refused(rq, 'Client authentication failed.')
    }
    return refused(rq, certificate || client ? 'Client authentication failed.' : 'OAuth2.0 client authorization is required.')
  }
  const answered = async (wish: TokenWish): Promise<Reply> => {
    const issued = await house.tokens.issue(wish)
    const seconds = Math.floor((issued.known.record.expires_at - issued.known.record.issued_at) / 1000)
    return { headers: { 'cache-control': 'no-store' }, json: { access_token: issued.token, token_type: 'Bearer', expires_in: seconds } }
  }
  return [at('POST', '/v3/OS-OAUTH2/token', 'oauth2.token', 200, token, { access: 'public', bodyKind: 'raw' })]
}

async function credentialed(house: Keystone, client: { id: string; secret: string }, rq: Rq): Promise<TokenWish> {
  const request = { body: undefined, headers: rq.http.headers, remote: rq.http.remote, method: rq.http.method, url: `${rq.base}${rq.http.path}`, query: rq.http.query }
  const answer = await methodPlugins.application_credential!.run(house, { id: client.id, secret: client.secret }, request, undefined)
  return { user_id: answer.user_id, methods: ['application_credential'], ...answer.scope }
}

const no = (detail: string): never => {
  throw unauthenticated('Client authentication failed.', { detail })
}

/** The client is a user, and works in that user's default project. */
async function certified(house: Keystone, client_id: string, certificate: Uint8Array): Promise<TokenWish> {
  const user = (client_id === '' ? undefined : await getUser(house.db, client_id)) ?? no('No user has this client_id')
  if (user.default_project_id === null) return no('The user has no default project')
  const id = house.config.oauth2.oauth2_cert_dn_mapping_id
  const mapping = (await findRow(house.db, 'keystone_mappings', { id })) ?? no(`There is no mapping ${id}`)
  const { subject, issuer } = namesOf(certificate)
  const assertion: Record<string, readonly string[]> = {}
  for (const [kind, names] of [['SUBJECT', subject], ['ISSUER', issuer]] as const) for (const [name, values] of Object.entries(names)) assertion[`SSL_CLIENT_${kind}_DN_${name.toUpperCase()}`] = values
  const { user: named } = mapAssertion(JSON.parse(mapping.rules) as MappingRule[], assertion) ?? no('No rule of the mapping holds')
  // A mapping that names nobody would let every certificate be everybody.
  if (named.id === undefined && named.name === undefined) no('The mapping gives neither id nor name of a user')
  const domain = await findRow(house.db, 'keystone_projects', { id: user.domain_id })
  const { email } = JSON.parse(user.extra) as { email?: string }
  const pairs: [string, string | undefined, string | undefined][] = [
    ['id', named.id, user.id],
    ['name', named.name, user.name],
    ['email', named.email, email],
    ['domain id', named.domain?.id, user.domain_id],
    ['domain name', named.domain?.name, domain?.name],
  ]
  for (const [what, wanted, is] of pairs) if (wanted !== undefined && wanted !== is) no(`The certificate is for another user: ${what}`)
  return { user_id: user.id, project_id: user.default_project_id, methods: ['oauth2_credential'], thumbprint: thumbprintOf(certificate)! }
}

function basic(header: string | undefined): { id: string; secret: string } | undefined {
  const encoded = /^Basic\s+([\w+/=-]+)$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  return colon > 0 ? { id: text.slice(0, colon), secret: text.slice(colon + 1) } : undefined
}

function posted(form: URLSearchParams): { id: string; secret: string } | undefined {
  const [id, secret] = [form.get('client_id'), form.get('client_secret')]
  return id && secret ? { id, secret } : undefined
}

const failed = (status: number, error: string, error_description: string): Reply => ({ status, json: { error, error_description } })

function refused(rq: Rq, words: string): Reply {
  return { ...failed(401, 'invalid_client', words), headers: { 'www-authenticate': `Keystone uri="${v3(rq, 'OS-OAUTH2/token')}"` } }
}
