import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ADMIN, type KeystoneKit, keystoneKit } from './kit.ts'

let k: KeystoneKit
before(async () => {
  k = await keystoneKit()
})
after(() => k.close())

test('a password brings a token of the shape that Keystone has', async () => {
  const { answer, token } = await k.login('admin', ADMIN)
  assert.equal(answer.status, 201, answer.text)
  assert.match(token, /^gAAAAA[\w-]+$/)
  assert.equal(answer.headers.vary, 'X-Auth-Token')
  const body = answer.json.token
  assert.deepEqual(body.methods, ['password'])
  assert.deepEqual(body.user, { domain: { id: 'default', name: 'Default' }, id: body.user.id, name: 'admin', password_expires_at: null })
  assert.deepEqual(body.roles.map((role: { name: string }) => role.name), ['admin', 'manager', 'member', 'reader'])
  assert.match(body.expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z$/)
  assert.equal(Date.parse(body.expires_at) - Date.parse(body.issued_at), 3_600_000)
  const compute = body.catalog.find((service: { type: string }) => service.type === 'compute')
  assert.equal(compute.endpoints[0].url, `http://127.0.0.1:5000/compute/v2.1/${body.project.id}`)
})

test('the answer of a validation is that of the issue', async () => {
  const { answer, token } = await k.login('admin', ADMIN)
  const shown = await k.ask('GET', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })
  assert.equal(shown.status, 200)
  assert.deepEqual(shown.json, answer.json)
  assert.equal((await k.ask('HEAD', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })).status, 200)
  const bare = await k.ask('GET', '/v3/auth/tokens?nocatalog', { token, headers: { 'x-subject-token': token } })
  assert.equal(bare.json.token.catalog, undefined)
})

test('a wrong password, a wrong user and a wrong project are one answer', async () => {
  const answers = [await k.login('admin', 'wrong'), await k.login('nobody', 'wrong'), await k.login('admin', ADMIN, { project: { name: 'nowhere', domain: { id: 'default' } } }), await k.login('demo', 'demo-secret', { project: { name: 'admin', domain: { id: 'default' } } })]
  for (const { answer } of answers) {
    assert.equal(answer.status, 401)
    assert.deepEqual(answer.json, { error: { code: 401, message: 'The request you have made requires authentication.', title: 'Unauthorized' } })
    assert.match(String(answer.headers['www-authenticate']), /^Keystone uri="http:\/\/127\.0\.0\.1:5000\/v3"$/)
  }
})

test('a revoked token is dead at once, its sibling lives', async () => {
  const { token } = await k.login('demo', 'demo-secret')
  const { token: sibling } = await k.login('demo', 'demo-secret')
  assert.equal((await k.ask('DELETE', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })).status, 204)
  assert.equal((await k.ask('GET', '/v3/auth/projects', { token })).status, 401)
  assert.equal((await k.ask('GET', '/v3/auth/projects', { token: sibling })).status, 200)
})

test('a token of a token keeps end and chain, and dies with a change of password', async () => {
  const admin = await k.admin()
  const made = await k.ask('POST', '/v3/users', { token: admin, body: { user: { name: 'carol', password: 'first', email: 'c@example.org' } } })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.json.user.email, 'c@example.org')
  const { token, answer } = await k.login('carol', 'first', null)
  assert.equal(answer.json.token.project, undefined)
  assert.equal(answer.json.token.catalog, undefined)
  const again = await k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['token'], token: { id: token } } } } })
  assert.equal(again.status, 201, again.text)
  assert.equal(again.json.token.expires_at, answer.json.token.expires_at)
  assert.deepEqual(again.json.token.methods, ['token', 'password'])
  assert.equal(again.json.token.audit_ids[1], answer.json.token.audit_ids[0])
  const child = String(again.headers['x-subject-token'])
  const changed = await k.ask('POST', `/v3/users/${made.json.user.id}/password`, { body: { user: { original_password: 'first', password: 'second' } } })
  assert.equal(changed.status, 204, changed.text)
  for (const dead of [token, child]) assert.equal((await k.ask('GET', '/v3/auth/projects', { token: dead })).status, 401)
  // Within the same second.
  const { token: fresh, answer: ok } = await k.login('carol', 'second', null)
  assert.equal(ok.status, 201)
  assert.equal((await k.ask('GET', '/v3/auth/projects', { token: fresh })).status, 200)
})

