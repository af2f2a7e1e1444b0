import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { at, IMAGE, NETWORK, novaKit, type NovaKit } from './kit.ts'

let k: NovaKit
before(async () => {
  k = await novaKit({ hosts: 3 })
})
after(() => k.close())

const resources = async (consumer: string): Promise<object[]> => Object.values((await k.placement('GET', `/allocations/${consumer}`)).json.allocations as Record<string, { resources: object }>).map((one) => one.resources)
const migrationOf = async (id: string) => (await k.nova.db.query.selectFrom('nova_migrations').selectAll().where('server_id', '=', id).orderBy('id', 'desc').executeTakeFirst())!
async function gone(...ids: string[]): Promise<void> {
  for (const id of ids) {
    assert.equal((await k.request('DELETE', `/v2.1/servers/${id}`, { as: 'admin' })).status, 204)
    assert.equal((await k.settled(id)).vm_state, 'deleted')
    assert.deepEqual(await resources(id), [])
  }
  assert.equal(k.neutron.ports.size, 0)
  assert.equal(k.cinder.attachments.size, 0)
  assert.equal(k.hosts.flatMap((host) => [...host.guests]).length, 0)
}
async function acted(id: string, body: object, status: string, options: { as?: string; version?: string; code?: number } = {}) {
  const answer = await k.act(id, body, options)
  assert.equal(answer.status, options.code ?? 202, answer.text)
  assert.equal((await k.settled(id)).status, status, JSON.stringify(body))
  return answer
}
const view = async (id: string) => (await k.show(id)).json.server

test('a resize waits for a word, and goes either way', async () => {
  const id = await k.boot()
  await acted(id, { resize: { flavorRef: '2' } }, 'VERIFY_RESIZE')
  const move = await migrationOf(id)
  assert.equal(move.status, 'finished')
  assert.deepEqual(await resources(id), [{ VCPU: 2, MEMORY_MB: 128, DISK_GB: 2 }])
  assert.deepEqual(await resources(move.uuid), [{ VCPU: 1, MEMORY_MB: 64, DISK_GB: 1 }])
  await acted(id, { revertResize: null }, 'ACTIVE')
  assert.deepEqual(await resources(id), [{ VCPU: 1, MEMORY_MB: 64, DISK_GB: 1 }])
  assert.deepEqual(await resources(move.uuid), [])
  assert.equal((await view(id)).flavor.original_name, 'm1.tiny')
  assert.equal(k.hosts.flatMap((host) => [...host.guests]).length, 1)

  await acted(id, { resize: { flavorRef: '2' } }, 'VERIFY_RESIZE')
  await acted(id, { confirmResize: null }, 'ACTIVE', { code: 204 })
  assert.equal((await view(id)).flavor.original_name, 'm1.small')
  assert.deepEqual(await resources((await migrationOf(id)).uuid), [])
  assert.equal(k.hosts.flatMap((host) => [...host.guests]).length, 1)
  await gone(id)
})

test('a cold migration leaves its host, with its volumes and its addresses', async () => {
  const volume = k.cinder.volume('aaaaaaaa-0000-4000-8000-000000000001')
  const id = await k.boot()
  const attached = await k.request('POST', `/v2.1/servers/${id}/os-volume_attachments`, { headers: at('2.90'), body: { volumeAttachment: { volumeId: volume.id } } })
  assert.equal(attached.status, 200, attached.text)
  assert.equal(attached.json.volumeAttachment.device, '/dev/vdb')
  await k.settled(id)
  assert.equal(volume.status, 'in-use')
  const before = await view(id)
  await acted(id, { migrate: null }, 'VERIFY_RESIZE', { as: 'admin' })
  const moved = await view(id)
  assert.notEqual(moved['OS-EXT-SRV-ATTR:host'], before['OS-EXT-SRV-ATTR:host'])
  assert.deepEqual(moved.addresses, before.addresses)
  assert.equal([...k.neutron.ports.values()][0]!['binding:host_id'], moved['OS-EXT-SRV-ATTR:host'])
  await acted(id, { confirmResize: null }, 'ACTIVE', { code: 204 })
  assert.equal(k.cinder.attachments.size, 1)
  await acted(id, { migrate: null }, 'VERIFY_RESIZE', { as: 'admin' })
  await acted(id, { revertResize: null }, 'ACTIVE')
  assert.equal((await view(id))['OS-EXT-SRV-ATTR:host'], moved['OS-EXT-SRV-ATTR:host'])
  assert.equal(k.cinder.attachments.size, 1)
  await gone(id)
  assert.equal(volume.status, 'available')
})

