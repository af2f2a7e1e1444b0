/**
 * One provider of OpenID Connect as this Keystone asks and judges it: where a browser is sent, what a code is worth, whose an access token
 * is. What is learned of the provider (its addresses and keys) is kept for an hour; a key nobody knows makes it look again.
 */
import { Buffer } from 'node:buffer'
import { createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose'
import { Fault, unauthenticated, unavailable } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import type { AskProvider } from '../../core/openid/provider-door.ts'
import { ENDPOINTS, isSafeUrl, type OpenidEndpoints, type OpenidProvider } from '../../core/openid/settings.ts'

export type Claims = Readonly<Record<string, unknown>>

export interface RelyingParty {
  readonly provider: OpenidProvider
  /** Where the browser goes to log in. `challenge`: the S256 of PKCE. */
  authorizationUrl(ask: { state: string; nonce: string; challenge: string; redirect_uri: string }): Promise<string>
  /** The claims of the ID token that a code brings; 401 unless all of it is right. */
  redeem(ask: { code: string; verifier: string; nonce: string; redirect_uri: string }): Promise<Claims>
  /** The claims behind an access token that somebody shows; 401 unless it is good, and meant for this cloud. */
  bearer(token: string): Promise<Claims>
}

const HOUR = 3_600_000
/** Milliseconds between looks at the provider's keys that an unknown key may cause. */
const LOOK_AGAIN = 30_000
/** Seconds by which clocks may differ. */
const SKEW = 30
/** Seconds since when an ID token may have been made. */
const FRESH = 600
const LONGEST_TOKEN = 16_384

const refused = (detail: string, cause?: unknown): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail, cause })
}

export function relyingParty(world: World, ask: AskProvider, provider: OpenidProvider): RelyingParty {
  const now = (): number => world.clock.now()
  const known = remembered(now, () => discover(ask, provider))
  const keys = remembered(now, async () => {
    const { jwks_uri } = await known(HOUR)
    return createLocalJWKSet((await json(ask, { method: 'GET', url: needed(jwks_uri, 'jwks_uri') })) as unknown as JSONWebKeySet)
  })
  const verified = async (token: string, audience: readonly string[], more: JWTVerifyOptions = {}): Promise<JWTPayload> => {
    const options: JWTVerifyOptions = {
      issuer: provider.issuer, audience: [...audience], algorithms: [...provider.algorithms], currentDate: new Date(now()), clockTolerance: SKEW, requiredClaims: ['iss', 'sub', 'aud', 'exp'], ...more,
    }
    try {
      try {
        return (await jwtVerify(token, await keys(HOUR), options)).payload
      } catch (thrown) {
        if (!(thrown instanceof errors.JWKSNoMatchingKey)) throw thrown
        return (await jwtVerify(token, await keys(LOOK_AGAIN), options)).payload
      }
    } catch (thrown) {
      if (thrown instanceof Fault) throw thrown
      return refused(`The token of ${provider.issuer} is not good: ${thrown instanceof Error ? thrown.message : String(thrown)}`, thrown)
    }
  }
  const clientAuth = (form: URLSearchParams): Record<string, string> => {
    const { client_id, client_secret, token_endpoint_auth_method: way } = provider
    if (way === 'client_secret_basic' && client_secret) {
      const word = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)
      return { authorization: `Basic ${Buffer.from(`${word(client_id)}:${word(client_secret.reveal())}`).toString('base64')}` }
    }
    form.set('client_id', client_id)
    if (way === 'client_secret_post' && client_secret) form.set('client_secret', client_secret.reveal())
    return {}
  }
  /** Claims that the provider tells of the holder of an access token, under those that stand in a token. */
  const withUserinfo = async (token: string | undefined, claims: Claims): Promise<Claims> => {
    if (!provider.userinfo) return claims
    if (token === undefined) return refused('The provider gave no access token to ask for more claims with')
    const { userinfo_endpoint } = await known(HOUR)
    const more = await json(ask, { method: 'GET', url: needed(userinfo_endpoint, 'userinfo_endpoint'), headers: { authorization: `Bearer ${token}` } })
    if (more.sub !== claims.sub) return refused('The userinfo is of somebody else')
    return { ...more, ...claims }
  }
  const introspected = async (token: string): Promise<Claims> => {
    const { introspection_endpoint } = await known(HOUR)
    if (introspection_endpoint === undefined) return refused('The access token is no JWT, and the provider has no introspection endpoint')
    const form = new URLSearchParams({ token, token_type_hint: 'access_token' })
    const headers = clientAuth(form)
    const said = await json(ask, { method: 'POST', url: introspection_endpoint, headers, form })
    if (said.active !== true) return refused('The provider says that the access token is not good')
    if (said.iss !== undefined && said.iss !== provider.issuer) return refused('The access token is of another issuer')
    if (typeof said.sub !== 'string' || said.sub === '') return refused('The provider names no subject')
    if (said.exp !== undefined && !(Number(said.exp) * 1000 > now() - SKEW * 1000)) return refused('The access token is over')
    const meant = said.aud === undefined ? [said.client_id] : Array.isArray(said.aud) ? said.aud : [said.aud]
    if (!meant.some((one) => provider.audiences.includes(String(one)))) return refused('The access token is not meant for this cloud')
    return { ...said, iss: provider.issuer }
  }
  return {
    provider,
    async authorizationUrl({ state, nonce, challenge, redirect_uri }) {
      const url = new URL(needed((await known(HOUR)).authorization_endpoint, 'authorization_endpoint'))
      const query = { response_type: 'code', client_id: provider.client_id, redirect_uri, scope: provider.scopes, state, nonce, code_challenge: challenge, code_challenge_method: 'S256' }
      for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
      return url.href
    },
    async redeem({ code, verifier, nonce, redirect_uri }) {
      const form = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri, code_verifier: verifier })
      const headers = clientAuth(form)
      const answer = await json(ask, { method: 'POST', url: needed((await known(HOUR)).token_endpoint, 'token_endpoint'), headers, form })
      if (typeof answer.id_token !== 'string') return refused('The provider gave no ID token')
      const claims = await verified(answer.id_token, [provider.client_id], { maxTokenAge: FRESH, requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'nonce'] })
      if (claims.nonce !== nonce) return refused('The ID token is for another login')
      if (claims.azp !== undefined ? claims.azp !== provider.client_id : Array.isArray(claims.aud) && claims.aud.length > 1) return refused('The ID token was made for another client')
      return withUserinfo(typeof answer.access_token === 'string' ? answer.access_token : undefined, claims)
    },
    async bearer(token) {
      if (provider.bearer === 'off') return refused(`Access tokens of ${provider.issuer} are not taken`)
      if (token.length > LONGEST_TOKEN) return refused('The access token is too long')
      if (provider.bearer === 'introspection' || (provider.bearer === 'auto' && !isJwt(token))) return withUserinfo(token, await introspected(token))
      const claims = await verified(token, provider.audiences)
      // A logout token is signed by the same keys, for the same client.
      if (claims.events !== undefined) return refused('This is no token of a login')
      return withUserinfo(token, claims)
    },
  }
}

