/** What a login may be asked besides: a second factor, a fresh password, patience; and logins from outside. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { totpCode } from '../core/totp.ts'
import { keystoneManage } from '../processes/manage.ts'
import { type KeystoneKit, keystoneKit } from './kit.ts'

let k: KeystoneKit
let admin: string
const clock = new VirtualClock(Date.UTC(2026, 10, 21))
before(async () => {
  k = await keystoneKit(
    {
      token: { expiration: 10 * 86_400 },
      security_compliance: { lockout_failure_attempts: 3, lockout_duration: 600, unique_last_password_count: 2, minimum_password_age: 1, password_expires_days: 30, password_regex: '^.{4,}$', password_regex_description: 'four letters', change_password_upon_first_use: false },
      federation: { trust_headers_from: ['local'], trusted_dashboard: ['http://dash/sso'], default_authorization_ttl: 60 },
    },
    clock,
  )
  admin = await k.admin()
})
after(() => k.close())

async function user(name: string, more: object = {}): Promise<string> {
  const made = await k.ask('POST', '/v3/users', { token: admin, body: { user: { name, password: 'first1', ...more } } })
  assert.equal(made.status, 201, made.text)
  return made.json.user.id
}
const change = (id: string, original_password: string, password: string) => k.ask('POST', `/v3/users/${id}/password`, { body: { user: { original_password, password } } })

test('three wrong passwords lock a user out, for a time, and say nothing', async () => {
  const id = await user('locked')
  for (let i = 0; i < 3; i++) assert.equal((await k.login('locked', 'nope', null)).answer.status, 401)
  const refused = (await k.login('locked', 'first1', null)).answer
  assert.equal(refused.status, 401)
  assert.equal(refused.json.error.message, 'The request you have made requires authentication.')
  await clock.advance(601_000)
  assert.equal((await k.login('locked', 'first1', null)).answer.status, 201)
  await k.ask('PATCH', `/v3/users/${id}`, { token: admin, body: { user: { options: { ignore_lockout_failure_attempts: true } } } })
  for (let i = 0; i < 5; i++) await k.login('locked', 'nope', null)
  assert.equal((await k.login('locked', 'first1', null)).answer.status, 201)
})

test('passwords: strength, history, age, expiry', async () => {
  const weak = await k.ask('POST', '/v3/users', { token: admin, body: { user: { name: 'weak', password: 'abc' } } })
  assert.equal(weak.status, 400)
  assert.match(weak.json.error.message, /four letters/)
  const id = await user('aging')
  assert.equal((await change(id, 'first1', 'second2')).status, 204)
  assert.equal((await change(id, 'second2', 'third3')).status, 400, 'too soon')
  await clock.advance(25 * 3_600_000)
  admin = await k.admin()
  assert.equal((await change(id, 'second2', 'first1')).status, 400, 'one of the last two')
  assert.equal((await change(id, 'second2', 'abc')).status, 400)
  assert.equal((await change(id, 'second2', 'third3')).status, 204)
  const shown = (await k.ask('GET', `/v3/users/${id}`, { token: admin })).json.user
  assert.match(shown.password_expires_at, /^2026-12-2\dT/)
  await clock.advance(31 * 86_400_000)
  const expired = (await k.login('aging', 'third3', null)).answer
  assert.equal(expired.status, 401)
  assert.match(expired.json.error.message, /password is expired/)
  assert.equal((await k.login('aging', 'wrong!', null)).answer.json.error.message, 'The request you have made requires authentication.')
  assert.equal((await change(id, 'third3', 'fourth4')).status, 204, 'an expired one can be changed')
  assert.equal((await k.login('aging', 'fourth4', null)).answer.status, 201)
  const manage = keystoneManage({ world: k.kit.world, config: k.kit.parts.config, db: k.kit.db, dataDir: k.kit.parts.dataDir })
  await manage.resetPassword('admin', 'admin-secret')
  admin = await k.admin()
})

test('two factors: the first brings a receipt, both bring a token', async () => {
  const id = await user('twofold')
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
  await k.ask('POST', '/v3/credentials', { token: admin, body: { credential: { type: 'totp', user_id: id, blob: secret } } })
  await k.ask('PATCH', `/v3/users/${id}`, { token: admin, body: { user: { options: { multi_factor_auth_enabled: true, multi_factor_auth_rules: [['password', 'totp']] } } } })
  const first = (await k.login('twofold', 'first1', null)).answer
  assert.equal(first.status, 401)
  assert.deepEqual(first.json.required_auth_methods, [['password', 'totp']])
  assert.deepEqual(first.json.receipt.methods, ['password'])
  const receipt = String(first.headers['openstack-auth-receipt'])
  const second = (passcode: string, headers: Record<string, string>) => k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['totp'], totp: { user: { id, passcode } } } } }, headers })
  const code = totpCode(secret, clock.now())
  assert.equal((await second('000000', { 'openstack-auth-receipt': receipt })).status, 401)
  assert.equal((await second(code, {})).status, 401)
  const done = await second(code, { 'openstack-auth-receipt': receipt })
  assert.equal(done.status, 201, done.text)
  assert.deepEqual([...done.json.token.methods].sort(), ['password', 'totp'])
  await clock.advance(301_000)
  assert.equal((await second(totpCode(secret, clock.now()), { 'openstack-auth-receipt': receipt })).status, 401, 'the receipt is over')
})

test('federation: an assertion becomes a user, groups and a project; without trust it becomes nothing', async () => {
  const put = async (path: string, body: object) => {
    const answer = await k.ask('PUT', `/v3/OS-FEDERATION/${path}`, { token: admin, body })
    assert.equal(answer.status, 201, answer.text)
    return answer.json
  }
  const { identity_provider } = await put('identity_providers/corp', { identity_provider: { enabled: true, remote_ids: ['https://corp'] } })
  const { group } = (await k.ask('POST', '/v3/groups', { token: admin, body: { group: { name: 'engineers' } } })).json
  await put('mappings/corp', { mapping: { rules: [{ remote: [{ type: 'OIDC-preferred_username' }], local: [{ user: { name: '{0}' } }, { group: { id: group.id } }, { projects: [{ name: 'home', roles: [{ name: 'member' }] }] }] }] } })
  await put('identity_providers/corp/protocols/openid', { protocol: { mapping_id: 'corp', remote_id_attribute: 'HTTP_OIDC_ISS' } })
  const login = (headers: Record<string, string>) => k.ask('POST', '/v3/OS-FEDERATION/identity_providers/corp/protocols/openid/auth', { headers })
  assert.equal((await login({ 'oidc-preferred_username': 'jane', http_oidc_iss: 'https://evil' })).status, 403)
  assert.equal((await login({ http_oidc_iss: 'https://corp' })).status, 401, 'no rule holds')
  const got = await login({ 'oidc-preferred_username': 'jane', http_oidc_iss: 'https://corp' })
  assert.equal(got.status, 201, got.text)
  const { token } = got.json
  assert.equal(token.user.name, 'jane')
  assert.equal(token.user.domain.id, identity_provider.domain_id)
  assert.deepEqual(token.user['OS-FEDERATION'].groups, [{ id: group.id }])
  const unscoped = String(got.headers['x-subject-token'])
  const { projects } = (await k.ask('GET', '/v3/OS-FEDERATION/projects', { token: unscoped })).json
  assert.deepEqual(projects.map((one: { name: string }) => one.name), ['home'])
  const scoped = await k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['token'], token: { id: unscoped } }, scope: { project: { id: projects[0].id } } } } })
  assert.equal(scoped.status, 201, scoped.text)
  assert.equal((await login({ 'oidc-preferred_username': 'jane', http_oidc_iss: 'https://corp' })).json.token.user.id, token.user.id, 'the same user again')
  const sso = '/v3/auth/OS-FEDERATION/identity_providers/corp/protocols/openid/websso'
  const headers = { 'oidc-preferred_username': 'jane', http_oidc_iss: 'https://corp' }
  assert.equal((await k.ask('GET', `${sso}?origin=http://evil/`, { headers })).status, 401)
  const page = await k.ask('GET', `${sso}?origin=http://dash/sso`, { headers })
  assert.match(page.text, /action="http:\/\/dash\/sso"[\s\S]*value="gAAAAA/)
})

test('keys: a rotation keeps tokens alive, credentials are written anew, files are private', async () => {
  const { stat, readdir } = await import('node:fs/promises')
  const manage = keystoneManage({ world: k.kit.world, config: k.kit.parts.config, db: k.kit.db, dataDir: k.kit.parts.dataDir })
  const { token } = await k.login('demo', 'demo-secret')
  const dir = `${k.kit.parts.dataDir}/fernet-keys`
  assert.deepEqual((await readdir(dir)).sort(), ['0', '1'])
  await manage.rotateTokenKeys()
  assert.deepEqual((await readdir(dir)).sort(), ['0', '1', '2'])
  for (const name of await readdir(dir)) assert.equal((await stat(`${dir}/${name}`)).mode & 0o777, 0o600)
  await clock.advance(31_000)
  k.kit.parts.tokens.forget()
  assert.equal((await k.ask('GET', '/v3/auth/projects', { token })).status, 200, 'the old key still reads')
  await manage.rotateTokenKeys()
  await manage.rotateTokenKeys()
  assert.deepEqual((await readdir(dir)).sort(), ['0', '3', '4'])
  admin = await k.admin()
  const before = (await k.ask('GET', '/v3/credentials', { token: admin })).json.credentials
  assert.ok(before.length > 0)
  assert.equal(await manage.rotateCredentialKeys(), before.length)
  assert.deepEqual((await k.ask('GET', '/v3/credentials', { token: await k.admin() })).json.credentials, before)
  const names = (await manage.doctor()).map((symptom) => symptom.name)
  assert.deepEqual(names, ['password_hashing'])
})
