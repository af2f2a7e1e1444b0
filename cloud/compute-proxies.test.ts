/** Nova's old doors to the real Neutron, Glance and Cinder of one cloud: what clients before 2.36 still walk through. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Cloud, startCloud } from './start-cloud.ts'

// The tests know what they asked for.
// oxlint-disable-next-line no-explicit-any
type Json = any

let cloud: Cloud
let token: string
before(async () => {
  cloud = await startCloud({ port: null })
  const { username, password, project_name } = cloud.credentials.user
  const domain = { name: 'Default' }
  const login = await cloud.fetch('/identity/v3/auth/tokens', {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }),
  })
  token = login.headers.get('x-subject-token')!
})
after(() => cloud.close())

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; json: Json }> {
  const answer = await cloud.fetch(path, { method, headers: { 'x-auth-token': token, 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, json: text === '' ? undefined : JSON.parse(text) }
}
const nova = (method: string, path: string, body?: unknown, version = '2.1') => ask(method, `/compute/v2.1${path}`, body, { 'openstack-api-version': `compute ${version}` })

test('networks are shown by label, and the doors are shut from 2.36', async () => {
  const { networks } = (await nova('GET', '/os-networks')).json
  const own = networks.find((one: Json) => one.label === 'private')
  assert.ok(own && own.cidr === null && !('mtu' in own))
  assert.deepEqual((await nova('GET', `/os-tenant-networks/${own.id}`)).json.network, { id: own.id, label: 'private', cidr: 'None' })
  assert.equal((await nova('GET', '/os-networks/00000000-0000-4000-8000-000000000000')).status, 404)
  for (const path of ['/os-networks', '/os-tenant-networks', '/os-floating-ips', '/os-floating-ip-pools', '/os-security-groups', '/os-volumes', '/os-snapshots', '/images']) assert.equal((await nova('GET', path, undefined, '2.36')).status, 404, path)
  assert.equal((await nova('GET', '/os-baremetal-nodes')).status, 403)
})

test('a floating address comes from a pool and goes back', async () => {
  assert.deepEqual((await nova('GET', '/os-floating-ip-pools')).json.floating_ip_pools, [{ name: 'public' }])
  assert.equal((await nova('POST', '/os-floating-ips', { pool: 'nowhere' })).status, 404)
  const { floating_ip } = (await nova('POST', '/os-floating-ips', { pool: 'public' })).json
  assert.deepEqual([floating_ip.pool, floating_ip.fixed_ip, floating_ip.instance_id], ['public', null, null])
  assert.deepEqual((await nova('GET', `/os-floating-ips/${floating_ip.id}`)).json.floating_ip, floating_ip)
  assert.deepEqual((await nova('GET', '/os-floating-ips')).json.floating_ips, [floating_ip])
  assert.equal((await nova('DELETE', `/os-floating-ips/${floating_ip.id}`)).status, 202)
  assert.equal((await nova('DELETE', `/os-floating-ips/${floating_ip.id}`)).status, 404)
})

test('security groups keep their old form', async () => {
  const { security_group: group } = (await nova('POST', '/os-security-groups', { security_group: { name: 'web', description: 'd' } })).json
  assert.deepEqual(Object.keys(group).toSorted(), ['description', 'id', 'name', 'rules', 'tenant_id'])
  const rule = (more: object) => nova('POST', '/os-security-group-rules', { security_group_rule: { parent_group_id: group.id, ip_protocol: 'tcp', from_port: 22, to_port: 22, ...more } })
  const made = (await rule({})).json.security_group_rule
  assert.deepEqual([made.ip_range, made.group, made.from_port, made.parent_group_id], [{ cidr: '0.0.0.0/0' }, {}, 22, group.id])
  assert.equal((await rule({})).status, 400)
  for (const wrong of [{ from_port: 23 }, { to_port: 65_536 }, { ip_protocol: 'nonsense' }, { cidr: 'here' }, { parent_group_id: 'x' }]) assert.equal((await rule(wrong)).status, 400, JSON.stringify(wrong))
  assert.equal((await rule({ parent_group_id: '00000000-0000-4000-8000-000000000000' })).status, 404)
  assert.deepEqual((await rule({ ip_protocol: 'icmp', from_port: -1, to_port: -1, group_id: group.id })).json.security_group_rule.group, { name: 'web', tenant_id: group.tenant_id })
  assert.equal((await nova('GET', `/os-security-groups/${group.id}`)).json.security_group.rules.length, 2)
  assert.equal((await nova('PUT', `/os-security-groups/${group.id}`, { security_group: { name: 'web2', description: '' } })).json.security_group.name, 'web2')
  assert.equal((await nova('POST', '/os-security-groups', { security_group: { name: ' ', description: 'd' } })).status, 400)
  assert.equal((await nova('DELETE', `/os-security-group-rules/${made.id}`)).status, 202)
  assert.equal((await nova('DELETE', `/os-security-groups/${group.id}`)).status, 202)
  const { security_groups } = (await nova('GET', '/os-security-groups')).json
  assert.equal((await nova('DELETE', `/os-security-groups/${security_groups.find((one: Json) => one.name === 'default').id}`)).status, 400)
})

test('images and their metadata', async () => {
  const made = (await ask('POST', '/image/v2/images', { name: 'old', container_format: 'bare', disk_format: 'raw', os_distro: 'x' })).json
  const image = (await nova('GET', `/images/${made.id}`)).json.image
  assert.deepEqual([image.status, image.progress, image.metadata], ['SAVING', 25, { os_distro: 'x' }])
  assert.deepEqual(image.links.map((link: Json) => link.rel), ['self', 'bookmark', 'alternate'])
  assert.ok((await nova('GET', '/images/detail?status=queued&name=old')).json.images.some((one: Json) => one.id === made.id))
  assert.deepEqual((await nova('GET', '/images?name=none')).json, { images: [] })
  assert.deepEqual((await nova('POST', `/images/${made.id}/metadata`, { metadata: { a: '1' } })).json.metadata, { os_distro: 'x', a: '1' })
  assert.deepEqual((await nova('PUT', `/images/${made.id}/metadata/a`, { meta: { a: '2' } })).json.meta, { a: '2' })
  assert.equal((await nova('PUT', `/images/${made.id}/metadata/b`, { meta: { a: '2' } })).status, 400)
  assert.deepEqual((await nova('PUT', `/images/${made.id}/metadata`, { metadata: { b: '3' } }, '2.38')).json.metadata, { b: '3' })
  assert.equal((await nova('DELETE', `/images/${made.id}/metadata/b`)).status, 204)
  assert.equal((await nova('DELETE', `/images/${made.id}/metadata/b`)).status, 404)
  assert.deepEqual((await nova('GET', `/images/${made.id}/metadata`)).json.metadata, {})
  assert.equal((await nova('GET', `/images/${made.id}/metadata`, undefined, '2.39')).status, 404)
  assert.equal((await nova('DELETE', `/images/${made.id}`)).status, 204)
  assert.equal((await nova('GET', `/images/${made.id}`)).status, 404)
})

test('volumes and snapshots', async () => {
  const { volume } = (await nova('POST', '/os-volumes', { volume: { size: 1, display_name: 'v', display_description: 'd', metadata: { a: 'b' } } })).json
  assert.deepEqual([volume.size, volume.displayName, volume.displayDescription, volume.metadata, volume.attachments], [1, 'v', 'd', { a: 'b' }, [{}]])
  assert.equal((await nova('POST', '/os-volumes', { volume: { size: 0 } })).status, 400)
  for (const status = async (): Promise<string> => (await nova('GET', `/os-volumes/${volume.id}`)).json.volume.status; (await status()) !== 'available'; ) await cloud.world.clock.sleep(20)
  const { snapshot } = (await nova('POST', '/os-snapshots', { snapshot: { volume_id: volume.id, display_name: 's' } })).json
  assert.deepEqual([snapshot.volumeId, snapshot.displayName, snapshot.size], [volume.id, 's', 1])
  assert.ok((await nova('GET', '/os-volumes/detail')).json.volumes.some((one: Json) => one.id === volume.id))
  assert.deepEqual((await nova('GET', '/os-snapshots/detail')).json.snapshots.map((one: Json) => one.id), [snapshot.id])
  for (const status = async (): Promise<string> => (await nova('GET', `/os-snapshots/${snapshot.id}`)).json.snapshot.status; (await status()) !== 'available'; ) await cloud.world.clock.sleep(20)
  assert.equal((await nova('DELETE', `/os-snapshots/${snapshot.id}`)).status, 202)
  while ((await nova('GET', `/os-snapshots/${snapshot.id}`)).status !== 404) await cloud.world.clock.sleep(20)
  assert.equal((await nova('DELETE', `/os-volumes/${volume.id}`)).status, 202)
  assert.equal((await nova('GET', '/os-volumes/00000000-0000-4000-8000-000000000000')).status, 404)
})
