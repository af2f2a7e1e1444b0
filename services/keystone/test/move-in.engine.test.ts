/**
 * From a real Keystone to this one: its database read, its tokens and passwords still good here, its application credentials, trusts and
 * sealed credentials too; and what we issue with its keys, it accepts.
 */
import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findTool } from '#base/test/daemon.ts'
import { openDatabase } from '#base/sql/open.ts'
import type { SqlServer } from '#base/sql/test/server.ts'
import { startMariadb } from '#base/sql/test/mariadb.ts'
import { keystoneManage } from '../processes/manage.ts'
import { type KeystoneKit, keystoneKit } from './kit.ts'
import { startZed, type Zed, ZED_ADMIN } from './zed.ts'

let server: SqlServer | undefined
let zed: Zed | undefined
let database: string

before(async () => {
  server = await startMariadb()
  if (!server) return
  database = await server.createDatabase()
  zed = await startZed(database)
})
after(async () => {
  await zed?.stop()
  await server?.stop()
})

interface Asked {
  status: number
  token: string
  json: any // oxlint-disable-line no-explicit-any -- as of another's wire
}

async function askZed(method: string, path: string, token: string | undefined, body?: object, more: Record<string, string> = {}): Promise<Asked> {
  const answer = await fetch(zed!.url + path, { method, headers: { 'content-type': 'application/json', ...(token ? { 'x-auth-token': token } : {}), ...more }, ...(body ? { body: JSON.stringify(body) } : {}) })
  const text = await answer.text()
  return { status: answer.status, token: answer.headers.get('x-subject-token') ?? '', json: text ? JSON.parse(text) : undefined }
}

const domain = { id: 'default' }
const byPassword = (name: string, password: string, scope?: object) => ({ auth: { identity: { methods: ['password'], password: { user: { name, domain, password } } }, ...(scope ? { scope } : {}) } })
const byCredential = (id: string, secret: string) => ({ auth: { identity: { methods: ['application_credential'], application_credential: { id, secret } } } })
const inProject = (name: string) => ({ project: { name, domain } })

