/** Less than everything for somebody else: application credentials, trusts, EC2 credentials, OAuth; and that none of them grows (A11–A13). */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import { percent } from '../core/aws-signature.ts'
import { ADMIN, type KeystoneKit, keystoneKit } from './kit.ts'

let k: KeystoneKit
let admin: string
before(async () => {
  k = await keystoneKit()
  admin = await k.admin()
})
after(() => k.close())

const auth = (method: string, payload: object, scope?: object) => ({ body: { auth: { identity: { methods: [method], [method]: payload }, ...(scope ? { scope } : {}) } } })

async function someone(name: string, roles: string[] = ['member']): Promise<{ id: string; project: string; token: string; scope: object }> {
  const { user } = (await k.ask('POST', '/v3/users', { token: admin, body: { user: { name, password: 'pw' } } })).json
  const { project } = (await k.ask('POST', '/v3/projects', { token: admin, body: { project: { name } } })).json
  for (const role of roles) {
    const { roles: found } = (await k.ask('GET', `/v3/roles?name=${role}`, { token: admin })).json
    assert.equal((await k.ask('PUT', `/v3/projects/${project.id}/users/${user.id}/roles/${found[0].id}`, { token: admin })).status, 204)
  }
  const scope = { project: { id: project.id } }
  return { id: user.id, project: project.id, token: (await k.login(name, 'pw', scope)).token, scope }
}

test('an application credential logs in with its roles, and dies with the role or itself', async () => {
  const u = await someone('app-user')
  const made = await k.ask('POST', `/v3/users/${u.id}/application_credentials`, { token: u.token, body: { application_credential: { name: 'ci', roles: [{ name: 'reader' }], expires_at: '2999-01-02T03:04:05.123456' } } })
  assert.equal(made.status, 201, made.text)
  const { id, secret, expires_at } = made.json.application_credential
  assert.equal(expires_at, '2999-01-02T03:04:05.123456')
  const shown = await k.ask('GET', `/v3/users/${u.id}/application_credentials/${id}`, { token: u.token })
  assert.equal(shown.json.application_credential.secret, undefined)
  const login = await k.ask('POST', '/v3/auth/tokens', auth('application_credential', { id, secret }))
  assert.equal(login.status, 201, login.text)
  assert.deepEqual(login.json.token.roles.map((role: { name: string }) => role.name), ['reader'])
  assert.deepEqual(login.json.token.application_credential, { id, name: 'ci', restricted: true })
  assert.equal((await k.ask('POST', '/v3/auth/tokens', auth('application_credential', { name: 'ci', user: { id: u.id }, secret }))).status, 201)
  assert.equal((await k.ask('POST', '/v3/auth/tokens', auth('application_credential', { id, secret: 'wrong' }))).status, 401)
  assert.equal((await k.ask('POST', '/v3/auth/tokens', auth('application_credential', { id, secret }, u.scope))).status, 401, 'no other scope')
  const token = String(login.headers['x-subject-token'])
  const rescoped = await k.ask('POST', '/v3/auth/tokens', auth('token', { id: token }))
  assert.equal(rescoped.json.token.application_credential.id, id, 'a token of its token stays bound to it')
  assert.equal((await k.ask('DELETE', `/v3/users/${u.id}/application_credentials/${id}`, { token: u.token })).status, 204)
  assert.equal((await k.ask('GET', '/v3/auth/projects', { token })).status, 401)
})

