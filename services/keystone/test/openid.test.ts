/** Logins by a provider of OpenID Connect that Keystone asks itself, and the ways in which somebody might try to be somebody else. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { VirtualClock } from '#base/clock.ts'
import type { Answer } from '#stack/test/house-kit.ts'
import type { Notification } from '../api/audit.ts'
import { NOTIFICATIONS_TOPIC } from '../contract/topics.ts'
import { sweep } from '../store/sweep.ts'
import { openidProviders } from '../core/openid/settings.ts'
import type { KeystoneTables } from '../store/tables.ts'
import { type KeystoneKit, keystoneKit } from './kit.ts'
import { type OpenidProviderKit, openidProviderKit } from './openid-provider.ts'

const DASHBOARD = 'https://dash.example/auth/websso/'
const NAMED = '/v3/auth/OS-FEDERATION/identity_providers/corp/protocols/openid'
const AUTH = '/v3/OS-FEDERATION/identity_providers/corp/protocols/openid/auth'
const clock = new VirtualClock()
let provider: OpenidProviderKit
let k: KeystoneKit
let admin: string

before(async () => {
  provider = await openidProviderKit(() => clock.now())
  const { url: issuer, client } = provider
  const common = { issuer, client_id: client.id, client_secret: client.secret }
  k = await keystoneKit({ federation: { trusted_dashboard: [DASHBOARD], trust_headers_from: ['local'], openid: { corp: { ...common, audiences: ['ondol', 'cloud'] }, asks: { ...common, bearer: 'introspection', userinfo: true, protocol: 'mapped' }, gone: { issuer: 'http://127.0.0.1:1', client_id: 'x', protocol: 'gone' } } } }, clock)
  admin = await k.admin()
  const put = async (path: string, body: object): Promise<void> => {
    const answer = await k.ask('PUT', `/v3/OS-FEDERATION/${path}`, { token: admin, body })
    assert.equal(answer.status, 201, answer.text)
  }
  for (const name of ['staff', 'admins']) await k.ask('POST', '/v3/groups', { token: admin, body: { group: { name } } })
  const local = [{ user: { name: '{0}', email: '{1}' } }, { groups: '{2}', domain: { id: 'default' } }]
  await put('mappings/corp', { mapping: { rules: [{ local, remote: [{ type: 'OIDC-preferred_username', any_one_of: ['jane', 'joe'] }, { type: 'OIDC-preferred_username' }, { type: 'HTTP_OIDC_EMAIL' }, { type: 'OIDC-groups' }] }] } })
  await put('mappings/asks', { mapping: { rules: [{ local: [{ user: { name: '{0} of {1}' } }], remote: [{ type: 'REMOTE_USER' }, { type: 'OIDC-department' }] }] } })
  for (const [idp, protocol, mapping_id] of [['corp', 'openid', 'corp'], ['asks', 'mapped', 'asks'], ['gone', 'gone', 'asks']]) {
    await put(`identity_providers/${idp}`, { identity_provider: { enabled: true, remote_ids: [`${issuer}/${idp}`] } })
    await put(`identity_providers/${idp}/protocols/${protocol}`, { protocol: { mapping_id } })
  }
  await k.ask('PATCH', '/v3/OS-FEDERATION/identity_providers/corp', { token: admin, body: { identity_provider: { remote_ids: [issuer] } } })
  await k.ask('PATCH', '/v3/OS-FEDERATION/identity_providers/corp/protocols/openid', { token: admin, body: { protocol: { remote_id_attribute: 'HTTP_OIDC_ISS' } } })
})
beforeEach(() => {
  provider.bend = {}
  provider.sign = undefined
})
after(async () => {
  await k.close()
  await provider.close()
})

const start = (path = `${NAMED}/websso`, origin = DASHBOARD): Promise<Answer> => k.ask('GET', `${path}?origin=${encodeURIComponent(origin)}`)
const jar = (answer: Answer): string => String(answer.headers['set-cookie']).split(';')[0]!
const back = (url: URL, cookie: string): Promise<Answer> => k.ask('GET', `${url.pathname.replace('/identity', '')}${url.search}`, { headers: { cookie } })
const bearer = (token: string, headers: Record<string, string> = {}, path = AUTH): Promise<Answer> => k.ask('POST', path, { headers: { authorization: `Bearer ${token}`, ...headers } })

/** A whole login by browser; the answer to the callback. */
async function login(): Promise<Answer> {
  const begun = await start()
  assert.equal(begun.status, 302, begun.text)
  return back(await provider.login(String(begun.headers.location)), jar(begun))
}

