/** The rest of what Keystone keeps: trees, tags, implied and inherited roles, limits, filters, policies, options. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type KeystoneKit, keystoneKit } from './kit.ts'

let k: KeystoneKit
let admin: string
before(async () => {
  k = await keystoneKit({ unified_limit: { enforcement_model: 'strict_two_level' } })
  admin = await k.admin()
})
after(() => k.close())

const ask = (method: string, path: string, body?: object) => k.ask(method, path, { token: admin, ...(body ? { body } : {}) })
const made = async (path: string, one: string, body: object): Promise<Record<string, string>> => {
  const answer = await ask('POST', path, { [one]: body })
  assert.equal(answer.status, 201, answer.text)
  return answer.json[one]
}
const roleId = async (name: string): Promise<string> => (await ask('GET', `/v3/roles?name=${name}`)).json.roles[0].id

test('a tree of projects: order, depth, names, and what holds it up', async () => {
  const top = await made('/v3/projects', 'project', { name: 'top', tags: ['b', 'a'] })
  const mid = await made('/v3/projects', 'project', { name: 'mid', parent_id: top.id! })
  const low = await made('/v3/projects', 'project', { name: 'low', parent_id: mid.id! })
  assert.equal((await ask('POST', '/v3/projects', { project: { name: 'low' } })).status, 409)
  assert.equal((await ask('POST', '/v3/projects', { project: { name: ' ' } })).status, 400)
  const seen = (await ask('GET', `/v3/projects/${low.id}?parents_as_list&subtree_as_ids`)).json.project
  assert.deepEqual(seen.parents.map((one: { project: { id: string } }) => one.project.id), [mid.id, top.id, 'default'])
  assert.equal(seen.subtree, null)
  assert.deepEqual((await ask('GET', `/v3/projects/${top.id}?subtree_as_ids`)).json.project.subtree, { [mid.id!]: { [low.id!]: null } })
  assert.equal((await ask('DELETE', `/v3/projects/${mid.id}`)).status, 403)
  assert.equal((await ask('PATCH', `/v3/projects/${top.id}`, { project: { enabled: false } })).status, 403)
  assert.equal((await ask('PATCH', `/v3/projects/${low.id}`, { project: { parent_id: top.id } })).status, 403)
  assert.deepEqual((await ask('GET', `/v3/projects?tags=a,b`)).json.projects.map((one: { name: string }) => one.name), ['top'])
  assert.equal((await ask('GET', '/v3/projects?not-tags-any=a')).json.projects.some((one: { name: string }) => one.name === 'top'), false)
  assert.equal((await ask('GET', '/v3/projects?name__contains=I')).json.projects.some((one: { name: string }) => one.name === 'mid'), true)
  const first = (await ask('GET', '/v3/projects?limit=2')).json
  assert.equal(first.projects.length, 2)
  const second = (await ask('GET', new URL(first.links.next).pathname + new URL(first.links.next).search)).json
  assert.notEqual(second.projects[0].id, first.projects[1].id)
})

test('inherited roles reach the projects below, implied ones follow', async () => {
  const domain = await made('/v3/domains', 'domain', { name: 'inherit' })
  const project = await made('/v3/projects', 'project', { name: 'inside', domain_id: domain.id! })
  const user = await made('/v3/users', 'user', { name: 'heir', domain_id: domain.id!, password: 'x' })
  const grant = `/v3/OS-INHERIT/domains/${domain.id}/users/${user.id}/roles/${await roleId('member')}/inherited_to_projects`
  assert.equal((await ask('PUT', grant)).status, 204)
  const login = (scope: object) => k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['password'], password: { user: { id: user.id, password: 'x' } } }, scope } } })
  const got = await login({ project: { id: project.id } })
  assert.deepEqual(got.json.token.roles.map((role: { name: string }) => role.name), ['member', 'reader'])
  assert.equal((await login({ domain: { id: domain.id } })).status, 401, 'not on the domain itself')
  const effective = (await ask('GET', `/v3/role_assignments?user.id=${user.id}&effective&include_names`)).json.role_assignments
  assert.deepEqual(effective.map((one: { role: { name: string } }) => one.role.name).sort(), ['member', 'reader'])
  assert.equal(effective[0].scope.project.name, 'inside')
  assert.equal((await ask('DELETE', grant)).status, 204)
  assert.equal((await login({ project: { id: project.id } })).status, 401)
  const elsewhere = await made('/v3/roles', 'role', { name: 'elsewhere', domain_id: 'default' })
  assert.equal((await ask('PUT', `/v3/domains/${domain.id}/users/${user.id}/roles/${elsewhere.id}`)).status, 204, 'on a domain any role')
  assert.equal((await ask('PUT', `/v3/projects/${project.id}/users/${user.id}/roles/${elsewhere.id}`)).status, 403, 'on a project those of its domain')
  assert.equal((await ask('DELETE', `/v3/domains/${domain.id}`)).status, 403, 'enabled')
  assert.equal((await ask('PATCH', `/v3/domains/${domain.id}`, { domain: { enabled: false } })).status, 200)
  assert.equal((await ask('DELETE', `/v3/domains/${domain.id}`)).status, 204)
  assert.equal((await ask('GET', `/v3/users/${user.id}`)).status, 404)
})

test('immutable things stay until they are no more immutable', async () => {
  assert.equal((await ask('DELETE', `/v3/roles/${await roleId('admin')}`)).status, 403)
  const role = await made('/v3/roles', 'role', { name: 'fixed', options: { immutable: true } })
  assert.equal((await ask('PATCH', `/v3/roles/${role.id}`, { role: { name: 'other' } })).status, 403)
  assert.equal((await ask('PATCH', `/v3/roles/${role.id}`, { role: { options: { immutable: false } } })).status, 200)
  assert.equal((await ask('DELETE', `/v3/roles/${role.id}`)).status, 204)
})

test('limits in two levels: a child never has more than its parent', async () => {
  const service = await made('/v3/services', 'service', { type: 'limits', name: 'limits' })
  const top = await made('/v3/projects', 'project', { name: 'l-top' })
  const low = await made('/v3/projects', 'project', { name: 'l-low', parent_id: top.id! })
  const registered = await ask('POST', '/v3/registered_limits', { registered_limits: [{ service_id: service.id, resource_name: 'cores', default_limit: 10 }] })
  assert.equal(registered.status, 201, registered.text)
  const limit = (project_id: string, resource_limit: number) => ask('POST', '/v3/limits', { limits: [{ service_id: service.id, resource_name: 'cores', project_id, resource_limit }] })
  assert.equal((await limit(low.id!, 11)).status, 403)
  assert.equal((await limit(top.id!, 8)).status, 201)
  const child = await limit(low.id!, 5)
  assert.equal(child.status, 201, child.text)
  assert.equal((await limit(low.id!, 5)).status, 409)
  assert.equal((await ask('PATCH', `/v3/limits/${child.json.limits[0].id}`, { limit: { resource_limit: 9 } })).status, 403)
  assert.equal((await ask('DELETE', `/v3/registered_limits/${registered.json.registered_limits[0].id}`)).status, 403)
  assert.equal((await ask('GET', '/v3/limits/model')).json.model.name, 'strict_two_level')
  const demo = (await k.login('demo', 'demo-secret')).token
  assert.deepEqual((await k.ask('GET', '/v3/limits', { token: demo })).json.limits, [])
})

test('a catalog narrowed to what a project is bound to', async () => {
  const { token, answer } = await k.login('demo', 'demo-secret')
  const project = answer.json.token.project.id
  const { endpoints } = (await ask('GET', '/v3/endpoints?interface=public')).json
  assert.match(endpoints[0].url, /^http:\/\/127\.0\.0\.1:5000\//)
  assert.equal((await ask('PUT', `/v3/OS-EP-FILTER/projects/${project}/endpoints/${endpoints[0].id}`)).status, 204)
  const count = async () => (await k.ask('GET', '/v3/auth/catalog', { token })).json.catalog.flatMap((one: { endpoints: object[] }) => one.endpoints).length
  assert.equal(await count(), 1)
  const group = await ask('POST', '/v3/OS-EP-FILTER/endpoint_groups', { endpoint_group: { name: 'inner', filters: { interface: 'internal' } } })
  assert.equal((await ask('PUT', `/v3/OS-EP-FILTER/endpoint_groups/${group.json.endpoint_group.id}/projects/${project}`)).status, 204)
  assert.equal(await count(), 3)
  assert.equal((await ask('DELETE', `/v3/OS-EP-FILTER/endpoint_groups/${group.json.endpoint_group.id}`)).status, 204)
  assert.equal((await ask('DELETE', `/v3/OS-EP-FILTER/projects/${project}/endpoints/${endpoints[0].id}`)).status, 204)
  assert.equal(await count(), 6)
})

test('a policy is found by endpoint, by service and region, by service', async () => {
  const { endpoints } = (await ask('GET', '/v3/endpoints')).json
  const { id, service_id } = endpoints[0]
  const wide = await made('/v3/policies', 'policy', { type: 'text', blob: 'wide' })
  const near = await made('/v3/policies', 'policy', { type: 'text', blob: 'near' })
  const found = async () => (await ask('GET', `/v3/endpoints/${id}/OS-ENDPOINT-POLICY/policy`)).json.policy?.blob
  assert.equal(await found(), undefined)
  assert.equal((await ask('PUT', `/v3/policies/${wide.id}/OS-ENDPOINT-POLICY/services/${service_id}/regions/RegionOne`)).status, 204)
  assert.equal(await found(), 'wide')
  assert.equal((await ask('PUT', `/v3/policies/${near.id}/OS-ENDPOINT-POLICY/endpoints/${id}`)).status, 204)
  assert.equal(await found(), 'near')
  assert.equal((await ask('GET', `/v3/policies/${wide.id}/OS-ENDPOINT-POLICY/endpoints`)).json.endpoints.length, 2)
})

test('options of a domain: known ones only, secrets unseen', async () => {
  const domain = await made('/v3/domains', 'domain', { name: 'optional' })
  const path = `/v3/domains/${domain.id}/config`
  assert.equal((await ask('GET', path)).status, 404)
  assert.equal((await ask('PUT', path, { config: { ldap: { url: 'ldap://x', password: 'hush' }, identity: { driver: 'ldap' } } })).status, 201)
  assert.deepEqual((await ask('GET', path)).json.config, { ldap: { url: 'ldap://x' }, identity: { driver: 'ldap' } })
  assert.equal((await ask('PUT', path, { config: { nonsense: { a: 1 } } })).status, 403)
  assert.equal((await ask('PATCH', `${path}/ldap/url`, { config: { url: 'ldap://y' } })).status, 200)
  assert.deepEqual((await ask('GET', `${path}/ldap/url`)).json.config, { url: 'ldap://y' })
  assert.equal((await ask('DELETE', `${path}/ldap`)).status, 204)
  assert.deepEqual((await ask('GET', path)).json.config, { identity: { driver: 'ldap' } })
})

test('bootstrap may run again, and JSON Home names everything', async () => {
  const count = async () => (await ask('GET', '/v3/endpoints')).json.endpoints.length
  const before = await count()
  const { Secret } = await import('#base/secret.ts')
  await k.keystone.bootstrap({ region: 'RegionOne', admin: { name: 'admin', password: new Secret('ignored'), project: 'admin' }, services: [], users: [], catalog: [{ name: 'nova', type: 'compute', url: '{public_url}/compute/v2.1/{project_id}' }] })
  assert.equal(await count(), before)
  const fresh = { region: 'RegionTwo', admin: { name: 'admin', password: new Secret('ignored'), project: 'admin' }, services: [{ name: 'cinder', password: new Secret('c'.repeat(40)) }], users: [], catalog: [{ name: 'cinder', type: 'volumev3', url: '{public_url}/volume/v3' }] }
  await Promise.all([k.keystone.bootstrap(fresh), k.keystone.bootstrap(fresh), k.keystone.bootstrap(fresh)])
  assert.equal(await count(), before + 3, 'processes that start together make each thing once')
  assert.equal((await k.login('admin', 'admin-secret')).answer.status, 201, 'a password once set stays')
  const home = await k.ask('GET', '/v3', { headers: { accept: 'application/json-home' } })
  assert.equal(home.json.resources['https://docs.openstack.org/api/openstack-identity/3/rel/users'].href, '/users')
})

test('projects are found by tags: all, any, and those without', async () => {
  const { id: domain_id } = await made('/v3/domains', 'domain', { name: 'tagged' })
  const tags: Record<string, string[]> = { none: [], red: ['red'], blue: ['blue'], both: ['red', 'blue'] }
  for (const [name, own] of Object.entries(tags)) await made('/v3/projects', 'project', { name, domain_id: domain_id!, tags: own })
  const named = async (query: string): Promise<string[]> => (await ask('GET', `/v3/projects?domain_id=${domain_id}&${query}`)).json.projects.map((one: { name: string }) => one.name).sort()
  assert.deepEqual(await named('tags=red,blue'), ['both'])
  assert.deepEqual(await named('tags-any=red,blue'), ['blue', 'both', 'red'])
  assert.deepEqual(await named('not-tags=red,blue'), ['blue', 'none', 'red'])
  assert.deepEqual(await named('not-tags-any=red,blue'), ['none'])
  assert.deepEqual(await named('tags=red&not-tags-any=blue'), ['red'])
  assert.deepEqual(await named('tags=red,red'), ['both', 'red'])
  assert.deepEqual(await named('tags=green'), [])
  assert.deepEqual(await named('not-tags=green'), ['blue', 'both', 'none', 'red'])
})