test('A12: a restricted application credential makes and changes no credentials of any kind', async () => {
  const u = await someone('restricted', ['member'])
  const make = (unrestricted: boolean) => k.ask('POST', `/v3/users/${u.id}/application_credentials`, { token: u.token, body: { application_credential: { name: `c${unrestricted}`, unrestricted } } })
  const tokenOf = async (credential: { id: string; secret: string }) => String((await k.ask('POST', '/v3/auth/tokens', auth('application_credential', { id: credential.id, secret: credential.secret }))).headers['x-subject-token'])
  const restricted = await tokenOf((await make(false)).json.application_credential)
  const existing = await k.ask('POST', `/v3/users/${u.id}/credentials/OS-EC2`, { token: u.token, body: { tenant_id: u.project } })
  const attempts: [string, string, object?][] = [
    ['POST', `/v3/users/${u.id}/credentials/OS-EC2`, { tenant_id: u.project }],
    ['DELETE', `/v3/users/${u.id}/credentials/OS-EC2/${existing.json.credential.access}`],
    ['POST', '/v3/credentials', { credential: { type: 'ec2', user_id: u.id, project_id: u.project, blob: '{"access":"a","secret":"s"}' } }],
    ['POST', '/v3/credentials', { credential: { type: 'totp', user_id: u.id, blob: 'GEZDGNBVGY3TQOJQ' } }],
    ['POST', `/v3/users/${u.id}/application_credentials`, { application_credential: { name: 'more' } }],
    ['POST', '/v3/OS-TRUST/trusts', { trust: { trustor_user_id: u.id, trustee_user_id: u.id, impersonation: true, project_id: u.project, roles: [{ name: 'member' }] } }],
  ]
  for (const [method, path, body] of attempts) assert.equal((await k.ask(method, path, { token: restricted, ...(body ? { body } : {}) })).status, 403, `${method} ${path}`)
  // An unrestricted one may, and what it makes is bound to it.
  const wide = (await make(true)).json.application_credential
  const made = await k.ask('POST', `/v3/users/${u.id}/credentials/OS-EC2`, { token: await tokenOf(wide), body: { tenant_id: u.project } })
  assert.equal(made.status, 201)
  const validated = await ec2(made.json.credential)
  assert.equal(validated.json.token.application_credential.id, wide.id)
  assert.equal((await k.ask('DELETE', `/v3/users/${u.id}/application_credentials/${wide.id}`, { token: u.token })).status, 204)
  assert.equal((await ec2(made.json.credential)).status, 401, 'gone with the credential that made it')

  async function ec2({ access, secret }: { access: string; secret: string }) {
    return k.ask('POST', '/v3/ec2tokens', { token: admin, body: signed(access, secret, new Date()) })
  }
})

/** A request as a service passes it on, signed with version 2. */
function signed(access: string, secret: string, at: Date) {
  const params: Record<string, string> = { AWSAccessKeyId: access, Action: 'DescribeInstances', SignatureVersion: '2', SignatureMethod: 'HmacSHA256', Timestamp: at.toISOString() }
  const query = Object.keys(params).sort().map((key) => `${percent(key)}=${percent(params[key]!)}`).join('&')
  const signature = createHmac('sha256', secret).update(`GET\nlocalhost\n/\n${query}`).digest('base64')
  return { ec2Credentials: { access, signature, host: 'localhost:8773', verb: 'GET', path: '/', params } }
}

test('A11, A13: signatures are for services to show, for a time, and for what they signed', async () => {
  const u = await someone('ec2-user')
  const { credential } = (await k.ask('POST', `/v3/users/${u.id}/credentials/OS-EC2`, { token: u.token, body: { tenant_id: u.project } })).json
  const good = signed(credential.access, credential.secret, new Date())
  assert.equal((await k.ask('POST', '/v3/ec2tokens', { body: good })).status, 401, 'nobody')
  assert.equal((await k.ask('POST', '/v3/ec2tokens', { token: u.token, body: good })).status, 403, 'a user')
  const service = (await k.login('nova', 'n'.repeat(40), { project: { name: 'service', domain: { id: 'default' } } })).token
  const ok = await k.ask('POST', '/v3/ec2tokens', { token: service, body: good })
  assert.equal(ok.status, 200, ok.text)
  assert.equal(ok.json.token.project.id, u.project)
  assert.equal(ok.json.token.user.id, u.id)
  const bad = async (change: object) => (await k.ask('POST', '/v3/ec2tokens', { token: service, body: { ec2Credentials: { ...good.ec2Credentials, ...change } } })).status
  assert.equal(await bad({ verb: 'POST' }), 401)
  assert.equal(await bad({ host: 'elsewhere' }), 401)
  assert.equal(await bad({ signature: 'x' }), 401)
  assert.equal(await bad({ params: { ...good.ec2Credentials.params, Action: 'TerminateInstances' } }), 401)
  assert.equal((await k.ask('POST', '/v3/ec2tokens', { token: service, body: signed(credential.access, credential.secret, new Date(Date.now() - 16 * 60_000)) })).status, 401, 'too old')
  const text = `AWS4-HMAC-SHA256\n${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}\n20261121/RegionOne/s3/aws4_request\n${createHash('sha256').update('request').digest('hex')}`
  const key = ['RegionOne', 's3', 'aws4_request'].reduce((one, part) => createHmac('sha256', one).update(part).digest(), createHmac('sha256', `AWS4${credential.secret}`).update('20261121').digest())
  const s3 = { credentials: { access: credential.access, token: Buffer.from(text).toString('base64'), signature: createHmac('sha256', key).update(text).digest('hex') } }
  assert.equal((await k.ask('POST', '/v3/s3tokens', { body: s3 })).status, 401)
  assert.equal((await k.ask('POST', '/v3/s3tokens', { token: u.token, body: s3 })).status, 403)
  assert.equal((await k.ask('POST', '/v3/s3tokens', { token: service, body: s3 })).status, 200)
  assert.equal((await k.ask('POST', '/v3/s3tokens', { token: service, body: { credentials: { ...s3.credentials, signature: '0'.repeat(64) } } })).status, 401)
})