test('a browser logs in by code and PKCE, and the token is posted to the dashboard', async () => {
  const begun = await start('/v3/auth/OS-FEDERATION/websso/openid')
  assert.equal(begun.status, 302, begun.text)
  const to = new URL(String(begun.headers.location))
  assert.equal(to.searchParams.get('scope'), 'openid profile email')
  const cookie = String(begun.headers['set-cookie'])
  assert.match(cookie, /; Path=\/identity\/v3\/auth\/OS-FEDERATION\/identity_providers\/corp\/protocols\/openid\/callback; Max-Age=600; HttpOnly; SameSite=Lax$/)
  for (const secret of ['state', 'nonce']) assert.ok(!cookie.includes(to.searchParams.get(secret)!))
  const page = await back(await provider.login(to.href), jar(begun))
  assert.equal(page.status, 200, page.text)
  assert.match(page.text, /action="https:\/\/dash\.example\/auth\/websso\/" method="post"/)
  assert.equal(page.headers['cache-control'], 'no-store')
  assert.match(String(page.headers['set-cookie']), /=; .*Max-Age=0/)
  const token = /id="token" value="([^"]+)"/.exec(page.text)![1]!
  const shown = await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token } })
  const { user, methods } = shown.json.token
  assert.equal(user.name, 'jane')
  assert.deepEqual(methods, ['openid'])
  assert.equal(user['OS-FEDERATION'].groups.length, 1, 'a semicolon in a group of the provider makes no second group')
})

test('origin: only a dashboard that is trusted letter by letter', async () => {
  for (const origin of ['https://evil.example/', `${DASHBOARD}x`, 'https://dash.example/auth/websso', `${DASHBOARD}@evil`, 'javascript:alert(1)', `HTTPS://DASH.EXAMPLE/auth/websso/`]) assert.equal((await start(undefined, origin)).status, 401, origin)
  assert.equal((await start(undefined, '')).status, 400)
})

test('state: once, in the browser that began, for its provider, and not too late', async () => {
  const begun = await start()
  const url = await provider.login(String(begun.headers.location))
  assert.equal((await back(url, '')).status, 401, 'another browser')
  const other = await start()
  assert.equal((await back(url, jar(other))).status, 401, 'another login of this browser')
  const forged = `${jar(begun).split('=')[0]}=${jar(other).slice(jar(other).indexOf('=') + 1)}`
  assert.equal((await back(url, forged)).status, 401, 'the content of another login under this name')
  const elsewhere = new URL(url.href.replace('identity_providers/corp', 'identity_providers/asks').replace('protocols/openid', 'protocols/mapped'))
  assert.equal((await back(elsewhere, jar(begun))).status, 401, 'another provider')
  const mixed = new URL(url)
  mixed.searchParams.set('iss', 'https://evil.example')
  assert.equal((await back(mixed, jar(begun))).status, 401, 'the answer of another issuer')
  assert.equal((await back(url, jar(begun))).status, 200)
  // The provider would give the same browser a second code without asking.
  assert.equal((await back(await provider.login(String(begun.headers.location)), jar(begun))).status, 401, 'a second time')
  const late = await start()
  const lateUrl = await provider.login(String(late.headers.location))
  await clock.advance(601_000)
  assert.equal((await back(lateUrl, jar(late))).status, 401, 'too late')
  const db = k.kit.db.as<KeystoneTables>()
  const kept = async (): Promise<number> => (await db.query.selectFrom('keystone_used_once').selectAll().execute()).length
  assert.ok((await kept()) > 0)
  await sweep(db, clock.now() + 601_000)
  assert.equal(await kept(), 0, 'what is remembered of logins is swept away')
})

