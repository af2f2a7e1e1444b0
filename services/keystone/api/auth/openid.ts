/** Logins by a provider of OpenID Connect that this Keystone asks itself: by browser (code and PKCE), and by an access token. */
import { createHash } from 'node:crypto'
import { unauthenticated } from '#base/fault.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { type Attributes, claimAttributes } from '../../core/attributes.ts'
import type { RelyingParty } from './relying-party.ts'
import { useOnce } from '../../store/used-once.ts'
import type { Keystone } from '../house.ts'
import { cookie, cookieName, cookieOf, LOGIN_TIME, outsideUrl, sameText, seal, UNCACHED, unseal } from './sealed.ts'

const PURPOSE = 'openid'

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

export function openidOf(house: Keystone, idp_id: string, protocol_id: string): RelyingParty | undefined {
  const found = house.relyingParties.get(idp_id)
  return found?.provider.protocol_id === protocol_id ? found : undefined
}

const callbackUrl = (house: Keystone, { provider }: RelyingParty): string => outsideUrl(house, `/v3/auth/OS-FEDERATION/identity_providers/${encodeURIComponent(provider.idp_id)}/protocols/${encodeURIComponent(provider.protocol_id)}/callback`)

/** Sends the browser to the provider, with what its answer will be held against. */
export async function beginOpenid(house: Keystone, party: RelyingParty, origin: string): Promise<Reply> {
  const word = (): string => house.world.random.bytes(32).toString('base64url')
  const [state, nonce, verifier] = [word(), word(), word()]
  const redirect_uri = callbackUrl(house, party)
  const location = await party.authorizationUrl({ state, nonce, challenge: createHash('sha256').update(verifier).digest('base64url'), redirect_uri })
  const { idp_id, protocol_id } = party.provider
  const sealed = await seal(house, PURPOSE, { state, nonce, verifier, idp_id, protocol_id, origin }, LOGIN_TIME)
  return { status: 302, headers: { ...UNCACHED, location, 'set-cookie': cookie({ name: cookieName(state), value: sealed, url: redirect_uri }) } }
}

/** The browser is back: who it is, and to which dashboard it wanted. */
export async function finishOpenid(house: Keystone, rq: Rq): Promise<{ attributes: Attributes; origin: string; setCookie: string }> {
  const party = openidOf(house, rq.params.idp_id!, rq.params.protocol_id!) ?? refused('No such provider of OpenID Connect')
  const state = rq.query.get('state') ?? ''
  const name = cookieName(state)
  const begun = (await unseal(house, PURPOSE, cookieOf(rq.http.headers, name))) ?? refused('The browser has begun no such login, or too long ago')
  const { provider } = party
  if (!sameText(begun.state!, state) || begun.idp_id !== provider.idp_id || begun.protocol_id !== provider.protocol_id) refused('The state is of another login')
  if (rq.query.has('iss') && rq.query.get('iss') !== provider.issuer) refused('The answer is of another issuer')
  const code = rq.query.get('code')
  if (rq.query.has('error') || !code) return refused(`The provider refused: ${(rq.query.get('error') ?? 'no code').slice(0, 100)}`)
  const redirect_uri = callbackUrl(house, party)
  const claims = await party.redeem({ code, verifier: begun.verifier!, nonce: begun.nonce!, redirect_uri })
  if (!(await useOnce(house.db, PURPOSE, state, Number(begun.until)))) refused('The state has been used')
  return { attributes: claimAttributes(claims), origin: begun.origin!, setCookie: cookie({ name, value: '', url: redirect_uri }) }
}

/** Whose the access token of a request is. */
export async function bearerAttributes(party: RelyingParty, headers: Readonly<Record<string, string>>): Promise<Attributes> {
  const [, token] = /^Bearer +([\w.~+/=-]+)$/i.exec(headers.authorization ?? '') ?? []
  if (token === undefined) return refused('The request shows no access token')
  return claimAttributes(await party.bearer(token))
}
