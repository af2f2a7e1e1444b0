import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RequestOptions } from '#stack/test/house-kit.ts'
import { glanceKit, type GlanceKit } from './glance-kit.ts'
import { makeQcow2 } from '../core/image-bytes.maker.ts'

let k: GlanceKit
const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' }
const BYTES = { 'content-type': 'application/octet-stream' }

before(async () => {
  k = await glanceKit()
})
after(() => k.close())

const ask = (method: string, target: string, options: RequestOptions = {}) => k.ask(method, target, { as: 'member', ...options })

async function makeImage(fields: object = {}, as = 'member'): Promise<string> {
  const made = await ask('POST', '/v2/images', { as, body: { name: 'one', disk_format: 'raw', container_format: 'bare', ...fields } })
  assert.equal(made.status, 201, made.text)
  return made.json.id as string
}

test('an image goes from queued to active and its bytes come back, whole and in part', async () => {
  const id = await makeImage({ hw_disk_bus: 'scsi', tags: ['a'] })
  assert.equal((await ask('GET', `/v2/images/${id}/file`)).status, 204)
  assert.equal((await ask('PUT', `/v2/images/${id}/file`, { headers: BYTES, body: Buffer.from('hello world') })).status, 204)
  const shown = (await ask('GET', `/v2/images/${id}`)).json
  assert.equal(shown.status, 'active')
  assert.equal(shown.checksum, '5eb63bbbe01eeed093cb22bb8f5acdc3')
  assert.equal(shown.size, 11)
  assert.equal(shown.hw_disk_bus, 'scsi')
  const whole = await ask('GET', `/v2/images/${id}/file`)
  assert.equal(whole.text, 'hello world')
  const part = await ask('GET', `/v2/images/${id}/file`, { headers: { range: 'bytes=6-' } })
  assert.equal(part.status, 206)
  assert.equal(part.text, 'world')
  assert.equal(part.headers['content-range'], 'bytes 6-10/11')
  const again = await ask('PUT', `/v2/images/${id}/file`, { headers: BYTES, body: Buffer.from('x') })
  assert.equal(again.status, 409)
  assert.match(again.text, /Image status transition from active to saving is not allowed/)
})

test('A1 and A4: a hostile image never becomes active and leaves no bytes', async () => {
  for (const [disk_format, bytes] of [
    ['qcow2', makeQcow2({ backing_offset: 4096n, backing_size: 11 })],
    ['raw', makeQcow2()],
  ] as const) {
    const id = await makeImage({ disk_format })
    const answer = await ask('PUT', `/v2/images/${id}/file`, { headers: BYTES, body: bytes })
    assert.equal(answer.status, 415, `${disk_format}: ${answer.text}`)
    assert.equal((await ask('GET', `/v2/images/${id}`)).json.status, 'queued')
    assert.equal((await ask('GET', `/v2/images/${id}/file`)).status, 204)
  }
})

test('another project sees a shared image only when it is a member, and lists it only when it has accepted', async () => {
  const id = await makeImage()
  const other = { as: 'member@project-b' }
  assert.equal((await ask('GET', `/v2/images/${id}`, other)).status, 404)
  assert.equal((await ask('POST', `/v2/images/${id}/members`, { body: { member: 'project-b' } })).status, 200)
  assert.equal((await ask('POST', `/v2/images/${id}/members`, { body: { member: 'project-b' } })).status, 409)
  assert.equal((await ask('GET', `/v2/images/${id}`, other)).status, 200)
  const listed = async () => ((await ask('GET', '/v2/images', other)).json.images as { id: string }[]).some((one) => one.id === id)
  assert.equal(await listed(), false)
  assert.equal((await ask('PUT', `/v2/images/${id}/members/project-b`, { ...other, body: { status: 'accepted' } })).status, 200)
  assert.equal(await listed(), true)
  assert.equal((await ask('DELETE', `/v2/images/${id}`, other)).status, 403)
  assert.equal((await ask('PATCH', `/v2/images/${id}`, { ...other, headers: PATCH, body: JSON.stringify([{ op: 'replace', path: '/name', value: 'mine' }]) })).status, 403)
})

test('changes are patches: fields, properties, tags; what is read-only or unknown is refused by name', async () => {
  const id = await makeImage()
  const patch = (changes: object[]) => ask('PATCH', `/v2/images/${id}`, { headers: PATCH, body: JSON.stringify(changes) })
  const done = await patch([
    { op: 'replace', path: '/name', value: 'two' },
    { op: 'add', path: '/os_distro', value: 'debian' },
    { op: 'replace', path: '/tags', value: ['x', 'x', 'y'] },
  ])
  assert.equal(done.status, 200, done.text)
  assert.deepEqual([done.json.name, done.json.os_distro, done.json.tags], ['two', 'debian', ['x', 'y']])
  assert.equal((await patch([{ op: 'remove', path: '/os_distro' }])).json.os_distro, undefined)
  assert.equal((await patch([{ op: 'remove', path: '/os_distro' }])).status, 409)
  assert.equal((await patch([{ op: 'replace', path: '/status', value: 'active' }])).status, 403)
  assert.equal((await patch([{ op: 'replace', path: '/min_ram', value: -1 }])).status, 400)
  assert.equal((await patch([{ op: 'replace', path: '/visibility', value: 'public' }])).status, 403)
  assert.equal((await patch([{ op: 'replace', path: 'name', value: 'x' }])).status, 400)
})

test('lists filter, sort and page, and say where the next page is', async () => {
  const as = 'member@project-list'
  for (const name of ['c', 'a', 'b']) await makeImage({ name, os_distro: name === 'a' ? 'debian' : 'other', tags: name === 'b' ? ['t1', 't2'] : [] }, as)
  const names = async (query: string) => ((await ask('GET', `/v2/images?${query}`, { as })).json.images as { name: string }[]).map((one) => one.name)
  assert.deepEqual(await names('sort=name:asc'), ['a', 'b', 'c'])
  assert.deepEqual(await names('sort_key=name&sort_dir=desc'), ['c', 'b', 'a'])
  assert.deepEqual(await names('os_distro=debian'), ['a'])
  assert.deepEqual(await names('tag=t1&tag=t2'), ['b'])
  assert.deepEqual(await names('name=in:a,b&sort=name:asc'), ['a', 'b'])
  const first = (await ask('GET', '/v2/images?sort=name:asc&limit=2', { as })).json
  assert.deepEqual(first.images.map((one: { name: string }) => one.name), ['a', 'b'])
  const second = (await ask('GET', first.next.replace(/^/, ''), { as })).json
  assert.deepEqual(second.images.map((one: { name: string }) => one.name), ['c'])
  assert.equal(second.next, undefined)
  assert.equal((await ask('GET', '/v2/images?marker=nowhere', { as })).status, 400)
  assert.equal((await ask('GET', '/v2/images?sort_key=nothing', { as })).status, 400)
})