test('A13: the owner and the reach of a credential stay, and others do not see it', async () => {
  const u = await someone('cred-a')
  const other = await someone('cred-b')
  const made = await k.ask('POST', '/v3/credentials', { token: u.token, body: { credential: { type: 'ec2', user_id: u.id, project_id: u.project, blob: '{"access":"AK1","secret":"a secret long enough not to occur by chance","trust_id":"forged"}' } } })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.json.credential.id, createHash('sha256').update('AK1').digest('hex'))
  assert.equal(JSON.parse(made.json.credential.blob).trust_id, undefined)
  const path = `/v3/credentials/${made.json.credential.id}`
  assert.equal((await k.ask('PATCH', path, { token: u.token, body: { credential: { user_id: other.id } } })).status, 403)
  assert.equal((await k.ask('PATCH', path, { token: admin, body: { credential: { user_id: other.id } } })).status, 403)
  assert.equal((await k.ask('PATCH', path, { token: u.token, body: { credential: { blob: '{"access":"AK1","secret":"a secret long enough not to occur by chance","app_cred_id":"x"}' } } })).status, 403)
  assert.equal((await k.ask('GET', path, { token: other.token })).status, 403)
  assert.equal((await k.ask('POST', '/v3/credentials', { token: other.token, body: { credential: { type: 'cert', user_id: u.id, blob: 'x' } } })).status, 403)
  assert.deepEqual((await k.ask('GET', '/v3/credentials', { token: other.token })).json.credentials, [])
  assert.equal((await k.ask('GET', `/v3/credentials?user_id=${u.id}`, { token: other.token })).json.credentials.length, 0)
  assert.equal((await k.ask('GET', '/v3/credentials', { token: u.token })).json.credentials.length, 1)
  const stored = await (k.kit.db.query as never as { selectFrom(t: string): { selectAll(): { execute(): Promise<{ encrypted_blob: string }[]> } } }).selectFrom('keystone_credentials').selectAll().execute()
  assert.ok(stored.every((row) => !row.encrypted_blob.includes('a secret long')), 'nothing is stored in the clear')
})

