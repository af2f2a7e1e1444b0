/** Who may do what, over every route there is: no new route can forget to ask. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { formatVersion } from '#stack/version.ts'
import { placementWire, type Wire } from './wire.ts'

const UUID = '00000000-0000-4000-8000-000000000001'
let wire: Wire
before(async () => void (wire = await placementWire()))
after(() => wire.close())

/** Method, path and version of every route but the public one. */
function operations(): { method: string; target: string; version: string; name: string }[] {
  return wire.routes
    .filter((route) => route.access !== 'public' && route.name !== 'inventories.refuse-clear')
    .map((route) => ({
      method: route.method,
      target: route.path.replace('{uuid}', UUID).replace('{consumer_uuid}', UUID).replace('{resource_class}', 'VCPU').replace('{name}', 'CUSTOM_NAME') + (route.name === 'project-usages.list' ? '?project_id=project-b' : ''),
      version: formatVersion(route.until ?? 1039),
      name: route.name,
    }))
}

test('without a token nothing but the versions', async () => {
  for (const { method, target, version, name } of operations()) {
    const answer = await wire.kit.request(wire.handler, method, target, { headers: { 'openstack-api-version': `placement ${version}`, 'content-type': 'application/json' } })
    assert.equal(answer.status, 401, name)
    assert.equal(answer.json.errors[0].title, 'Unauthorized')
    assert.match(String(answer.headers['www-authenticate']), /^Keystone uri=/)
  }
  assert.equal((await wire.kit.request(wire.handler, 'GET', '/')).status, 200)
})

test('members, readers and tokens of the system are refused everywhere', async () => {
  for (const { method, target, version, name } of operations()) {
    for (const as of ['member', 'reader', 'manager', 'admin@system']) {
      const answer = await wire.call(method, target, { as, version, body: method === 'GET' || method === 'DELETE' ? undefined : {} })
      assert.equal(answer.status, 403, `${name} as ${as}: ${answer.text}`)
    }
  }
})

test('admins and services are refused nowhere, but only services reshape', async () => {
  for (const { method, target, version, name } of operations()) {
    for (const as of name === 'reshaper.reshape' ? ['service'] : ['admin', 'service']) {
      const answer = await wire.call(method, target, { as, version, body: method === 'GET' || method === 'DELETE' ? undefined : {} })
      assert.notEqual(answer.status, 403, `${name} as ${as}`)
      assert.notEqual(answer.status, 401, `${name} as ${as}`)
      assert.ok(answer.status < 500, `${name} as ${as}: ${answer.text}`)
    }
  }
})

test('a reader sees the usages of their own project only', async () => {
  assert.equal((await wire.call('GET', '/usages?project_id=project-a', { as: 'reader@project-a' })).status, 200)
  assert.equal((await wire.call('GET', '/usages?project_id=project-b', { as: 'reader@project-a' })).status, 403)
  assert.equal((await wire.call('GET', '/usages', { as: 'reader@project-a' })).status, 403)
})

test('the right is judged before the body', async () => {
  assert.equal((await wire.call('POST', '/resource_providers', { as: 'member', body: { nonsense: 1 } })).status, 403)
  assert.equal((await wire.call('POST', '/resource_providers', { as: 'admin', body: { nonsense: 1 } })).status, 400)
})
