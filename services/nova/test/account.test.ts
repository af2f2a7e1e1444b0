/** What belongs to projects and users beside servers: flavors, keypairs, groups, quotas, limits, usage. */
import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { HttpHandler } from '#base/http/message.ts'
import { extraSpecProblem } from '../core/extra-spec-validation.ts'
import { at, type NovaKit, novaKit } from './kit.ts'

let kit: NovaKit
/** Knows `project-a` and `project-b`. */
const keystone: HttpHandler = async ({ path }) => {
  const id = path.split('/').at(-1)!
  const known = /^project-[ab]$/.test(id)
  return { status: known ? 200 : 404, headers: { 'content-type': 'application/json' }, body: JSON.stringify(known ? { project: { id } } : { error: { message: 'Could not find project' } }) }
}
before(async () => {
  kit = await novaKit({ houses: { keystone } })
})
after(() => kit.close())

const ask = (method: string, path: string, version = '2.1', body?: unknown, as = 'member') => kit.request(method, path, { as, headers: at(version), ...(body === undefined ? {} : { body }) })
const admin = (method: string, path: string, version = '2.1', body?: unknown) => ask(method, path, version, body, 'admin')

test('a private flavor is seen by those who were given it', async () => {
  const flavor = { id: 'mine', name: 'mine', ram: '256', vcpus: 1, disk: 0, 'os-flavor-access:is_public': false }
  assert.equal((await ask('POST', '/v2.1/flavors', '2.1', { flavor })).status, 403)
  assert.equal((await admin('POST', '/v2.1/flavors', '2.1', { flavor })).json.flavor.ram, 256)
  assert.match((await admin('POST', '/v2.1/flavors', '2.1', { flavor })).json.conflictingRequest.message, /ID mine/)
  assert.match((await admin('POST', '/v2.1/flavors', '2.1', { flavor: { ...flavor, id: 'another' } })).json.conflictingRequest.message, /name mine/)
  const names = async (target: string, as = 'member') => (await ask('GET', target, '2.1', undefined, as)).json.flavors.map((one: { name: string }) => one.name)
  assert.deepEqual(await names('/v2.1/flavors'), ['m1.tiny', 'm1.small'])
  assert.deepEqual(await names('/v2.1/flavors?is_public=False', 'admin'), ['mine'])
  assert.deepEqual(await names('/v2.1/flavors?is_public=None', 'admin'), ['m1.tiny', 'm1.small', 'mine'])
  assert.equal((await ask('GET', '/v2.1/flavors/mine')).status, 404)
  const act = (body: object) => admin('POST', '/v2.1/flavors/mine/action', '2.1', body)
  assert.deepEqual((await act({ addTenantAccess: { tenant: 'project-a' } })).json.flavor_access, [{ flavor_id: 'mine', tenant_id: 'project-a' }])
  assert.equal((await act({ addTenantAccess: { tenant: 'project-a' } })).status, 409)
  assert.equal((await act({ addTenantAccess: { tenant: 'project-z' } })).status, 400)
  assert.ok((await names('/v2.1/flavors')).includes('mine'))
  assert.equal((await admin('GET', '/v2.1/flavors/1/os-flavor-access')).status, 404)
  assert.deepEqual((await act({ removeTenantAccess: { tenant: 'project-a' } })).json.flavor_access, [])
  assert.equal((await act({ removeTenantAccess: { tenant: 'project-a' } })).status, 404)
})

test('flavors are sorted and paged, and show what their version knows', async () => {
  const by = (await ask('GET', '/v2.1/flavors/detail?sort_key=memory_mb&sort_dir=desc&limit=1', '2.61')).json
  assert.equal(by.flavors[0].name, 'm1.small')
  const next = new URL(by.flavors_links[0].href)
  assert.equal((await ask('GET', `${next.pathname}${next.search}`, '2.61')).json.flavors[0].name, 'm1.tiny')
  assert.equal((await ask('GET', '/v2.1/flavors?marker=nothing')).status, 400)
  assert.equal((await ask('GET', '/v2.1/flavors?sort_key=colour')).status, 400)
  assert.equal((await ask('GET', '/v2.1/flavors?colour=red')).status, 200)
  assert.equal((await ask('GET', '/v2.1/flavors?colour=red', '2.75')).status, 400)
  const keys = async (version: string) => Object.keys((await ask('GET', '/v2.1/flavors/1', version)).json.flavor)
  assert.ok(!(await keys('2.54')).includes('description') && (await keys('2.55')).includes('description'))
  assert.ok(!(await keys('2.60')).includes('extra_specs') && (await keys('2.61')).includes('extra_specs'))
  assert.ok((await keys('2.101')).includes('rxtx_factor') && !(await keys('2.102')).includes('rxtx_factor'))
  assert.equal((await admin('PUT', '/v2.1/flavors/1', '2.54', { flavor: { description: 'x' } })).status, 404)
  assert.equal((await admin('PUT', '/v2.1/flavors/1', '2.55', { flavor: { description: 'x' } })).json.flavor.description, 'x')
})

