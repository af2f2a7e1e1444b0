import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { houseKit } from '#stack/test/house-kit.ts'
import { withDefaults } from '#base/config.ts'
import { type SwiftConfig, swiftConfig } from '../config.ts'
import { controlProcess } from '../processes/control.ts'

const kit = await houseKit<SwiftConfig>({ config: withDefaults(swiftConfig, { durability: 'fast', max_file_size: 100 }) as SwiftConfig, policies: [] })
const house = controlProcess(kit.parts)
await kit.migrate(house.plate)
after(() => kit.close())
const A = '/v1/AUTH_project-a'
const ask = (method: string, target: string, options: Parameters<typeof kit.request>[3] = {}) => kit.request(house.handler, method, target, { as: 'member', ...options })

test('an object comes back whole, in part, by condition and as a copy', async () => {
  assert.equal((await ask('PUT', `${A}/box`)).status, 201)
  assert.equal((await ask('PUT', `${A}/box`)).status, 202)
  const put = await ask('PUT', `${A}/box/a%2Fb//c%20d/`, { body: 'hello world', headers: { 'x-object-meta-color': 'blue' } })
  assert.equal(put.status, 201)
  assert.equal(put.headers.etag, '5eb63bbbe01eeed093cb22bb8f5acdc3')
  const got = await ask('GET', `${A}/box/a%2Fb//c%20d/`)
  assert.equal(got.text, 'hello world')
  assert.equal(got.headers['X-Object-Meta-Color'], 'blue')
  const part = await ask('GET', `${A}/box/a/b//c%20d/`, { headers: { range: 'bytes=6-' } })
  assert.deepEqual([part.status, part.text, part.headers['content-range']], [206, 'world', 'bytes 6-10/11'])
  assert.equal((await ask('GET', `${A}/box/a/b//c%20d/`, { headers: { 'if-none-match': '"5eb63bbbe01eeed093cb22bb8f5acdc3"' } })).status, 304)
  assert.equal((await ask('COPY', `${A}/box/a/b//c%20d/`, { headers: { destination: 'box/z' } })).status, 201)
  assert.equal((await ask('GET', `${A}/box/z`)).text, 'hello world')
  assert.equal((await ask('DELETE', `${A}/box`)).status, 409)
})

test('a refused upload leaves the old object', async () => {
  assert.equal((await ask('PUT', `${A}/box/z`, { body: 'other', headers: { etag: '0'.repeat(32) } })).status, 422)
  assert.equal((await ask('PUT', `${A}/box/z`, { body: 'x'.repeat(101) })).status, 413)
  assert.equal((await ask('GET', `${A}/box/z`)).text, 'hello world')
})

test('a listing with a delimiter shows folders once, and its counts agree', async () => {
  await ask('PUT', `${A}/list`)
  for (const name of ['a', 'b/1', 'b/2', 'b/3', 'c', 'd/1']) assert.equal((await ask('PUT', `${A}/list/${name}`, { body: 'x' })).status, 201)
  assert.equal((await ask('GET', `${A}/list?delimiter=/`)).text, 'a\nb/\nc\nd/\n')
  assert.equal((await ask('GET', `${A}/list?delimiter=/&marker=b/&limit=2`)).text, 'c\nd/\n')
  assert.equal((await ask('GET', `${A}/list?prefix=b/&end_marker=b/3`)).text, 'b/1\nb/2\n')
  assert.equal((await ask('HEAD', `${A}/list`)).headers['x-container-object-count'], '6')
})

test('others see nothing, and what an ACL grants', async () => {
  assert.equal((await ask('GET', `${A}/list/a`, { as: 'member@project-b' })).status, 403)
  assert.equal((await ask('PUT', `${A}/list/a`, { as: 'reader', body: 'x' })).status, 403)
  const anonymous = await kit.request(house.handler, 'GET', `${A}/list/a`)
  assert.equal(anonymous.status, 401)
  assert.equal((anonymous.headers['www-authenticate'] as string[]).length, 2)
  assert.equal((await ask('POST', `${A}/list`, { headers: { 'x-container-read': '.r:*' } })).status, 204)
  assert.equal((await kit.request(house.handler, 'GET', `${A}/list/a`)).text, 'x')
  assert.equal((await kit.request(house.handler, 'GET', `${A}/list`)).status, 401)
})