test('a live migration changes the host under a running server', async () => {
  const id = await k.boot()
  const before = (await view(id))['OS-EXT-SRV-ATTR:host']
  await acted(id, { 'os-migrateLive': { host: null, block_migration: 'auto' } }, 'ACTIVE', { as: 'admin' })
  assert.notEqual((await view(id))['OS-EXT-SRV-ATTR:host'], before)
  assert.equal((await migrationOf(id)).status, 'completed')
  assert.equal(k.hosts.flatMap((host) => [...host.guests]).length, 1)
  assert.deepEqual(await resources((await migrationOf(id)).uuid), [])
  await gone(id)
})

test('a live migration that fails leaves the server where it was', async () => {
  const id = await k.boot()
  const before = (await view(id))['OS-EXT-SRV-ATTR:host']
  for (const host of k.hosts) if (host.hostname === before) host.fail('migrateOut')
  await acted(id, { 'os-migrateLive': { host: null, block_migration: 'auto' } }, 'ACTIVE', { as: 'admin' })
  assert.equal((await view(id))['OS-EXT-SRV-ATTR:host'], before)
  assert.equal((await migrationOf(id)).status, 'failed')
  assert.deepEqual(await resources(id), [{ VCPU: 1, MEMORY_MB: 64, DISK_GB: 1 }])
  assert.equal(k.hosts.flatMap((host) => [...host.guests]).length, 1)
  await gone(id)
})

test('rebuild, rescue and shelving', async () => {
  const other = 'bbbbbbbb-0000-4000-8000-000000000001'
  k.glance.image(other)
  const id = await k.boot()
  const rebuilt = await acted(id, { rebuild: { imageRef: other, name: 'again', metadata: { a: 'b' } } }, 'ACTIVE')
  assert.equal(rebuilt.json.server.image.id, other)
  assert.equal(rebuilt.json.server.name, 'again')
  assert.equal((await view(id)).image.id, other)
  await acted(id, { rescue: null }, 'RESCUE', { code: 200 })
  await acted(id, { unrescue: null }, 'ACTIVE')
  await acted(id, { shelve: null }, 'SHELVED_OFFLOADED')
  assert.equal((await view(id))['OS-EXT-SRV-ATTR:host'], null)
  assert.deepEqual(await resources(id), [])
  assert.equal(k.hosts.flatMap((host) => [...host.guests]).length, 0)
  const images = [...k.glance.images.values()].filter((image) => image.name === 'again-shelved')
  assert.equal(images.length, 1)
  await acted(id, { unshelve: null }, 'ACTIVE')
  assert.equal([...k.glance.images.values()].filter((image) => image.name === 'again-shelved').length, 0)
  await gone(id)
})

test('an image of a server, and backups that are rotated', async () => {
  const id = await k.boot()
  const made = await acted(id, { createImage: { name: 'snap', metadata: { x: 'y' } } }, 'ACTIVE')
  const image = k.glance.images.get(made.json.image_id)!
  assert.equal(image.status, 'active')
  assert.equal(image.x, 'y')
  assert.equal(image.instance_uuid, id)
  for (let i = 0; i < 3; i++) await acted(id, { createBackup: { name: `b${i}`, backup_type: 'daily', rotation: 2 } }, 'ACTIVE')
  assert.equal([...k.glance.images.values()].filter((one) => one.backup_type === 'daily').length, 2)
  await gone(id)
})

test('a snapshot that fails leaves no image', async () => {
  const id = await k.boot()
  const before = k.glance.images.size
  for (const host of k.hosts) if (host.guests.has(id)) host.fail('snapshot')
  await acted(id, { createImage: { name: 'snap' } }, 'ACTIVE')
  assert.equal(k.glance.images.size, before)
  await gone(id)
})

test('interfaces come and go; what was there before stays', async () => {
  const mine = '33333333-3333-4333-8333-333333333333'
  k.neutron.network(mine)
  const id = await k.boot()
  const made = await k.request('POST', `/v2.1/servers/${id}/os-interface`, { headers: at('2.90'), body: { interfaceAttachment: { net_id: mine } } })
  assert.equal(made.status, 200, made.text)
  assert.equal((await k.request('GET', `/v2.1/servers/${id}/os-interface`)).json.interfaceAttachments.length, 2)
  assert.equal(Object.keys((await view(id)).addresses).length, 2)
  assert.equal(k.hosts.flatMap((host) => [...host.guests.values()])[0]!.spec.nics.length, 2)
  const { port_id } = made.json.interfaceAttachment
  assert.equal((await k.request('DELETE', `/v2.1/servers/${id}/os-interface/${port_id}`)).status, 202)
  await k.settled(id)
  assert.equal(k.neutron.ports.size, 1)
  assert.equal((await k.request('GET', `/v2.1/servers/${id}/os-interface/${port_id}`)).status, 404)
  await gone(id)
  k.neutron.networks.delete(mine)
})