test('a login that was only begun, or not granted, leaves nothing behind', async () => {
  const db = k.kit.db.as<KeystoneTables>()
  const begun = await start()
  const { searchParams } = new URL(String(begun.headers.location))
  const url = new URL(searchParams.get('redirect_uri')!)
  url.search = new URLSearchParams({ state: searchParams.get('state')!, error: 'access_denied' }).toString()
  assert.equal((await back(url, jar(begun))).status, 401)
  url.search = new URLSearchParams({ state: searchParams.get('state')!, code: 'made-up' }).toString()
  assert.equal((await back(url, jar(begun))).status, 401)
  assert.deepEqual(await db.query.selectFrom('keystone_used_once').selectAll().execute(), [])
})

test('ID tokens that are not good let nobody in', async () => {
  const now = Math.floor(clock.now() / 1000)
  const cases: Record<string, Record<string, unknown>> = {
    'wrong issuer': { iss: 'https://evil.example' },
    'wrong audience': { aud: 'another-client' },
    'an audience only for access tokens': { aud: 'cloud' },
    'several audiences without a party': { aud: ['ondol', 'other'] },
    'made for another client': { azp: 'other' },
    expired: { exp: now - 60 },
    'without an end': { exp: undefined },
    'made long ago': { iat: now - 3600 },
    'wrong nonce': { nonce: 'another' },
    'without a nonce': { nonce: undefined },
    'without a subject': { sub: undefined },
    'not yet': { nbf: now + 3600 },
  }
  for (const [why, bend] of Object.entries(cases)) {
    provider.bend = bend
    assert.equal((await login()).status, 401, why)
  }
  provider.bend = {}
  provider.sign = async (claims) => new UnsecuredJWT(claims).encode()
  assert.equal((await login()).status, 401, 'alg none')
  const stranger = await generateKeyPair('RS256')
  provider.sign = (claims) => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'key-0' }).sign(stranger.privateKey)
  assert.equal((await login()).status, 401, "a stranger's key under the provider's name")
  provider.sign = (claims) => new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'key-0' }).sign(new TextEncoder().encode(provider.client.secret))
  assert.equal((await login()).status, 401, 'a signature by the shared secret')
  provider.sign = async () => 'nonsense'
  assert.equal((await login()).status, 401)
  provider.sign = undefined
  assert.equal((await login()).status, 200)
})

test('a mapping that matches nobody lets nobody in, and no row is made', async () => {
  const users = async (): Promise<number> => (await k.kit.db.as<KeystoneTables>().query.selectFrom('keystone_users').select('id').execute()).length
  const before = await users()
  provider.bend = { preferred_username: 'mallory' }
  assert.equal((await login()).status, 401)
  assert.equal((await bearer(await provider.token(provider.bend))).status, 401)
  provider.bend = { email: undefined }
  assert.equal((await login()).status, 401, 'a claim that a rule asks for is missing')
  assert.equal(await users(), before)
})

test('an access token: a JWT by the keys of the provider, meant for this cloud', async () => {
  const good = await bearer(await provider.token())
  assert.equal(good.status, 201, good.text)
  assert.equal(good.json.token.user.name, 'jane')
  assert.equal((await bearer(await provider.token({ aud: ['account', 'cloud'] }))).status, 201)
  const now = Math.floor(clock.now() / 1000)
  for (const [why, bend] of Object.entries({ issuer: { iss: 'https://evil.example' }, audience: { aud: 'account' }, 'no audience': { aud: undefined }, expired: { exp: now - 60 }, logout: { events: {} } })) assert.equal((await bearer(await provider.token(bend))).status, 401, why)
  const claims = { iss: provider.url, sub: 'x', aud: 'ondol', exp: now + 60, preferred_username: 'jane', email: 'e', groups: 'admins' }
  assert.equal((await bearer(new UnsecuredJWT(claims).encode())).status, 401, 'alg none')
  const [head, body] = [{ alg: 'HS256', kid: 'key-0' }, claims].map((one) => Buffer.from(JSON.stringify(one)).toString('base64url'))
  assert.equal((await bearer(`${head}.${body}.${createHmac('sha256', provider.client.secret).update(`${head}.${body}`).digest('base64url')}`)).status, 401)
  for (const token of ['x', 'a.b.c', 'x'.repeat(20_000)]) assert.equal((await bearer(token)).status, 401)
  assert.equal((await k.ask('POST', AUTH)).status, 401, 'no token at all')
})