test('extra specs are judged from 2.86', async () => {
  const all = '/v2.1/flavors/2/os-extra_specs'
  assert.equal((await admin('POST', all, '2.85', { extra_specs: { 'hw:cpu_policy': 'wild' } })).status, 200)
  assert.equal((await admin('PUT', `${all}/hw:cpu_policy`, '2.86', { 'hw:cpu_policy': 'wild' })).status, 400)
  assert.equal((await admin('PUT', `${all}/hw:cpu_policy`, '2.86', { 'hw:numa_nodes': '1' })).status, 400)
  assert.deepEqual((await admin('PUT', `${all}/hw:cpu_policy`, '2.86', { 'hw:cpu_policy': 'shared' })).json, { 'hw:cpu_policy': 'shared' })
  assert.deepEqual((await ask('GET', all)).json.extra_specs, { 'hw:cpu_policy': 'shared' })
  assert.equal((await ask('DELETE', `${all}/hw:cpu_policy`)).status, 403)
  assert.equal((await admin('DELETE', `${all}/hw:cpu_policy`)).status, 200)
  assert.equal((await admin('DELETE', `${all}/hw:cpu_policy`)).status, 404)
  for (const [name, value] of [['hw:no_such', '1'], ['hw:numa_nodes', '0'], ['hw:boot_menu', 'maybe'], ['trait:CUSTOM_X', 'wanted'], ['resources:VCPU', 'two']] as const) assert.ok(extraSpecProblem(name, value), `${name}=${value}`)
  for (const [name, value] of [['rack', 'a'], ['own:thing', 'a'], ['trait1:CUSTOM_X', 'required'], ['resources:VCPU', '2'], ['hw:numa_cpus.0', '0-1'], ['capabilities:hypervisor_type', 's== QEMU']] as const) assert.equal(extraSpecProblem(name, value), undefined)
})

test('a made keypair is one whose halves fit, in both kinds', async () => {
  const ssh = await ask('POST', '/v2.1/os-keypairs', '2.1', { keypair: { name: 'made' } })
  assert.equal(ssh.status, 200)
  const jwk = createPublicKey(createPrivateKey(ssh.json.keypair.private_key)).export({ format: 'jwk' }) as { n: string }
  assert.ok(Buffer.from(ssh.json.keypair.public_key.split(' ')[1], 'base64').includes(Buffer.from(jwk.n, 'base64url')))
  assert.ok(!('type' in ssh.json.keypair))
  const x509 = await ask('POST', '/v2.1/os-keypairs', '2.2', { keypair: { name: 'cert', type: 'x509' } })
  assert.equal(x509.status, 201)
  const certificate = new X509Certificate(x509.json.keypair.public_key)
  assert.ok(certificate.checkPrivateKey(createPrivateKey(x509.json.keypair.private_key)) && certificate.verify(certificate.publicKey))
  assert.equal(certificate.fingerprint.toLowerCase(), x509.json.keypair.fingerprint)
  const again = await ask('POST', '/v2.1/os-keypairs', '2.2', { keypair: { name: 'copy', public_key: ssh.json.keypair.public_key } })
  assert.equal(again.json.keypair.fingerprint, ssh.json.keypair.fingerprint)
  assert.equal((await ask('POST', '/v2.1/os-keypairs', '2.2', { keypair: { name: 'copy' } })).status, 409)
  assert.equal((await ask('POST', '/v2.1/os-keypairs', '2.92', { keypair: { name: 'none' } })).status, 400)
  for (const public_key of [' ', 'ssh-rsa JUNK x', `ssh-rsa ${'A'.repeat(2_048)} x`]) assert.equal((await ask('POST', '/v2.1/os-keypairs', '2.2', { keypair: { name: 'bad', public_key } })).status, 400)
  assert.equal((await ask('POST', '/v2.1/os-keypairs', '2.2', { keypair: { name: String.raw`key_/.\@:`, public_key: again.json.keypair.public_key } })).status, 400)
})