test('a server boots from a volume that is made for it, and it goes with the server', async () => {
  const id = await k.boot({ imageRef: undefined, block_device_mapping_v2: [{ source_type: 'image', destination_type: 'volume', uuid: IMAGE, boot_index: 0, volume_size: 1, delete_on_termination: true }] })
  assert.equal((await k.settled(id)).status, 'ACTIVE')
  const shown = await view(id)
  assert.equal(shown.image, '')
  assert.equal(shown['os-extended-volumes:volumes_attached'].length, 1)
  assert.deepEqual(await resources(id), [{ VCPU: 1, MEMORY_MB: 64 }])
  await acted(id, { shelve: null }, 'SHELVED_OFFLOADED')
  await acted(id, { unshelve: null }, 'ACTIVE')
  await gone(id)
  assert.equal([...k.cinder.volumes.values()].filter((volume) => String(volume.imageRef) === IMAGE).length, 0)
})

test('an attachment that the host refuses lets the volume go', async () => {
  const volume = k.cinder.volume('aaaaaaaa-0000-4000-8000-000000000002')
  const id = await k.boot()
  for (const host of k.hosts) if (host.guests.has(id)) host.fail('attachVolume')
  await k.request('POST', `/v2.1/servers/${id}/os-volume_attachments`, { body: { volumeAttachment: { volumeId: volume.id } } })
  await k.settled(id)
  assert.equal(volume.status, 'available')
  assert.deepEqual((await k.request('GET', `/v2.1/servers/${id}/os-volume_attachments`)).json.volumeAttachments, [])
  await gone(id)
})

test('a move that is asked for while a volume is on its way waits for it', async () => {
  const volume = k.cinder.volume('aaaaaaaa-0000-4000-8000-000000000003')
  const id = await k.boot()
  const host = k.hosts.find((one) => one.guests.has(id))!
  host.slow('attachVolume', 300)
  host.fail('attachVolume')
  await k.request('POST', `/v2.1/servers/${id}/os-volume_attachments`, { body: { volumeAttachment: { volumeId: volume.id } } })
  await acted(id, { migrate: null }, 'VERIFY_RESIZE', { as: 'admin' })
  host.slow('attachVolume', 0)
  assert.equal(volume.status, 'available', 'what failed to come aboard is held for no host')
  assert.equal(k.cinder.attachments.size, 0)
  await acted(id, { revertResize: null }, 'ACTIVE')
  await gone(id)
})

test('an evacuated server lives elsewhere, and its old guest ends when the host is back', async () => {
  const id = await k.boot()
  const before = await view(id)
  const host = k.hosts.find((one) => one.hostname === before['OS-EXT-SRV-ATTR:host'])!
  await k.nova.db.query.updateTable('nova_services').set({ forced_down: 1 }).where('host', '=', host.hostname).execute()
  k.nova.hosts.forget()
  await acted(id, { evacuate: {} }, 'ACTIVE', { as: 'admin', code: 200 })
  assert.notEqual((await view(id))['OS-EXT-SRV-ATTR:host'], before['OS-EXT-SRV-ATTR:host'])
  assert.ok(host.guests.has(id))
  const { controlTopic } = await import('../contract/control-rpc.ts')
  const { clientOf } = await import('#base/bus/topic.ts')
  const control = clientOf(k.kit.parts.bus, controlTopic)
  const wishes = await control.wishes({ host_ids: [host.host_id] })
  assert.deepEqual(wishes.hosts[0]!.tombstones, [id])
  host.guests.delete(id)
  await control.buried({ host_id: host.host_id, server_ids: [id] })
  assert.deepEqual(await resources((await migrationOf(id)).uuid), [])
  await k.nova.db.query.updateTable('nova_services').set({ forced_down: 0 }).execute()
  k.nova.hosts.forget()
  await gone(id)
})