function isJwt(token: string): boolean {
  try {
    return token.split('.').length === 3 && typeof decodeProtectedHeader(token).alg === 'string'
  } catch {
    return false
  }
}

/** Keeps one answer; several who ask at once share a question, and a failed one is not kept. */
function remembered<T>(now: () => number, get: () => Promise<T>): (age: number) => Promise<T> {
  let kept: { value: Promise<T>; at: number } | undefined
  return (age) => {
    if (kept && now() - kept.at < age) return kept.value
    const mine = { value: get(), at: now() }
    kept = mine
    mine.value.catch(() => {
      if (kept === mine) kept = undefined
    })
    return mine.value
  }
}

async function discover(ask: AskProvider, provider: OpenidProvider): Promise<Partial<OpenidEndpoints>> {
  const { authorization_endpoint, token_endpoint, jwks_uri } = provider.endpoints
  if (authorization_endpoint && token_endpoint && jwks_uri) return provider.endpoints
  const said = await json(ask, { method: 'GET', url: `${provider.issuer.replace(/\/$/, '')}/.well-known/openid-configuration` })
  if (said.issuer !== provider.issuer) throw unavailable('The identity provider calls itself by another name than the one configured.', { detail: provider.issuer })
  const found: Partial<OpenidEndpoints> = {}
  for (const key of ENDPOINTS) {
    const value = said[key]
    if (typeof value === 'string' && isSafeUrl(value)) found[key] = value
  }
  return { ...found, ...provider.endpoints }
}

function needed(url: string | undefined, name: string): string {
  if (url === undefined) throw unavailable(`The identity provider has no ${name}.`)
  return url
}

/** The object of an answer of 200; a 4xx is a refusal of who asks to get in, what else there may be is a provider in trouble. */
async function json(ask: AskProvider, question: Parameters<AskProvider>[0]): Promise<Record<string, unknown>> {
  const answer = await ask(question)
  let said: unknown
  try {
    said = JSON.parse(answer.text)
  } catch {
    said = undefined
  }
  const object = typeof said === 'object' && said !== null && !Array.isArray(said) ? (said as Record<string, unknown>) : undefined
  if (answer.status === 200 && object) return object
  const why = `${question.url} answered ${answer.status}${typeof object?.error === 'string' ? ` (${object.error.slice(0, 100)})` : ''}`
  if (answer.status === 400 || answer.status === 401 || answer.status === 403) return refused(why)
  throw unavailable('The identity provider did not answer as it should.', { detail: why })
}