test('what a real Keystone has moves in', { timeout: 300_000 }, async (t) => {
  if (!zed) return t.skip('MariaDB and keystone are not installed')
  const made = async (path: string, body: object, token = admin): Promise<any> => { // oxlint-disable-line no-explicit-any -- as of another's wire
    const answer = await askZed(path.startsWith('PUT ') ? 'PUT' : 'POST', path.replace('PUT ', ''), token, body)
    assert.ok(answer.status < 300, `${path}: ${JSON.stringify(answer.json)}`)
    return answer.json ? Object.values(answer.json)[0] : undefined
  }
  const admin = (await askZed('POST', '/auth/tokens', undefined, byPassword('admin', ZED_ADMIN, inProject('admin')))).token
  const roles = Object.fromEntries((await askZed('GET', '/roles', admin)).json.roles.map((role: { name: string; id: string }) => [role.name, role.id])) as Record<string, string>
  const project = await made('/projects', { project: { name: 'orchard', domain_id: 'default', tags: ['old'], description: '과수원' } })
  const tree = await made('/projects', { project: { name: 'branch', domain_id: 'default', parent_id: project.id } })
  const alice = await made('/users', { user: { name: 'alice', domain_id: 'default', password: 'alice-secret', email: 'a@example.org', options: { ignore_lockout_failure_attempts: true } } })
  const bob = await made('/users', { user: { name: 'bob', domain_id: 'default', password: 'bob-secret' } })
  const group = await made('/groups', { group: { name: 'pickers', domain_id: 'default' } })
  await made(`PUT /groups/${group.id}/users/${bob.id}`, {})
  await made(`PUT /projects/${project.id}/users/${alice.id}/roles/${roles.member}`, {})
  await made(`PUT /projects/${tree.id}/groups/${group.id}/roles/${roles.member}`, {})
  const own = await made('/roles', { role: { name: 'gardener' } })
  await made(`PUT /roles/${own.id}/implies/${roles.reader}`, {})
  await made(`PUT /system/users/${bob.id}/roles/${roles.reader}`, {})
  const service = await made('/services', { service: { type: 'garden', name: 'shed' } })
  await made('/endpoints', { endpoint: { service_id: service.id, interface: 'public', url: 'http://shed/%(project_id)s', region_id: 'RegionOne' } })
  const credential = await made('/credentials', { credential: { type: 'cert', user_id: alice.id, blob: 'sealed words' } })
  await made('/registered_limits', { registered_limits: [{ service_id: service.id, resource_name: 'rakes', default_limit: 3 }] })
  const paths = await furnish(made, { admin: await adminId(admin), service: service.id, project: project.id, group: group.id, member: roles.member! })
  const aliceThere = await askZed('POST', '/auth/tokens', undefined, byPassword('alice', 'alice-secret', inProject('orchard')))
  const app = await made(`/users/${alice.id}/application_credentials`, { application_credential: { name: 'robot', secret: 'robot-secret', roles: [{ id: roles.member }] } }, aliceThere.token)
  const trust = await made('/OS-TRUST/trusts', { trust: { trustor_user_id: alice.id, trustee_user_id: bob.id, project_id: project.id, impersonation: true, roles: [{ id: roles.member }] } }, aliceThere.token)
  const dead = (await askZed('POST', '/auth/tokens', undefined, byPassword('alice', 'alice-secret', inProject('orchard')))).token
  assert.equal((await askZed('DELETE', '/auth/tokens', admin, undefined, { 'x-subject-token': dead })).status, 204)

  const k = await keystoneKit()
  const from = await openDatabase({ url: database })
  try {
    const manage = keystoneManage({ world: k.kit.world, config: k.kit.parts.config, db: k.kit.parts.db, dataDir: k.kit.parts.dataDir })
    await assert.rejects(manage.import({ from, fernetKeys: zed.fernetKeys }), /name the folder of its credential keys/)
    const done = await manage.import({ from, fernetKeys: zed.fernetKeys, credentialKeys: zed.credentialKeys })
    assert.equal(done.keys, 2)
    assert.ok(done.notes.some((note) => note.includes('admin-before-import')), done.notes.join('\n'))
    assert.deepEqual((await manage.import({ from, fernetKeys: zed.fernetKeys, credentialKeys: zed.credentialKeys })).rows, {}, 'a second time changes nothing')

    // The key repository looks again within a second.
    const looked = async (token: string) => {
      for (let i = 0; i < 40; i++) {
        const answer = await k.ask('GET', '/v3/auth/tokens', { token: aliceThere.token, headers: { 'x-subject-token': token } })
        if (answer.status === 200) return answer
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      assert.fail('a token of the old Keystone is not valid here')
    }
    const shown = (await looked(aliceThere.token)).json.token
    assert.equal(shown.user.id, alice.id)
    assert.equal(shown.project.id, project.id)
    assert.deepEqual(shown.roles.map((role: { name: string }) => role.name).sort(), ['member', 'reader'])
    assert.equal((await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': admin } })).status, 200)
    assert.equal((await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': dead } })).status, 404, 'what was revoked there is so here')

    const login = (body: object) => k.ask('POST', '/v3/auth/tokens', { body })
    const before_ = await k.kit.parts.db.as<{ keystone_passwords: { user_id: string; hash: string } }>().query.selectFrom('keystone_passwords').selectAll().where('user_id', '=', alice.id).execute()
    assert.match(before_[0]!.hash, /^\$2b\$/)
    const first = await login(byPassword('alice', 'alice-secret', inProject('orchard')))
    assert.equal(first.status, 201, first.text)
    const rehashed = await k.kit.parts.db.as<{ keystone_passwords: { user_id: string; hash: string } }>().query.selectFrom('keystone_passwords').selectAll().where('user_id', '=', alice.id).execute()
    assert.match(rehashed[0]!.hash, /^\$argon2id\$/, 'hashed anew at the login')
    assert.equal((await login(byPassword('alice', 'alice-secret', inProject('orchard')))).status, 201)
    assert.equal((await login(byPassword('alice', 'wrong', inProject('orchard')))).status, 401)
    assert.equal((await login(byPassword('bob', 'bob-secret', inProject('branch')))).status, 201, 'by the group')
    assert.equal((await login(byPassword('bob', 'bob-secret', { system: { all: true } }))).status, 201)
    assert.equal((await login(byCredential(app.id, 'robot-secret'))).status, 201)
    const bobToken = (await login(byPassword('bob', 'bob-secret'))).headers['x-subject-token']
    const trusted = await login({ auth: { identity: { methods: ['token'], token: { id: bobToken } }, scope: { 'OS-TRUST:trust': { id: trust.id } } } })
    assert.equal(trusted.status, 201, trusted.text)
    assert.equal(trusted.json.token.user.id, alice.id)

    const ask = async (path: string) => (await k.ask('GET', path, { token: admin })).json
    assert.equal((await ask(`/v3/credentials/${credential.id}`)).credential.blob, 'sealed words')
    assert.equal((await ask(`/v3/projects/${project.id}`)).project.description, '과수원')
    assert.deepEqual((await ask(`/v3/projects/${project.id}`)).project.tags, ['old'])
    assert.equal((await ask(`/v3/users/${alice.id}`)).user.email, 'a@example.org')
    assert.deepEqual((await ask(`/v3/users/${alice.id}`)).user.options, { ignore_lockout_failure_attempts: true })
    assert.equal((await ask(`/v3/registered_limits?resource_name=rakes`)).registered_limits[0].default_limit, 3)
    // A role of ours stands for theirs of the same name.
    const member = (await ask('/v3/roles?name=member')).roles[0].id as string
    for (const path of paths) {
      const theirs = await askZed('GET', path, admin)
      assert.equal(theirs.status, 200, `${path}: ${JSON.stringify(theirs.json)}`)
      const wanted = bare(JSON.parse(JSON.stringify(theirs.json).replaceAll(roles.member!, member)))
      assert.deepEqual(ofSame(bare(await ask(`/v3${path}`)), wanted), wanted, path)
    }
    const catalog = first.json.token.catalog.find((one: { type: string }) => one.type === 'garden')
    assert.equal(catalog.endpoints[0].url, `http://shed/${project.id}`)
  } finally {
    await from.close()
    await k.close()
  }
})

type Make = (path: string, body: object) => Promise<any> // oxlint-disable-line no-explicit-any -- as of another's wire

const adminId = async (token: string): Promise<string> => (await askZed('GET', '/auth/tokens', token, undefined, { 'x-subject-token': token })).json.token.user.id as string

/** One of everything else that a Keystone keeps; answers where each is to be seen. */
async function furnish(made: Make, { admin, service, project, group, member }: Record<'admin' | 'service' | 'project' | 'group' | 'member', string>): Promise<string[]> {
  await made('PUT /OS-FEDERATION/identity_providers/corp', { identity_provider: { enabled: true, description: '회사', domain_id: 'default', remote_ids: ['https://corp.example.org', 'https://old.example.org'], authorization_ttl: 7 } })
  const rules = [{ local: [{ user: { name: '{0}' }, group: { id: group } }], remote: [{ type: 'MELLON_NAME' }, { type: 'MELLON_ROLE', any_one_of: ['dev', 'ops'] }] }]
  await made('PUT /OS-FEDERATION/mappings/corp_mapping', { mapping: { rules } })
  await made('PUT /OS-FEDERATION/identity_providers/corp/protocols/mapped', { protocol: { mapping_id: 'corp_mapping', remote_id_attribute: 'MELLON_IDP' } })
  await made('PUT /OS-FEDERATION/service_providers/far', { service_provider: { auth_url: 'https://far.example.org/v3/auth', sp_url: 'https://far.example.org/ecp', enabled: true, description: 'far away', relay_state_prefix: 'ss:far:' } })
  const guest = await made('/users', { user: { name: 'guest', domain_id: 'default', federated: [{ idp_id: 'corp', protocols: [{ protocol_id: 'mapped', unique_id: 'guest@corp' }] }] } })
  const consumer = await made('/OS-OAUTH1/consumers', { consumer: { description: 'a printer' } })
  const filters = await made('/OS-EP-FILTER/endpoint_groups', { endpoint_group: { name: 'public ones', description: 'what is public', filters: { interface: 'public' } } })
  await made(`PUT /OS-EP-FILTER/endpoint_groups/${filters.id}/projects/${project}`, {})
  const policy = await made('/policies', { policy: { type: 'application/json', blob: '{"garden:dig": "role:gardener"}' } })
  await made(`PUT /policies/${policy.id}/OS-ENDPOINT-POLICY/services/${service}`, {})
  const registered = await made('/registered_limits', { registered_limits: [{ service_id: service, region_id: 'RegionOne', resource_name: 'spades', default_limit: 8, description: 'to dig' }] })
  const limits = await made('/limits', { limits: [{ service_id: service, region_id: 'RegionOne', resource_name: 'spades', resource_limit: 5, project_id: project, description: 'less' }, { service_id: service, region_id: 'RegionOne', resource_name: 'spades', resource_limit: 7, domain_id: 'default' }] })
  const kept = await made('/projects', { project: { name: 'kept', domain_id: 'default', tags: ['a', 'b'], options: { immutable: true } } })
  const careful = await made('/users', { user: { name: 'careful', domain_id: 'default', password: 'careful-secret', options: { lock_password: true, multi_factor_auth_enabled: true, multi_factor_auth_rules: [['password', 'totp']] } } })
  const domain_ = await made('/domains', { domain: { name: 'orchards', description: 'with settings' } })
  await made(`PUT /domains/${domain_.id}/config`, { config: { identity: { driver: 'ldap' }, ldap: { url: 'ldap://trees.example.org', user_tree_dn: 'ou=Trees' } } })
  await made(`PUT /OS-INHERIT/domains/${domain_.id}/users/${admin}/roles/${member}/inherited_to_projects`, {})
  return [
    '/OS-FEDERATION/identity_providers/corp', '/OS-FEDERATION/mappings/corp_mapping', '/OS-FEDERATION/identity_providers/corp/protocols/mapped', '/OS-FEDERATION/service_providers/far', `/users/${guest.id}`, `/users/${careful.id}`,
    `/OS-OAUTH1/consumers/${consumer.id}`, `/OS-EP-FILTER/endpoint_groups/${filters.id}`, `/OS-EP-FILTER/endpoint_groups/${filters.id}/projects`, `/policies/${policy.id}`, `/policies/${policy.id}/OS-ENDPOINT-POLICY/endpoints`,
    `/registered_limits/${registered[0].id}`, ...limits.map((one: { id: string }) => `/limits/${one.id}`), `/projects/${kept.id}`, `/projects/${project}/tags`, `/domains/${domain_.id}`, `/domains/${domain_.id}/config`, `/role_assignments?user.id=${admin}&scope.domain.id=${domain_.id}`,
  ]
}

/** Without what tells where it stands, and in one order. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'links').map(([key, one]) => [key, bare(one)]))
}

/** Without the keys that a newer version has and theirs has not. */
function ofSame(ours: unknown, theirs: unknown): unknown {
  if (Array.isArray(ours)) return ours.map((one, i) => ofSame(one, (theirs as unknown[])[i]))
  if (typeof ours !== 'object' || ours === null || typeof theirs !== 'object' || theirs === null) return ours
  return Object.fromEntries(Object.entries(ours).filter(([key]) => key in theirs).map(([key, one]) => [key, ofSame(one, (theirs as Record<string, unknown>)[key])]))
}

test('with the same keys a real Keystone accepts what we issue', { timeout: 120_000 }, async (t) => {
  if (!zed) return t.skip('MariaDB and keystone are not installed')
  const k = await keystoneKit()
  const from = await openDatabase({ url: database })
  try {
    const { dataDir } = k.kit.parts
    await mkdir(join(dataDir, 'fernet-keys'), { recursive: true })
    await cp(zed.fernetKeys, join(dataDir, 'fernet-keys'), { recursive: true, force: true })
    const manage = keystoneManage({ world: k.kit.world, config: k.kit.parts.config, db: k.kit.parts.db, dataDir })
    await manage.import({ from, fernetKeys: zed.fernetKeys, credentialKeys: zed.credentialKeys })
    const admin = (await askZed('POST', '/auth/tokens', undefined, byPassword('admin', ZED_ADMIN, inProject('admin')))).token
    const scopes = [inProject('orchard'), { unscoped: {} }]
    for (const scope of scopes) {
      const ours = await k.ask('POST', '/v3/auth/tokens', { body: byPassword('alice', 'alice-secret', scope) })
      assert.equal(ours.status, 201, ours.text)
      const token = String(ours.headers['x-subject-token'])
      assert.ok(token.length <= 255, `${token.length} bytes`)
      const theirs = await askZed('GET', '/auth/tokens', admin, undefined, { 'x-subject-token': token })
      assert.equal(theirs.status, 200, JSON.stringify(theirs.json))
      for (const key of ['methods', 'audit_ids', 'expires_at', 'issued_at']) assert.deepEqual(theirs.json.token[key], ours.json.token[key], key)
      assert.deepEqual(theirs.json.token.user.id, ours.json.token.user.id)
      assert.deepEqual(theirs.json.token.project?.id, ours.json.token.project?.id)
    }
    const system = await k.ask('POST', '/v3/auth/tokens', { body: byPassword('bob', 'bob-secret', { system: { all: true } }) })
    assert.equal((await askZed('GET', '/auth/tokens', admin, undefined, { 'x-subject-token': String(system.headers['x-subject-token']) })).json.token.system.all, true)
  } finally {
    await from.close()
    await k.close()
  }
})

test('a user of a real Keystone comes here with its assertion, signed as it signs', { timeout: 120_000 }, async (t) => {
  if (!zed || !findTool('xmlsec1')) return t.skip('MariaDB, keystone and xmlsec1 are not installed')
  const dir = await mkdtemp(join(tmpdir(), 'ondol-zed-idp-'))
  await writeFile(join(dir, 'zed.crt'), zed.samlCertificate)
  const named = 'identity_providers/zed/protocols/saml2'
  const kit = async (accept_sha1: boolean): Promise<KeystoneKit> => {
    const k = await keystoneKit({ federation: { saml: { providers: { zed: { entity_id: 'https://zed.example/idp', certificate_files: [join(dir, 'zed.crt')], keystone: true, accept_sha1 } } } } })
    const token = await k.admin()
    const mapping = { rules: [{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'openstack_user' }, { type: 'openstack_roles', any_one_of: ['admin'] }] }] }
    for (const [path, body] of Object.entries({ 'mappings/zed': { mapping }, 'identity_providers/zed': { identity_provider: { enabled: true } }, [named]: { protocol: { mapping_id: 'zed' } } })) {
      assert.equal((await k.ask('PUT', `/v3/OS-FEDERATION/${path}`, { token, body })).status, 201)
    }
    return k
  }
  const [strict, k] = [await kit(false), await kit(true)]
  try {
    const { token } = await askZed('POST', '/auth/tokens', undefined, byPassword('admin', ZED_ADMIN, inProject('admin')))
    const sp_url = `http://127.0.0.1:5000/identity/v3/auth/OS-FEDERATION/${named}/ecp`
    assert.equal((await askZed('PUT', '/OS-FEDERATION/service_providers/here', token, { service_provider: { auth_url: sp_url, sp_url, enabled: true } })).status, 201)
    const body = JSON.stringify({ auth: { identity: { methods: ['token'], token: { id: token } }, scope: { service_provider: { id: 'here' } } } })
    const answer = await fetch(`${zed.url}/auth/OS-FEDERATION/saml2/ecp`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const envelope = await answer.text()
    assert.equal(answer.status, 200, envelope)
    const bring = (to: KeystoneKit) => to.ask('POST', `/v3/auth/OS-FEDERATION/${named}/ecp`, { headers: { 'content-type': 'application/vnd.paos+xml' }, body: envelope })
    assert.equal((await bring(strict)).status, 401, 'SHA-1 only where the operator says so')
    const brought = await bring(k)
    assert.equal(brought.status, 303, brought.text)
    const got = await k.ask('GET', `/v3/OS-FEDERATION/${named}/auth`, { headers: { cookie: String(brought.headers['set-cookie']).split(';')[0]! } })
    assert.equal(got.json.token.user.name, 'admin')
  } finally {
    await k.close()
    await strict.close()
    await rm(dir, { recursive: true, force: true })
  }
})