test('a guest that turns itself off is a stopped server', async () => {
  const id = await k.boot()
  const host = k.hosts.find((one) => one.guests.has(id))!
  host.guestPowersOff(id)
  for (let i = 0; i < 200 && (await k.settled(id)).status !== 'SHUTOFF'; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal((await k.settled(id)).status, 'SHUTOFF')
  await gone(id)
})

test('metadata, tags, lock and the record of actions', async () => {
  const id = await k.boot({ metadata: { a: '1' } })
  assert.deepEqual((await k.request('POST', `/v2.1/servers/${id}/metadata`, { body: { metadata: { b: '2' } } })).json.metadata, { a: '1', b: '2' })
  assert.equal((await k.request('DELETE', `/v2.1/servers/${id}/metadata/a`)).status, 204)
  assert.equal((await k.request('GET', `/v2.1/servers/${id}/metadata/a`)).status, 404)
  assert.equal((await k.request('PUT', `/v2.1/servers/${id}/tags/red`, { headers: at('2.26') })).status, 201)
  assert.deepEqual((await k.request('GET', '/v2.1/servers?tags=red', { headers: at('2.26') })).json.servers.map((one: { id: string }) => one.id), [id])
  await acted(id, { lock: { locked_reason: 'mine' } }, 'ACTIVE', { version: '2.73', as: 'admin@project-x' })
  await k.nova.world.clock.sleep(2)
  assert.equal((await k.act(id, { 'os-stop': null })).status, 409)
  assert.equal((await k.act(id, { unlock: null })).status, 403)
  await acted(id, { unlock: null }, 'ACTIVE', { as: 'admin' })
  // Actions of one millisecond have no order.
  await k.nova.world.clock.sleep(2)
  const stopped = await acted(id, { 'os-stop': null }, 'SHUTOFF')
  const actions = (await k.request('GET', `/v2.1/servers/${id}/os-instance-actions`)).json.instanceActions as { action: string; request_id: string }[]
  assert.deepEqual(actions.map((one) => one.action), ['stop', 'unlock', 'lock', 'create'])
  assert.equal(actions[0]!.request_id, stopped.headers['x-compute-request-id'])
  const shown = (await k.request('GET', `/v2.1/servers/${id}/os-instance-actions/${actions[0]!.request_id}`, { headers: at('2.51') })).json.instanceAction
  assert.equal(shown.events[0].result, 'Success')
  await gone(id)
})

test('A17: the metadata service tells a server of itself alone', async () => {
  const id = await k.boot({ user_data: Buffer.from('#!/bin/sh').toString('base64'), metadata: { role: 'web' } })
  const ask = (path: string, headers: Record<string, string> = {}) => k.request('GET', `/metadata/${path}`, { as: 'servant@service', headers: { 'x-instance-id': id, 'x-tenant-id': 'project-a', ...headers } })
  const meta = (await ask('openstack/latest/meta_data.json')).json
  assert.equal(meta.uuid, id)
  assert.deepEqual(meta.meta, { role: 'web' })
  assert.equal((await ask('latest/meta-data/local-ipv4')).text, [...k.neutron.ports.values()].map((port) => (port.fixed_ips as { ip_address: string }[])[0]!.ip_address)[0])
  assert.equal((await ask('openstack/latest/user_data')).text, '#!/bin/sh')
  assert.equal((await ask('latest/meta-data')).text.split('\n').includes('placement/'), true)
  assert.equal((await ask('openstack/latest/meta_data.json', { 'x-tenant-id': 'project-b' })).status, 404)
  const forged = await k.kit.request(k.control.handler, 'GET', '/metadata/latest/meta-data/', { headers: { 'x-instance-id': id, 'x-instance-id-signature': 'f'.repeat(64) } })
  assert.equal(forged.status, 403)
  assert.equal((await k.request('GET', '/metadata/latest/meta-data/', { as: 'member', headers: { 'x-instance-id': id } })).status, 403)
  await gone(id)
})

test('a server waits for its wire, woken by the event of its port', async () => {
  k.neutron.wires = true
  const id = await k.boot({}, { wait: false })
  let port = [...k.neutron.ports.values()][0]
  for (let i = 0; i < 50_000 && !port; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    port = [...k.neutron.ports.values()][0]
  }
  port!.status = 'ACTIVE'
  const told = await k.request('POST', '/v2.1/os-server-external-events', { as: 'servant@service', body: { events: [{ server_uuid: id, name: 'network-vif-plugged', tag: port!.id, status: 'completed' }, { server_uuid: NETWORK, name: 'network-vif-plugged' }] } })
  assert.equal(told.status, 207, told.text)
  assert.deepEqual(told.json.events.map((event: { code: number }) => event.code), [200, 404])
  assert.equal((await k.settled(id)).status, 'ACTIVE')
  k.neutron.wires = false
  await gone(id)
})
