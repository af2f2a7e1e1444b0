import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RequestOptions } from '#stack/test/house-kit.ts'
import { glanceKit, type GlanceKit } from './glance-kit.ts'

let k: GlanceKit

before(async () => {
  k = await glanceKit()
})
after(() => k.close())

const ask = (method: string, target: string, options: RequestOptions = {}) => k.ask(method, target, { as: 'admin', ...options })
const base = '/v2/metadefs/namespaces'

test('a namespace comes with what is in it, is seen by whom it is for, and goes with everything', async () => {
  const made = await ask('POST', base, {
    body: {
      namespace: 'OS::Test',
      display_name: 'Test',
      visibility: 'private',
      resource_type_associations: [{ name: 'OS::Nova::Flavor', prefix: 'hw:' }],
      properties: { cpu: { title: 'CPU', type: 'string' } },
      objects: [{ name: 'limits', properties: { shares: { title: 'Shares', type: 'integer' } } }],
      tags: [{ name: 'fast' }],
    },
  })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.headers.location, 'http://127.0.0.1:5000/v2/metadefs/namespaces/OS%3A%3ATest')
  assert.equal((await ask('POST', base, { body: { namespace: 'OS::Test' } })).status, 409)
  assert.equal((await ask('POST', base, { as: 'member', body: { namespace: 'mine' } })).status, 403)
  assert.equal((await ask('GET', `${base}/OS::Test`, { as: 'member@project-b' })).status, 404)
  const whole = (await ask('GET', `${base}/OS::Test?resource_type=OS::Nova::Flavor`)).json
  assert.deepEqual(Object.keys(whole.properties), ['hw:cpu'])
  assert.deepEqual(Object.keys(whole.objects[0].properties), ['hw:shares'])
  assert.deepEqual(whole.tags, [{ name: 'fast' }])
  const renamed = await ask('PUT', `${base}/OS::Test`, { body: { namespace: 'OS::Other', visibility: 'public', protected: true } })
  assert.deepEqual([renamed.status, renamed.json.namespace, renamed.json.display_name], [200, 'OS::Other', 'Test'])
  assert.equal((await ask('GET', `${base}/OS::Other/properties/cpu`, { as: 'member@project-b' })).json.title, 'CPU')
  assert.equal((await ask('DELETE', `${base}/OS::Other`)).status, 403)
  await ask('PUT', `${base}/OS::Other`, { body: { namespace: 'OS::Other', protected: false } })
  assert.equal((await ask('DELETE', `${base}/OS::Other`)).status, 204)
  assert.equal((await ask('GET', `${base}/OS::Other/objects`)).status, 404)
})

test('objects, properties, tags and resource types are made, changed, listed and removed', async () => {
  await ask('POST', base, { body: { namespace: 'n', visibility: 'public' } })
  assert.equal((await ask('POST', `${base}/n/objects`, { body: { name: 'o' } })).status, 201)
  assert.equal((await ask('PUT', `${base}/n/objects/o`, { body: { name: 'p', description: 'new' } })).json.description, 'new')
  assert.deepEqual((await ask('GET', `${base}/n/objects`)).json.objects.map((one: { name: string }) => one.name), ['p'])
  assert.equal((await ask('POST', `${base}/n/properties`, { body: { name: 'x', title: 'X', type: 'nothing' } })).status, 400)
  assert.equal((await ask('POST', `${base}/n/properties`, { body: { name: 'x', title: 'X', type: 'string' } })).status, 201)
  assert.deepEqual((await ask('GET', `${base}/n/properties`)).json, { properties: { x: { title: 'X', type: 'string' } } })
  assert.equal((await ask('POST', `${base}/n/tags`, { body: { tags: [{ name: 'a' }, { name: 'b' }] } })).status, 201)
  assert.equal((await ask('POST', `${base}/n/tags`, { headers: { 'x-openstack-append': 'True' }, body: { tags: [{ name: 'c' }] } })).status, 201)
  assert.equal((await ask('POST', `${base}/n/tags/a`)).status, 409)
  assert.deepEqual((await ask('GET', `${base}/n/tags`)).json.tags.map((one: { name: string }) => one.name), ['a', 'b', 'c'])
  assert.equal((await ask('DELETE', `${base}/n/tags`)).status, 204)
  assert.deepEqual((await ask('GET', `${base}/n/tags`)).json.tags, [])
  assert.equal((await ask('POST', `${base}/n/resource_types`, { body: { name: 'OS::Mine' } })).status, 201)
  assert.ok((await ask('GET', '/v2/metadefs/resource_types')).json.resource_types.some((one: { name: string }) => one.name === 'OS::Mine'))
  assert.deepEqual((await ask('GET', `${base}?resource_types=OS::Mine`)).json.namespaces.map((one: { namespace: string }) => one.namespace), ['n'])
  assert.equal((await ask('DELETE', `${base}/n/resource_types/OS::Mine`)).status, 204)
  assert.equal((await ask('DELETE', `${base}/n/objects/p`)).status, 204)
  assert.equal((await ask('DELETE', `${base}/n/objects/p`)).status, 404)
})

test('every schema names itself, tasks are for administrators, usage is counted', async () => {
  for (const [path, name] of [['image', 'image'], ['images', 'images'], ['tasks', 'tasks'], ['metadefs/resource_types', 'resource_type_associations']] as const) assert.equal((await ask('GET', `/v2/schemas/${path}`)).json.name, name)
  assert.equal((await ask('GET', '/v2/tasks', { as: 'member' })).status, 403)
  assert.equal((await ask('POST', '/v2/tasks', { body: { type: 'import', input: { import_from: 'file:///etc/passwd', import_from_format: 'raw' } } })).status, 400)
  assert.deepEqual((await ask('GET', '/v2/tasks')).json.tasks, [])
  const image = await ask('POST', '/v2/images', { as: 'member@usage', body: { disk_format: 'raw', container_format: 'bare' } })
  await ask('PUT', `/v2/images/${image.json.id}/file`, { as: 'member@usage', headers: { 'content-type': 'application/octet-stream' }, body: Buffer.alloc(3 * 2 ** 20) })
  const { usage } = (await ask('GET', '/v2/info/usage', { as: 'member@usage' })).json
  assert.deepEqual([usage.image_count_total, usage.image_size_total], [{ limit: -1, usage: 1 }, { limit: -1, usage: 3 }])
  assert.equal((await ask('POST', `/v2/images/${image.json.id}/locations`, { as: 'member@usage', body: { url: 'http://x/' } })).status, 403)
})