test('keypairs are paged, belong to their user, and go with the status of their version', async () => {
  const page = (await ask('GET', '/v2.1/os-keypairs?limit=1', '2.35')).json
  assert.equal(page.keypairs.length, 1)
  const next = new URL(page.keypairs_links[0].href)
  assert.notEqual((await ask('GET', `${next.pathname}${next.search}`, '2.35')).json.keypairs[0].keypair.name, page.keypairs[0].keypair.name)
  assert.ok((await ask('GET', '/v2.1/os-keypairs?limit=1', '2.34')).json.keypairs.length > 1)
  assert.equal((await ask('GET', '/v2.1/os-keypairs?user_id=member-of-project-a', '2.10', undefined, 'member@project-b')).status, 403)
  assert.ok((await admin('GET', '/v2.1/os-keypairs?user_id=member-of-project-a', '2.10')).json.keypairs.length > 1)
  assert.equal((await admin('GET', '/v2.1/os-keypairs/made', '2.10')).status, 404)
  assert.equal((await ask('DELETE', '/v2.1/os-keypairs/made', '2.1')).status, 202)
  assert.equal((await ask('DELETE', '/v2.1/os-keypairs/copy', '2.2')).status, 204)
  assert.equal((await ask('DELETE', '/v2.1/os-keypairs/copy', '2.2')).status, 404)
})

test('a server group speaks one policy from 2.64, and its members leave when it goes', async () => {
  const all = '/v2.1/os-server-groups'
  assert.equal((await ask('POST', all, '2.14', { server_group: { name: 'g', policies: ['soft-affinity'] } })).status, 400)
  assert.equal((await ask('POST', all, '2.64', { server_group: { name: 'g', policy: 'affinity', rules: { max_server_per_host: 2 } } })).status, 400)
  const { server_group } = (await ask('POST', all, '2.64', { server_group: { name: 'g', policy: 'anti-affinity', rules: { max_server_per_host: 2 } } })).json
  const id = await kit.boot({}, { hints: { group: server_group.id } })
  const old = (await ask('GET', `${all}/${server_group.id}`, '2.13')).json.server_group
  assert.deepEqual([old.policies, old.metadata, old.members, old.project_id], [['anti-affinity'], {}, [id], 'project-a'])
  assert.equal((await ask('GET', `${all}/${server_group.id}`, '2.13', undefined, 'member@project-b')).status, 404)
  assert.equal((await ask('GET', all, '2.1', undefined, 'member@project-b')).json.server_groups.length, 0)
  assert.equal((await ask('GET', `${all}?all_projects=1`, '2.1', undefined, 'admin@project-b')).json.server_groups.length, 1)
  assert.equal((await ask('DELETE', `${all}/${server_group.id}`)).status, 204)
  assert.deepEqual((await kit.show(id)).json.server.server_groups, [])
  await ask('PUT', '/v2.1/os-quota-sets/project-a', '2.1', { quota_set: { server_groups: 0 } }, 'admin')
  assert.equal((await ask('POST', all, '2.64', { server_group: { name: 'h', policy: 'affinity' } })).status, 403)
  await ask('DELETE', `/v2.1/servers/${id}`)
  await kit.settled(id)
})

test('quotas: project over class over configuration, users below their project, use counted', async () => {
  const set = '/v2.1/os-quota-sets/project-a'
  const limit = async (name: string, target = set) => (await admin('GET', target)).json.quota_set[name]
  await admin('DELETE', set)
  assert.equal((await admin('PUT', '/v2.1/os-quota-class-sets/default', '2.1', { quota_class_set: { cores: 30 } })).json.quota_class_set.cores, 30)
  assert.deepEqual([await limit('cores'), await limit('cores', `${set}/defaults`)], [30, 30])
  assert.equal((await ask('PUT', set, '2.1', { quota_set: { cores: 4 } })).status, 403)
  assert.equal((await admin('PUT', set, '2.1', { quota_set: { cores: '4' } })).json.quota_set.cores, 4)
  assert.equal((await admin('PUT', '/v2.1/os-quota-sets/project-z', '2.1', { quota_set: { cores: 4 } })).status, 400)
  assert.equal((await admin('PUT', `${set}?user_id=u1`, '2.1', { quota_set: { cores: 5 } })).status, 400)
  assert.equal((await admin('PUT', `${set}?user_id=u1`, '2.1', { quota_set: { cores: 3 } })).json.quota_set.cores, 3)
  assert.deepEqual([await limit('cores'), await limit('cores', `${set}?user_id=u1`), await limit('cores', `${set}?user_id=u2`)], [4, 3, 4])
  const server = { name: 'x', flavorRef: '2', imageRef: '22222222-2222-4222-8222-222222222222', networks: 'none' }
  await admin('PUT', `${set}?user_id=member-of-project-a`, '2.1', { quota_set: { cores: 1 } })
  assert.equal((await ask('POST', '/v2.1/servers', '2.37', { server })).status, 403, 'two cores for a user who may have one')
  await admin('DELETE', `${set}?user_id=member-of-project-a`)
  const id = await kit.boot()
  assert.deepEqual((await ask('GET', `${set}/detail`, '2.57')).json.quota_set.instances, { limit: 10, in_use: 1, reserved: 0 })
  assert.equal((await admin('PUT', set, '2.1', { quota_set: { instances: 0 } })).status, 400)
  assert.equal((await admin('PUT', set, '2.1', { quota_set: { instances: 0, force: true } })).status, 200)
  assert.equal((await ask('POST', '/v2.1/servers', '2.37', { server })).status, 403)
  const absolute = async (version: string) => (await ask('GET', '/v2.1/limits', version)).json.limits.absolute
  assert.deepEqual([(await absolute('2.1')).maxTotalInstances, (await absolute('2.1')).totalInstancesUsed], [0, 1])
  assert.ok('maxSecurityGroups' in (await absolute('2.35')) && !('maxSecurityGroups' in (await absolute('2.36'))))
  assert.ok('maxImageMeta' in (await absolute('2.38')) && !('maxImageMeta' in (await absolute('2.39'))))
  assert.equal((await ask('GET', '/v2.1/limits?tenant_id=project-b')).status, 403)
  await ask('DELETE', `/v2.1/servers/${id}`)
  await kit.settled(id)
  assert.equal((await admin('DELETE', set)).status, 202)
  assert.equal(await limit('instances'), 10)
  await admin('PUT', '/v2.1/os-quota-class-sets/default', '2.1', { quota_class_set: { cores: 20 } })
})