test('headers are never believed for a provider that is asked here, trusted peer or not', async () => {
  const headers = { 'oidc-preferred_username': 'jane', http_oidc_email: 'e', 'oidc-groups': 'admins', http_oidc_iss: provider.url, remote_user: 'jane' }
  assert.equal((await k.ask('POST', AUTH, { headers })).status, 401)
  const got = await bearer(await provider.token({ groups: undefined }), headers)
  assert.equal(got.status, 401, 'the rule wants groups, and the token has none')
  const page = await k.ask('GET', `${NAMED}/websso?origin=${encodeURIComponent(DASHBOARD)}`, { headers })
  assert.equal(page.status, 302)
})

test('the method mapped takes an access token, too', async () => {
  const body = { auth: { identity: { methods: ['openid'], openid: { identity_provider: 'corp', protocol: 'openid' } } } }
  const got = await k.ask('POST', '/v3/auth/tokens', { body, headers: { authorization: `Bearer ${await provider.token()}` } })
  assert.equal(got.status, 201, got.text)
  assert.equal((await k.ask('POST', '/v3/auth/tokens', { body })).status, 401)
})

test('an access token that only the provider can read, and more claims from it', async () => {
  const path = '/v3/OS-FEDERATION/identity_providers/asks/protocols/mapped/auth'
  const facts = { active: true, sub: 'jane-1', client_id: 'ondol' }
  const got = await bearer(provider.opaque(facts), {}, path)
  assert.equal(got.status, 201, got.text)
  assert.equal(got.json.token.user.name, `jane-1@${provider.url.slice(7)} of heating`)
  const now = Math.floor(clock.now() / 1000)
  for (const bend of [{ active: false }, { active: 'true' }, { client_id: 'other' }, { aud: 'other' }, { sub: undefined }, { sub: 'joe-2' }, { iss: 'https://evil.example' }, { exp: now - 60 }]) {
    assert.equal((await bearer(provider.opaque({ ...facts, ...bend }), {}, path)).status, 401, JSON.stringify(bend))
  }
  assert.equal((await bearer('unknown', {}, path)).status, 401)
})

