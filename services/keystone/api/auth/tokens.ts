/** `/v3/auth/tokens`: issue, show, check, revoke. */
import { Fault, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { insertRow } from '../../store/rows.ts'
import type { Keystone } from '../house.ts'
import { at, enforce, flagParam, newId } from '../steps.ts'
import { authenticate } from './authenticate.ts'
import { actingUser } from './token-facts.ts'
import type { KnownToken, TokenWish } from './token-office.ts'

const JSON_TYPE = 'application/json'

/** The answer that carries a new token. */
export async function tokenReply(house: Keystone, wish: TokenWish, catalog: boolean, status = 201): Promise<Reply> {
  const { token, known } = await house.tokens.issue(wish)
  return { status, headers: { 'content-type': JSON_TYPE, 'x-subject-token': token, vary: 'X-Auth-Token' }, body: await house.tokens.bodyOf(known, catalog) }
}

async function subject(house: Keystone, rq: Rq, grace = 0): Promise<{ token: string; known: KnownToken | undefined }> {
  const token = rq.http.headers['x-subject-token']
  if (token === undefined || token === '') throw invalid('The request has no X-Subject-Token.', { field: 'X-Subject-Token' })
  return { token, known: token.length > 8192 ? undefined : await house.tokens.validate(token, grace) }
}

function tokenTarget(known: KnownToken): Record<string, unknown> {
  return { token: { user_id: actingUser(known).user.id, user: { domain: { id: known.user_domain.id } } } }
}

const unknown = (): Fault => notFound('Could not find token: the token is not valid.')

export function tokenRoutes(house: Keystone): Route[] {
  const issue = async (rq: Rq): Promise<Reply> => {
    try {
      const wish = await authenticate(house, { body: rq.body, headers: rq.http.headers, remote: rq.http.remote, certificate: rq.http.certificate, method: rq.http.method, url: `${rq.base}${rq.http.path}`, query: rq.http.query })
      return await tokenReply(house, wish, !rq.query.has('nocatalog'))
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.kind !== 'unauthenticated') throw thrown
      if (thrown.code === 'receipt') return { status: 401, headers: { 'openstack-auth-receipt': String(thrown.data.receipt) }, json: thrown.data.body }
      house.world.log.module('keystone.auth').info('Refused a login', { reason: String(thrown.detail ?? thrown.message) })
      // The corridor adds `WWW-Authenticate` to what it knows as a question of tokens.
      throw new Fault('unauthenticated', thrown.message, { code: 'token', detail: thrown.detail })
    }
  }
  const show = (action: 'validate_token' | 'check_token') => async (rq: Rq): Promise<Reply> => {
    const grace = flagParam(rq, 'allow_expired') ? house.config.token.allow_expired_window * 1000 : 0
    const { token, known } = await subject(house, rq, grace)
    if (!known) throw unknown()
    enforce(rq, action, tokenTarget(known))
    // A service that does not know access rules would let the token do everything.
    if (known.access_rules && !(Number(rq.http.headers['openstack-identity-access-rules']) >= 1)) throw unknown()
    return { headers: { 'content-type': JSON_TYPE, 'x-subject-token': token, vary: 'X-Auth-Token' }, body: await house.tokens.bodyOf(known, !rq.query.has('nocatalog')) }
  }
  const revoke = async (rq: Rq): Promise<Reply> => {
    const { known } = await subject(house, rq)
    if (!known) throw unknown()
    enforce(rq, 'revoke_token', tokenTarget(known))
    const now = house.world.clock.now()
    await house.db.transaction(async (tx) => {
      await insertRow(tx, 'keystone_revocations', {
        id: newId(house), audit_id: known.record.audit_ids[0]!, audit_chain_id: null, user_id: null, project_id: null, domain_id: null, trust_id: null,
        issued_before: now, revoked_at: now, forget_at: known.record.expires_at + house.config.token.allow_expired_window * 1000,
      })
      await house.revoke(tx)
    })
    return {}
  }
  return [
    at('POST', '/v3/auth/tokens', 'tokens.issue', 201, issue, { access: 'public' }),
    at('GET', '/v3/auth/tokens', 'tokens.show', 200, show('validate_token')),
    at('HEAD', '/v3/auth/tokens', 'tokens.check', 200, show('check_token')),
    at('DELETE', '/v3/auth/tokens', 'tokens.revoke', 204, revoke),
  ]
}