test('a trust lends what it says, to whom it says, as often as it says', async () => {
  const a = await someone('trustor')
  const b = await someone('trustee')
  const ask = (body: object, token = a.token) => k.ask('POST', '/v3/OS-TRUST/trusts', { token, body: { trust: { trustor_user_id: a.id, trustee_user_id: b.id, impersonation: true, project_id: a.project, roles: [{ name: 'reader' }], ...body } } })
  assert.equal((await ask({}, b.token)).status, 403, 'only the trustor')
  assert.equal((await ask({ roles: [{ name: 'admin' }] })).status, 404, 'only what one has')
  assert.equal((await ask({ expires_at: '2001-01-01T00:00:00Z' })).status, 400)
  const { trust } = (await ask({ remaining_uses: 1 })).json
  const use = (token: string) => k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['token'], token: { id: token } }, scope: { 'OS-TRUST:trust': { id: trust.id } } } } })
  assert.equal((await use(a.token)).status, 403, 'not the trustor')
  const got = await use(b.token)
  assert.equal(got.status, 201, got.text)
  assert.equal(got.json.token.user.id, a.id)
  assert.deepEqual(got.json.token.roles.map((role: { name: string }) => role.name), ['reader'])
  assert.equal(got.json.token['OS-TRUST:trust'].trustee_user.id, b.id)
  assert.equal((await use(b.token)).status, 403, 'used up')
  const token = String(got.headers['x-subject-token'])
  assert.equal((await k.ask('POST', '/v3/auth/tokens', auth('token', { id: token }))).status, 403, 'no token from a trust token')
  assert.equal((await k.ask('DELETE', `/v3/OS-TRUST/trusts/${trust.id}`, { token: a.token })).status, 204)
  assert.equal((await k.ask('GET', '/v3/auth/projects', { token })).status, 401)
})

test('access rules bind a token, also here', async () => {
  const u = await someone('ruled')
  const made = await k.ask('POST', `/v3/users/${u.id}/application_credentials`, { token: u.token, body: { application_credential: { name: 'r', access_rules: [{ service: 'identity', method: 'GET', path: '/v3/auth/projects' }] } } })
  const { id, secret, access_rules } = made.json.application_credential
  const token = String((await k.ask('POST', '/v3/auth/tokens', auth('application_credential', { id, secret }))).headers['x-subject-token'])
  assert.equal((await k.ask('GET', '/v3/auth/projects', { token })).status, 200)
  assert.equal((await k.ask('GET', '/v3/auth/catalog', { token })).status, 401)
  assert.equal((await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token } })).status, 404, 'a service that knows no rules may not see it')
  assert.equal((await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token, 'openstack-identity-access-rules': '1.0' } })).status, 200)
  const rule = `/v3/users/${u.id}/access_rules/${access_rules[0].id}`
  assert.equal((await k.ask('DELETE', rule, { token: u.token })).status, 403)
  await k.ask('DELETE', `/v3/users/${u.id}/application_credentials/${id}`, { token: u.token })
  assert.equal((await k.ask('DELETE', rule, { token: u.token })).status, 204)
})

test('OAuth 2: an application credential as a client', async () => {
  const u = await someone('oauth2')
  const { id, secret } = (await k.ask('POST', `/v3/users/${u.id}/application_credentials`, { token: u.token, body: { application_credential: { name: 'o2' } } })).json.application_credential
  const ask = (pair: string, grant = 'client_credentials') => k.ask('POST', '/v3/OS-OAUTH2/token', { body: `grant_type=${grant}`, headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${Buffer.from(pair).toString('base64')}` } })
  const answer = await ask(`${id}:${secret}`)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.json.token_type, 'Bearer')
  assert.equal((await k.ask('GET', '/v3/auth/projects', { token: answer.json.access_token })).status, 200)
  assert.equal((await ask(`${id}:wrong`)).json.error, 'invalid_client')
  assert.equal((await ask(`${id}:${secret}`, 'password')).json.error, 'unsupported_grant_type')
})

test('A10: identity headers change nothing', async () => {
  const u = await someone('header-user', ['reader'])
  const forged = { 'x-roles': 'admin', 'x-is-admin-project': 'True', 'x-user-id': 'x', 'x-project-id': 'y', 'remote-user': 'admin', remote_user: 'admin' }
  assert.equal((await k.ask('GET', '/v3/users', { token: u.token, headers: forged })).status, 403)
  assert.equal((await k.ask('GET', '/v3/users', { headers: forged })).status, 401)
  const external = await k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['external'], external: {} } } }, headers: forged })
  assert.equal(external.status, 401)
  const mapped = await k.ask('POST', '/v3/OS-FEDERATION/identity_providers/i/protocols/p/auth', { headers: forged })
  assert.equal(mapped.status, 401)
  assert.equal((await k.login('admin', ADMIN)).answer.status, 201)
})