test('the audit trail hears who came in this way, and that somebody did not', async () => {
  const heard: Notification[] = []
  const serving = await k.kit.parts.bus.serve(NOTIFICATIONS_TOPIC, { info: (notification: Notification) => void heard.push(notification) })
  try {
    const { user } = (await bearer(await provider.token())).json.token
    assert.equal((await login()).status, 200)
    assert.equal((await bearer('nonsense')).status, 401)
    for (let i = 0; i < 1000 && heard.length < 3; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(heard.map(({ payload }) => [payload.outcome, (payload.target as { id: string }).id]), [['success', user.id], ['success', user.id], ['failure', 'unknown']])
  } finally {
    await serving.close()
  }
})

test('keys that change are found, and made-up names of keys do not make us ask again and again', async () => {
  await provider.rotate()
  await clock.advance(31_000)
  assert.equal((await bearer(await provider.token())).status, 201)
  provider.asked.length = 0
  const stranger = await generateKeyPair('RS256')
  const now = Math.floor(clock.now() / 1000)
  for (let i = 0; i < 5; i++) {
    const token = await new SignJWT({ iss: provider.url, sub: 'x', aud: 'ondol', exp: now + 60 }).setProtectedHeader({ alg: 'RS256', kid: `made-up-${i}` }).sign(stranger.privateKey)
    assert.equal((await bearer(token)).status, 401)
  }
  assert.deepEqual(provider.asked, [])
})

test('names that do not fit are refused, and a long one in another script is still one user', async () => {
  for (const [path, body] of Object.entries({ 'mappings/front': { mapping: { rules: [{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'REMOTE_USER' }] }] } }, 'identity_providers/front': { identity_provider: { enabled: true } }, 'identity_providers/front/protocols/mapped': { protocol: { mapping_id: 'front' } } })) {
    assert.equal((await k.ask('PUT', `/v3/OS-FEDERATION/${path}`, { token: admin, body })).status, 201)
  }
  const named = (remote_user: string): Promise<Answer> => k.ask('GET', '/v3/OS-FEDERATION/identity_providers/front/protocols/mapped/auth', { headers: { remote_user } })
  assert.equal((await named('x'.repeat(256))).status, 401)
  const [first, again] = [await named('온'.repeat(200)), await named('온'.repeat(200))]
  assert.equal(first.status, 201, first.text)
  assert.equal(first.json.token.user.id, again.json.token.user.id)
  assert.notEqual((await named(`${'온'.repeat(200)}돌`)).json.token.user.id, first.json.token.user.id)
  for (const email of ['a\0b', { deep: [{}, null, 1] }, [], null]) assert.equal((await bearer(await provider.token({ email }))).status, 401, JSON.stringify(email))
})

test('a provider or protocol that is disabled or gone sends nobody anywhere', async () => {
  const patch = (enabled: boolean): Promise<Answer> => k.ask('PATCH', '/v3/OS-FEDERATION/identity_providers/corp', { token: admin, body: { identity_provider: { enabled } } })
  const begun = await start()
  const url = await provider.login(String(begun.headers.location))
  await patch(false)
  assert.equal((await start()).status, 403)
  assert.equal((await back(url, jar(begun))).status, 403)
  assert.equal((await bearer(await provider.token())).status, 403)
  await patch(true)
  assert.equal((await start(`${NAMED.replace('openid', 'other')}/websso`)).status, 401)
  assert.equal((await k.ask('GET', `${NAMED.replace('/corp', '/nobody')}/callback?state=x&code=y`)).status, 401)
})

test('a provider that does not answer is 503', async () => {
  const answer = await start('/v3/auth/OS-FEDERATION/websso/gone')
  assert.equal(answer.status, 503, answer.text)
  assert.match(answer.json.error.message, /did not answer/)
})

test('settings: what is missing or unsafe is named, and secrets are not told', () => {
  const good = { issuer: 'https://login.example', client_id: 'c', client_secret: 'very-secret' }
  const read = (settings: object) => openidProviders({ corp: settings }, () => 'from-file\n').get('corp')!
  assert.equal(read(good).client_secret!.reveal(), 'very-secret')
  assert.equal(read({ issuer: 'https://login.example', client_id: 'c', client_secret_file: '/x' }).client_secret!.reveal(), 'from-file')
  assert.equal(read({ issuer: 'https://login.example', client_id: 'c' }).token_endpoint_auth_method, 'none')
  const wrong: [object, RegExp][] = [
    [{ ...good, issuer: 'http://login.example' }, /corp\.issuer must be an https URL/],
    [{ ...good, token_endpoint: 'http://login.example/token' }, /corp\.token_endpoint/],
    [{ ...good, client_id: undefined }, /corp\.client_id/],
    [{ ...good, algorithms: ['none'] }, /corp\.algorithms/],
    [{ ...good, algorithms: ['HS256'] }, /corp\.algorithms/],
    [{ ...good, bearer: 'maybe' }, /corp\.bearer/],
    [{ ...good, isuer: 'x' }, /unknown key "isuer"/],
  ]
  for (const [settings, message] of wrong) {
    assert.throws(() => read(settings), (thrown: Error) => message.test(thrown.message) && !thrown.message.includes('very-secret'))
  }
})