test('the usage of a project counts its servers, also those that are gone', async () => {
  const span = 'start=2020-01-01T00:00:00&end=2100-01-01T00:00:00.000000'
  const { tenant_usage } = (await ask('GET', `/v2.1/os-simple-tenant-usage/project-a?${span}`)).json
  assert.equal((await ask('GET', '/v2.1/os-simple-tenant-usage/project-a?start=2020-01-01T00:00:00.123456')).json.tenant_usage.start, '2020-01-01T00:00:00.123456')
  assert.ok(tenant_usage.server_usages.length >= 2 && tenant_usage.server_usages.every((one: { state: string }) => one.state === 'terminated'))
  const page = (await ask('GET', `/v2.1/os-simple-tenant-usage/project-a?${span}&limit=1`, '2.40')).json
  assert.equal(page.tenant_usage.server_usages.length, 1)
  const next = new URL(page.tenant_usage_links[0].href)
  assert.notEqual((await ask('GET', `${next.pathname}${next.search}`, '2.40')).json.tenant_usage.server_usages[0].instance_id, page.tenant_usage.server_usages[0].instance_id)
  assert.deepEqual((await ask('GET', '/v2.1/os-simple-tenant-usage/project-b', '2.1', undefined, 'member@project-b')).json, { tenant_usage: {} })
  assert.equal((await ask('GET', '/v2.1/os-simple-tenant-usage/project-b')).status, 403)
  assert.equal((await ask('GET', '/v2.1/os-simple-tenant-usage')).status, 403)
  assert.equal((await admin('GET', `/v2.1/os-simple-tenant-usage?${span}`)).json.tenant_usages[0].server_usages, undefined)
  assert.equal((await admin('GET', '/v2.1/os-simple-tenant-usage?start=2100-01-01T00:00:00')).status, 400)
  assert.equal((await admin('GET', '/v2.1/os-simple-tenant-usage?start=yesterday')).status, 400)
})

test('a collection with a slash behind it is a thing without an id', async () => {
  assert.equal((await admin('GET', '/v2.1/os-simple-tenant-usage/')).status, 404)
  assert.equal((await ask('DELETE', '/v2.1/images/')).status, 404)
  assert.equal((await ask('GET', '/v2.1/')).status, 200)
})

test('what is long gone says so', async () => {
  for (const [method, path] of [['GET', '/os-agents'], ['POST', '/os-cloudpipe'], ['GET', '/os-certificates/root'], ['POST', '/os-networks'], ['GET', '/os-fping']] as const) {
    const answer = await ask(method, `/v2.1${path}`, '2.1', method === 'POST' ? {} : undefined)
    assert.deepEqual([answer.status, answer.json.computeFault.code], [410, 410])
  }
  const extensions = (await ask('GET', '/v2.1/extensions')).json.extensions
  assert.ok(extensions.some((one: { name: string }) => one.name === 'Hosts'))
  assert.equal((await ask('GET', '/v2.1/extensions/os-consoles')).json.extension.alias, 'os-consoles')
  assert.equal((await ask('GET', '/v2.1/extensions/none')).status, 404)
  const log = (await admin('GET', '/v2.1/os-instance_usage_audit_log/2026-05-05%2000:00:00')).json.instance_usage_audit_log
  assert.deepEqual([log.period_beginning, log.num_hosts_not_run], ['2026-04-01 00:00:00', 1])
  assert.equal((await admin('GET', '/v2.1/os-instance_usage_audit_log/never')).status, 400)
})
