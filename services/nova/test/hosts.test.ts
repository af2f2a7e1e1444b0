/** What administrators see and say of hosts: hypervisors, services, aggregates, zones. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { novaDefaults } from '../config.ts'
import { at, type NovaKit, novaKit } from './kit.ts'

let kit: NovaKit
before(async () => {
  kit = await novaKit({ hosts: 2 })
})
after(() => kit.close())

const ask = (method: string, path: string, version = '2.1', body?: unknown, as = 'admin') => kit.request(method, path, { as, headers: at(version), ...(body === undefined ? {} : { body }) })
const compute = async (host: string) => (await ask('GET', `/v2.1/os-services?host=${host}&binary=nova-compute`, '2.53')).json.services[0]

test('a hypervisor is a number before 2.53 and a uuid after, and loses its figures at 2.88', async () => {
  const id = await kit.boot()
  const old = (await ask('GET', '/v2.1/os-hypervisors/detail')).json.hypervisors
  assert.deepEqual(old.map((one: { id: unknown }) => one.id), [1, 2])
  assert.equal(typeof old[0].cpu_info, 'string')
  assert.equal(old[0].running_vms + old[1].running_vms, 1)
  const now = (await ask('GET', '/v2.1/os-hypervisors/detail?with_servers=true', '2.88')).json.hypervisors
  assert.match(now[0].id, /^[0-9a-f-]{36}$/)
  assert.ok(!('vcpus_used' in now[0]) && 'uptime' in now[0])
  assert.deepEqual(now.flatMap((one: { servers: { uuid: string }[] }) => one.servers.map((server) => server.uuid)), [id])
  const page = (await ask('GET', '/v2.1/os-hypervisors?limit=1', '2.53')).json
  const next = new URL(page.hypervisors_links[0].href)
  assert.equal((await ask('GET', `${next.pathname}${next.search}`, '2.53')).json.hypervisors[0].id, now[1].id)
  assert.equal((await ask('GET', '/v2.1/os-hypervisors/nowhere/search')).status, 404)
  assert.equal((await ask('GET', '/v2.1/os-hypervisors/nowhere/search', '2.53')).status, 404)
  assert.equal((await ask('GET', '/v2.1/os-hypervisors', '2.1', undefined, 'member')).status, 403)
  assert.equal((await ask('GET', '/v2.1/os-hypervisors/statistics')).json.hypervisor_statistics.running_vms, 1)
  assert.equal((await ask('GET', '/v2.1/os-hypervisors/statistics', '2.88')).status, 400)
  assert.equal((await ask('DELETE', `/v2.1/servers/${id}`)).status, 204)
})

test('an aggregate with a zone moves its host there, and Placement knows', async () => {
  const { aggregate } = (await ask('POST', '/v2.1/os-aggregates', '2.41', { aggregate: { name: 'rack', availability_zone: 'east' } })).json
  assert.ok(!('hosts' in aggregate) && aggregate.updated_at === null)
  const path = `/v2.1/os-aggregates/${aggregate.id}`
  assert.equal((await ask('POST', '/v2.1/os-aggregates', '2.41', { aggregate: { name: 'rack' } })).status, 409)
  assert.deepEqual((await ask('POST', `${path}/action`, '2.41', { add_host: { host: 'test-host' } })).json.aggregate.hosts, ['test-host'])
  assert.equal((await ask('POST', `${path}/action`, '2.41', { add_host: { host: 'test-host' } })).status, 409)
  assert.equal((await ask('POST', `${path}/action`, '2.41', { add_host: { host: 'nowhere' } })).status, 404)
  const node = (await ask('GET', '/v2.1/os-hypervisors?hypervisor_hostname_pattern=test-host', '2.53')).json.hypervisors[0]
  assert.deepEqual((await kit.placement('GET', `/resource_providers/${node.id}/aggregates`)).json.aggregates, [aggregate.uuid])
  const zones = (await ask('GET', '/v2.1/os-availability-zone/detail')).json.availabilityZoneInfo
  assert.deepEqual(Object.keys(zones.find((zone: { zoneName: string }) => zone.zoneName === 'east').hosts), ['test-host'])
  const id = await kit.boot({ availability_zone: 'east' })
  assert.equal((await kit.show(id)).json.server['OS-EXT-AZ:availability_zone'], 'east')
  assert.equal((await ask('PUT', path, '2.41', { aggregate: { availability_zone: 'west' } })).status, 409)
  const other = (await ask('POST', '/v2.1/os-aggregates', '2.41', { aggregate: { name: 'other', availability_zone: 'west' } })).json.aggregate
  assert.equal((await ask('POST', `/v2.1/os-aggregates/${other.id}/action`, '2.41', { add_host: { host: 'test-host' } })).status, 409)
  const changed = (await ask('POST', `${path}/action`, '2.41', { set_metadata: { metadata: { ssd: 'true' } } })).json.aggregate
  assert.deepEqual(changed.metadata, { availability_zone: 'east', ssd: 'true' })
  assert.deepEqual((await ask('POST', `${path}/action`, '2.41', { set_metadata: { metadata: { ssd: null } } })).json.aggregate.metadata, { availability_zone: 'east' })
  assert.equal((await ask('DELETE', path)).status, 400)
  await ask('DELETE', `/v2.1/servers/${id}`)
  await kit.settled(id)
  assert.deepEqual((await ask('POST', `${path}/action`, '2.41', { remove_host: { host: 'test-host' } })).json.aggregate.hosts, [])
  assert.deepEqual((await kit.placement('GET', `/resource_providers/${node.id}/aggregates`)).json.aggregates, [])
  assert.equal((await ask('DELETE', path)).status, 200)
  assert.equal((await ask('GET', path)).status, 404)
})

test('images are brought into the caches of the hosts of an aggregate', async () => {
  const { aggregate } = (await ask('POST', '/v2.1/os-aggregates', '2.81', { aggregate: { name: 'cache' } })).json
  await ask('POST', `/v2.1/os-aggregates/${aggregate.id}/action`, '2.81', { add_host: { host: 'test-host' } })
  const image = (id: string) => ask('POST', `/v2.1/os-aggregates/${aggregate.id}/images`, '2.81', { cache: [{ id }] })
  assert.equal((await image('99999999-9999-4999-8999-999999999999')).status, 400)
  const wanted = '33333333-3333-4333-8333-333333333333'
  kit.glance.image(wanted)
  assert.equal((await image(wanted)).status, 202)
  await kit.nova.engine.idle('aggregate', aggregate.uuid, undefined, AbortSignal.timeout(10_000))
  assert.ok(kit.hosts.some((host) => host.hostname === 'test-host' && host.images.has(wanted)))
  assert.equal((await ask('POST', `/v2.1/os-aggregates/${aggregate.id}/images`, '2.80', { cache: [] })).status, 404)
})

test('a disabled service gets no servers, one forced down is down, and one with servers is not deleted', async () => {
  const [first, second] = [await compute('test-host'), await compute('test-host-2')]
  const disabled = (await ask('PUT', `/v2.1/os-services/${first.id}`, '2.53', { status: 'disabled', disabled_reason: 'repair' })).json.service
  assert.deepEqual([disabled.status, disabled.disabled_reason, disabled.forced_down], ['disabled', 'repair', false])
  const id = await kit.boot()
  assert.equal((await kit.show(id)).json.server['OS-EXT-SRV-ATTR:host'], 'test-host-2')
  assert.equal((await ask('DELETE', `/v2.1/os-services/${second.id}`, '2.53')).status, 409)
  const old = (await ask('PUT', '/v2.1/os-services/enable', '2.1', { host: 'test-host', binary: 'nova-compute' })).json.service
  assert.deepEqual(old, { host: 'test-host', binary: 'nova-compute', status: 'enabled' })
  assert.equal((await ask('PUT', '/v2.1/os-services/enable', '2.53', { host: 'test-host', binary: 'nova-compute' })).status, 400)
  assert.equal((await ask('PUT', '/v2.1/os-services/enable', '2.1', { host: 'nowhere', binary: 'nova-compute' })).status, 404)
  assert.equal((await ask('PUT', `/v2.1/os-services/${first.id}`, '2.53', { disabled_reason: 'no status' })).status, 400)
  assert.equal((await ask('PUT', '/v2.1/os-services/force-down', '2.11', { host: 'test-host', binary: 'nova-compute', forced_down: true })).json.service.forced_down, true)
  assert.equal((await compute('test-host')).state, 'down')
  assert.equal((await ask('DELETE', `/v2.1/os-services/${first.id}`, '2.53')).status, 204)
  assert.equal(await compute('test-host'), undefined)
  assert.equal((await ask('GET', '/v2.1/os-hypervisors', '2.53')).json.hypervisors.length, 1)
  assert.equal((await ask('DELETE', `/v2.1/os-services/${first.id}`, '2.53')).status, 404)
})

test('the older view of hosts ends with 2.42, and says 501 of what no driver can', async () => {
  const hosts = (await ask('GET', '/v2.1/os-hosts')).json.hosts
  assert.ok(hosts.some((host: { service: string }) => host.service === 'scheduler'))
  assert.equal((await ask('GET', '/v2.1/os-hosts/test-host-2')).json.host[0].resource.project, '(total)')
  assert.equal((await ask('GET', '/v2.1/os-hosts/test-host-2/reboot')).status, 501)
  assert.equal((await ask('GET', '/v2.1/os-hosts/nowhere/reboot')).status, 404)
  assert.equal((await ask('PUT', '/v2.1/os-hosts/test-host-2', '2.1', {})).status, 400)
  assert.equal((await ask('PUT', '/v2.1/os-hosts/test-host-2', '2.1', { status: 'disable' })).json.status, 'disabled')
  assert.equal((await ask('GET', '/v2.1/os-hosts', '2.43')).status, 404)
})

test('of more hosts than are looked at first, any may be chosen, and all are when those will not do', async () => {
  const small = await novaKit({ hosts: 4, config: { scheduling: { ...novaDefaults.scheduling, placement_sample: 1 } } })
  try {
    const hostOf = async (id: string): Promise<string> => (await small.show(id, { as: 'admin' })).json.server['OS-EXT-SRV-ATTR:host']
    const seen = new Set<string>()
    for (let i = 0; i < 8; i++) {
      const id = await small.boot()
      seen.add(await hostOf(id))
      await small.request('DELETE', `/v2.1/servers/${id}`)
      await small.settled(id)
    }
    assert.ok(seen.size > 1, 'the search begins anywhere')
    const services = (await small.request('GET', '/v2.1/os-services?binary=nova-compute', { as: 'admin', headers: at('2.53') })).json.services as { id: string; host: string }[]
    for (const { id } of services.slice(1)) assert.equal((await small.request('PUT', `/v2.1/os-services/${id}`, { as: 'admin', headers: at('2.53'), body: { status: 'disabled' } })).status, 200)
    for (let i = 0; i < 3; i++) assert.equal(await hostOf(await small.boot()), services[0]!.host)
  } finally {
    await small.close()
  }
})
