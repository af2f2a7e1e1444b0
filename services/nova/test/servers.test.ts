import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { at, IMAGE, NETWORK, novaKit, type NovaKit } from './kit.ts'

let k: NovaKit
before(async () => {
  k = await novaKit({ hosts: 2 })
})
after(() => k.close())

test('a server is made, shown, and taken away with everything that was made for it', async () => {
  const created = await k.request('POST', '/v2.1/servers', { headers: at('2.90'), body: { server: { name: 'first', flavorRef: '1', imageRef: IMAGE, networks: [{ uuid: NETWORK }] } } })
  assert.equal(created.status, 202, created.text)
  const { id } = created.json.server
  assert.equal(String(created.headers.location), `http://127.0.0.1:5000/v2.1/servers/${id}`)
  assert.match(created.json.server.adminPass, /^\w{12}$/)
  assert.equal((await k.settled(id)).status, 'ACTIVE')
  const shown = (await k.show(id)).json.server
  assert.equal(shown.status, 'ACTIVE')
  assert.equal(shown['OS-EXT-STS:task_state'], null)
  assert.equal(shown['OS-EXT-STS:power_state'], 1)
  assert.equal(shown.addresses['net-1111'].length, 1)
  assert.deepEqual(shown.security_groups, [{ name: 'default' }])
  assert.equal(k.neutron.ports.size, 1)
  const allocations = (await k.placement('GET', `/allocations/${id}`)).json.allocations
  assert.deepEqual(Object.values(allocations).map((one) => (one as { resources: object }).resources), [{ VCPU: 1, MEMORY_MB: 64, DISK_GB: 1 }])

  const deleted = await k.request('DELETE', `/v2.1/servers/${id}`)
  assert.equal(deleted.status, 204, deleted.text)
  assert.equal((await k.settled(id)).vm_state, 'deleted')
  assert.equal((await k.show(id)).status, 404)
  assert.equal(k.neutron.ports.size, 0)
  assert.deepEqual((await k.placement('GET', `/allocations/${id}`)).json.allocations, {})
  assert.equal(k.hosts.flatMap((host) => [...host.guests]).length, 0)
})

test('actions take the server through its states and are on record under their request ids', async () => {
  const id = await k.boot()
  for (const [body, status] of [
    [{ 'os-stop': null }, 'SHUTOFF'], [{ 'os-start': null }, 'ACTIVE'], [{ pause: null }, 'PAUSED'], [{ unpause: null }, 'ACTIVE'], [{ suspend: null }, 'SUSPENDED'], [{ resume: null }, 'ACTIVE'],
    [{ reboot: { type: 'SOFT' } }, 'ACTIVE'], [{ reboot: { type: 'HARD' } }, 'ACTIVE'],
  ] as const) {
    const answer = await k.act(id, body)
    assert.equal(answer.status, 202, answer.text)
    assert.equal((await k.settled(id)).status, status, JSON.stringify(body))
  }
  const wrong = await k.act(id, { unpause: null })
  assert.equal(wrong.status, 409)
  assert.equal(wrong.json.conflictingRequest.message, `Cannot 'unpause' instance ${id} while it is in vm_state active`)
  await k.request('DELETE', `/v2.1/servers/${id}`)
  await k.settled(id)
})

test('a wrong wish is refused with its name', async () => {
  for (const [wish, message] of [
    [{ flavorRef: 'none' }, /Flavor none could not be found/],
    [{ imageRef: 'ffffffff-ffff-4fff-8fff-ffffffffffff' }, /Image ffffffff.* could not be found/],
    [{ key_name: 'none' }, /Invalid key_name provided/],
    [{ networks: [{ uuid: 'ffffffff-ffff-4fff-8fff-ffffffffffff' }] }, /Network ffffffff.* could not be found/],
    [{ availability_zone: 'mars' }, /availability zone/],
    [{ name: '' }, /name/],
    [{ surprise: 1 }, /surprise/],
  ] as const) {
    const answer = await k.request('POST', '/v2.1/servers', { headers: at('2.90'), body: { server: { name: 'x', flavorRef: '1', imageRef: IMAGE, networks: 'none', ...wish } } })
    assert.equal(answer.status, 400, answer.text)
    assert.match(answer.json.badRequest.message, message)
  }
})

test('another project sees nothing of it', async () => {
  const id = await k.boot()
  for (const [method, path] of [['GET', `/v2.1/servers/${id}`], ['DELETE', `/v2.1/servers/${id}`], ['PUT', `/v2.1/servers/${id}`]] as const) {
    const answer = await k.request(method, path, { as: 'member@project-b', ...(method === 'PUT' ? { body: { server: { name: 'mine' } } } : {}) })
    assert.equal(answer.status, 404, `${method} ${answer.text}`)
  }
  assert.deepEqual((await k.request('GET', '/v2.1/servers', { as: 'member@project-b' })).json.servers, [])
  await k.request('DELETE', `/v2.1/servers/${id}`)
  await k.settled(id)
})

test('a host that cannot build is given up for the next one', async () => {
  k.hosts[0]!.fail('ensureGuest', { times: 1 })
  const id = await k.boot()
  assert.equal((await k.settled(id)).status, 'ACTIVE')
  await k.request('DELETE', `/v2.1/servers/${id}`)
  await k.settled(id)
})

test('when every host fails the server is in ERROR with the reason and leaves nothing behind', async () => {
  for (const host of k.hosts) host.fail('ensureGuest', { times: 1, kind: 'internal', message: 'the disk is on fire' })
  const id = await k.boot()
  const shown = (await k.show(id)).json.server
  assert.equal(shown.status, 'ERROR')
  assert.equal(shown.fault.code, 500)
  assert.equal(k.neutron.ports.size, 0)
  assert.deepEqual((await k.placement('GET', `/allocations/${id}`)).json.allocations, {})
  await k.request('DELETE', `/v2.1/servers/${id}`)
  assert.equal((await k.settled(id)).vm_state, 'deleted')
})

test('delete wins over a build that is under way', async () => {
  for (const host of k.hosts) host.slow('ensureGuest', 60_000)
  const id = await k.boot({}, { wait: false })
  const deleted = await k.request('DELETE', `/v2.1/servers/${id}`)
  assert.equal(deleted.status, 204)
  for (const host of k.hosts) host.slow('ensureGuest', 0)
  assert.equal((await k.settled(id)).vm_state, 'deleted')
  assert.equal(k.neutron.ports.size, 0)
  assert.equal(k.hosts.flatMap((host) => [...host.guests]).length, 0)
})