test('a role taken away, a disabled project and a disabled user end tokens', async () => {
  const admin = await k.admin()
  const post = async (path: string, body: object) => (await k.ask('POST', path, { token: admin, body })).json
  const { project } = await post('/v3/projects', { project: { name: 'p1' } })
  const { user } = await post('/v3/users', { user: { name: 'dave', password: 'x' } })
  const { roles } = (await k.ask('GET', '/v3/roles?name=member', { token: admin })).json
  const grant = `/v3/projects/${project.id}/users/${user.id}/roles/${roles[0].id}`
  const scope = { project: { id: project.id } }
  assert.equal((await k.login('dave', 'x', scope)).answer.status, 401)
  assert.equal((await k.ask('PUT', grant, { token: admin })).status, 204)
  assert.equal((await k.ask('HEAD', grant, { token: admin })).status, 204)
  const { token } = await k.login('dave', 'x', scope)
  assert.equal((await k.ask('GET', '/v3/auth/catalog', { token })).status, 200)
  assert.equal((await k.ask('DELETE', grant, { token: admin })).status, 204)
  assert.equal((await k.ask('GET', '/v3/auth/catalog', { token })).status, 401)
  await k.ask('PUT', grant, { token: admin })
  assert.equal((await k.ask('GET', '/v3/auth/catalog', { token })).status, 200)
  for (const enabled of [false, true]) assert.equal((await k.ask('PATCH', `/v3/projects/${project.id}`, { token: admin, body: { project: { enabled } } })).status, 200)
  assert.equal((await k.ask('GET', '/v3/auth/catalog', { token })).status, 401, 'a token from before stays dead')
  const { token: second } = await k.login('dave', 'x', scope)
  assert.equal((await k.ask('GET', '/v3/auth/catalog', { token: second })).status, 200)
  await k.ask('PATCH', `/v3/users/${user.id}`, { token: admin, body: { user: { enabled: false } } })
  assert.equal((await k.ask('GET', '/v3/auth/catalog', { token: second })).status, 401)
  assert.equal((await k.login('dave', 'x', scope)).answer.status, 401)
})

test('what is not asked for well is 400 with the field', async () => {
  const bad = await k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: 'password' } } } })
  assert.equal(bad.status, 400)
  assert.match(bad.json.error.message, /^Invalid input for field 'auth\/identity\/methods'/)
  assert.equal((await k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['password'] } } } })).status, 400)
  assert.equal((await k.ask('POST', '/v3/auth/tokens', { body: {} })).status, 400)
})

test('identity without a token, unknown paths and wrong methods', async () => {
  assert.equal((await k.ask('GET', '/')).status, 300)
  assert.equal((await k.ask('GET', '/v3')).json.version.id, 'v3.14')
  assert.equal((await k.ask('GET', '/v3/users')).status, 401)
  const demo = (await k.login('demo', 'demo-secret')).token
  const refused = await k.ask('GET', '/v3/users', { token: demo })
  assert.equal(refused.status, 403)
  assert.equal(refused.json.error.message, 'You are not authorized to perform the requested action: identity:list_users.')
  assert.equal((await k.ask('POST', '/v3/auth/catalog', { token: demo })).status, 405)
})

test('system, domain and unscoped tokens', async () => {
  const system = await k.login('admin', ADMIN, { system: { all: true } })
  assert.deepEqual(system.answer.json.token.system, { all: true })
  assert.equal((await k.ask('GET', '/v3/users', { token: system.token })).status, 200)
  assert.equal((await k.login('admin', ADMIN, { domain: { name: 'default' } })).answer.status, 201, 'as on MySQL, in any case')
  const domain = await k.login('admin', ADMIN, { domain: { name: 'Default' } })
  assert.equal(domain.answer.json.token.domain.id, 'default')
  const compute = domain.answer.json.token.catalog.find((service: { type: string }) => service.type === 'compute')
  assert.deepEqual(compute.endpoints, [], 'a URL with a project needs one')
  const unscoped = await k.login('admin', ADMIN, 'unscoped')
  assert.equal(unscoped.answer.status, 201)
  assert.equal(unscoped.answer.json.token.roles, undefined)
})

test('a revocation holds in a process that was told nothing', async () => {
  const { controlProcess } = await import('../processes/control.ts')
  const deaf = controlProcess(k.kit.parts)
  const { token } = await k.login('demo', 'demo-secret')
  assert.equal((await deaf.validateToken(token, ''))?.user_name, 'demo')
  assert.equal((await k.ask('DELETE', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })).status, 204)
  assert.equal(await deaf.validateToken(token, ''), undefined)
})
