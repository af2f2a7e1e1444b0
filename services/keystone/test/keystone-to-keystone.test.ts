/** A user of one cloud works in another: the first signs an assertion, the second takes it. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import type { Answer } from '#stack/test/house-kit.ts'
import { childrenOf, readXml } from '../core/saml/xml.ts'
import { selfSigned } from './certificate.ts'
import { ADMIN, type KeystoneKit, keystoneKit } from './kit.ts'

const NAMED = 'identity_providers/home/protocols/saml2'
const SP_URL = `http://127.0.0.1:5000/identity/v3/auth/OS-FEDERATION/${NAMED}/ecp`
const clock = new VirtualClock()
const { key, certificate } = selfSigned('home')
let dir: string
let home: KeystoneKit
let away: KeystoneKit

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-k2k-'))
  await writeFile(join(dir, 'key'), key, { mode: 0o600 })
  await writeFile(join(dir, 'crt'), certificate)
  home = await keystoneKit({ federation: { saml: { key_file: join(dir, 'key'), certificate_file: join(dir, 'crt') } } }, clock)
  const metadata = await home.ask('GET', '/v3/OS-FEDERATION/saml2/metadata')
  assert.equal(metadata.status, 200, metadata.text)
  assert.equal(metadata.headers['content-type'], 'text/xml')
  await writeFile(join(dir, 'home.xml'), metadata.text)
  away = await keystoneKit({ federation: { saml: { providers: { home: { metadata_file: join(dir, 'home.xml'), keystone: true } } } } }, clock)
  const admin = await home.admin()
  for (const [id, enabled, url] of [['away', true, SP_URL], ['off', false, SP_URL], ['other', true, 'https://other.example/ecp'], ['common', true, 'http://127.0.0.1:5000/Shibboleth.sso/SAML2/ECP']] as const) {
    const body = { service_provider: { auth_url: `http://127.0.0.1:5000/identity/v3/OS-FEDERATION/${NAMED}/auth`, sp_url: url, enabled } }
    assert.equal((await home.ask('PUT', `/v3/OS-FEDERATION/service_providers/${id}`, { token: admin, body })).status, 201)
  }
  const there = await away.admin()
  await away.ask('POST', '/v3/groups', { token: there, body: { group: { name: 'heaters' } } })
  const rules = [{ local: [{ user: { name: '{0} of {1}' } }, { groups: '{2}' }], remote: [{ type: 'openstack_user' }, { type: 'openstack_user_domain' }, { type: 'openstack_groups' }, { type: 'openstack_roles', any_one_of: ['member'] }] }]
  for (const [path, body] of Object.entries({ 'mappings/home': { mapping: { rules } }, 'identity_providers/home': { identity_provider: { enabled: true } }, [NAMED]: { protocol: { mapping_id: 'home' } } })) {
    assert.equal((await away.ask('PUT', `/v3/OS-FEDERATION/${path}`, { token: there, body })).status, 201)
  }
  const { group } = (await home.ask('POST', '/v3/groups', { token: admin, body: { group: { name: 'heaters' } } })).json
  const { users } = (await home.ask('GET', '/v3/users?name=demo', { token: admin })).json
  assert.equal((await home.ask('PUT', `/v3/groups/${group.id}/users/${users[0].id}`, { token: admin })).status, 204)
})
after(async () => {
  await home.close()
  await away.close()
  await rm(dir, { recursive: true, force: true })
})

const exchange = (id: string, service_provider = 'away', path = '/ecp'): Promise<Answer> =>
  home.ask('POST', `/v3/auth/OS-FEDERATION/saml2${path}`, { body: { auth: { identity: { methods: ['token'], token: { id } }, scope: { service_provider: { id: service_provider } } } } })
const bring = (body: string): Promise<Answer> => away.ask('POST', `/v3/auth/OS-FEDERATION/${NAMED}/ecp`, { headers: { 'content-type': 'application/vnd.paos+xml' }, body })
const demo = async (scope?: unknown): Promise<string> => (await home.login('demo', 'demo-secret', scope)).token

test('an assertion of this cloud opens the other one, once', async () => {
  const made = await exchange(await demo())
  assert.equal(made.status, 200, made.text)
  assert.equal(made.headers['x-sp-url'], SP_URL)
  const brought = await bring(made.text)
  assert.equal(brought.status, 303, brought.text)
  const got = await away.ask('GET', `/v3/OS-FEDERATION/${NAMED}/auth`, { headers: { cookie: String(brought.headers['set-cookie']).split(';')[0]! } })
  assert.equal(got.status, 201, got.text)
  assert.equal(got.json.token.user.name, 'demo of Default')
  assert.equal(got.json.token.user['OS-FEDERATION'].groups.length, 1, 'the group of the same name and domain')
  assert.equal((await bring(made.text)).status, 401, 'again')
})

test('the door that other Keystones know by Shibboleth leads there, too', async () => {
  const { text } = await exchange(await demo(), 'common')
  assert.equal((await bring(text)).status, 401, 'the assertion is for the other door')
  const at = (body: string): Promise<Answer> => away.ask('POST', '/Shibboleth.sso/SAML2/ECP', { headers: { 'content-type': 'application/vnd.paos+xml' }, body })
  assert.equal((await at((await exchange(await demo())).text)).status, 401, 'and the other way round')
  assert.equal((await at(text.replaceAll('/OS-FEDERATION/saml2/idp', '/OS-FEDERATION/saml2/evil'))).status, 401)
  const brought = await at(text)
  assert.equal(brought.status, 303, brought.text)
  assert.equal(brought.headers.location, `http://127.0.0.1:5000/identity/v3/OS-FEDERATION/${NAMED}/auth`)
})

test('the bare assertion says what Keystones say', async () => {
  const made = await exchange(await demo(), 'away', '')
  const response = readXml(made.text)
  const [assertion] = childrenOf(response, 'assertion', 'Assertion')
  const attributes = Object.fromEntries(childrenOf(childrenOf(assertion!, 'assertion', 'AttributeStatement')[0]!, 'assertion', 'Attribute').map((one) => [one.attributes.get('Name'), one.children.map((value) => value.text)]))
  assert.deepEqual(attributes, {
    openstack_user: ['demo'], openstack_user_domain: ['Default'], openstack_project: ['demo'], openstack_project_domain: ['Default'], openstack_roles: attributes.openstack_roles, openstack_groups: ['JSON:{"name":"heaters","domain":{"name":"Default"}}'],
  })
  assert.ok(attributes.openstack_roles!.includes('member'))
})

test('only for service providers that are enabled, by a whole and living token of a project', async () => {
  const token = await demo()
  assert.equal((await exchange(token, 'off')).status, 403)
  assert.equal((await exchange(token, 'nobody')).status, 404)
  assert.equal((await exchange('nonsense')).status, 401)
  assert.equal((await exchange(await demo(null))).status, 403, 'unscoped')
  assert.equal((await home.ask('POST', '/v3/auth/OS-FEDERATION/saml2', { body: { auth: { identity: { token: { id: token } } } } })).status, 400)
  const { user_id } = await me(token)
  const credential = await home.ask('POST', `/v3/users/${user_id}/application_credentials`, { token, body: { application_credential: { name: 'c' } } })
  const { id, secret } = credential.json.application_credential
  const delegated = await home.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['application_credential'], application_credential: { id, secret } } } } })
  assert.equal((await exchange(String(delegated.headers['x-subject-token']))).status, 403, 'delegated')
  assert.equal((await home.ask('DELETE', '/v3/auth/tokens', { token: await home.admin(), headers: { 'x-subject-token': token } })).status, 204)
  assert.equal((await exchange(token)).status, 401, 'revoked')
})

const me = async (token: string): Promise<{ user_id: string }> => ({ user_id: (await home.ask('GET', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })).json.token.user.id })

test('what is meant for another cloud, changed, or over opens nothing', async () => {
  const token = await demo()
  assert.equal((await bring((await exchange(token, 'other')).text)).status, 401)
  const { text } = await exchange(token)
  assert.equal((await bring(text.replaceAll('demo', 'admin'))).status, 401)
  await clock.advance(331_000)
  assert.equal((await bring(text)).status, 401)
  assert.equal((await bring((await exchange((await home.login('admin', ADMIN)).token)).text)).status, 401, 'in no group: the rule wants one')
})

test('names of users cannot make XML of their own', async () => {
  const admin = await home.admin()
  const name = `x</saml:AttributeValue><saml:AttributeValue>admin "&'\u0001\n`
  const made = await home.ask('POST', '/v3/users', { token: admin, body: { user: { name, password: 'p', domain_id: 'default' } } })
  assert.equal(made.status, 201, made.text)
  const { projects } = (await home.ask('GET', '/v3/projects?name=demo', { token: admin })).json
  const { roles } = (await home.ask('GET', '/v3/roles?name=member', { token: admin })).json
  await home.ask('PUT', `/v3/projects/${projects[0].id}/users/${made.json.user.id}/roles/${roles[0].id}`, { token: admin })
  const { token } = await home.login(name, 'p', { project: { id: projects[0].id } })
  const { text } = await exchange(token, 'away', '')
  const values = [...readXml(text).children].flatMap((one) => childrenOf(one, 'assertion', 'AttributeStatement')).flatMap((one) => one.children).filter((one) => one.attributes.get('Name') === 'openstack_user').flatMap((one) => one.children)
  assert.deepEqual(values.map((one) => one.text), [name.replace('\u0001', '\ufffd')])
})

test('without a key there is nothing to sign with, which is said', async () => {
  const token = await away.admin()
  assert.equal((await away.ask('GET', '/v3/OS-FEDERATION/saml2/metadata')).status, 501)
  await away.ask('PUT', '/v3/OS-FEDERATION/service_providers/x', { token, body: { service_provider: { auth_url: 'https://x/', sp_url: 'https://x/', enabled: true } } })
  const answer = await away.ask('POST', '/v3/auth/OS-FEDERATION/saml2', { body: { auth: { identity: { token: { id: token } }, scope: { service_provider: { id: 'x' } } } } })
  assert.equal(answer.status, 501)
  assert.match(answer.json.error.message, /key_file/)
})
