import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type CinderKit, cinderKit } from './cinder-kit.ts'

let cinder: CinderKit
const SERVER = '5f1b2c3d-0000-4000-8000-000000000001'

before(async () => {
  cinder = await cinderKit({ quota_volumes: 100, quota_snapshots: 100, quota_gigabytes: 200 })
})
after(() => cinder.close())

async function makeVolume(fields: object = {}, options: { as?: string } = {}): Promise<string> {
  const made = await cinder.ask('POST', '/v3/volumes', { body: { volume: { size: 1, ...fields } }, ...options })
  assert.equal(made.status, 202, made.text)
  await cinder.until(`/v3/volumes/${made.json.volume.id}`, 'available', options)
  return made.json.volume.id as string
}

const act = (id: string, action: string, body: unknown = {}, options: { as?: string; headers?: Record<string, string> } = {}) => cinder.ask('POST', `/v3/volumes/${id}/action`, { body: { [action]: body }, ...options })

test('a volume is made, shown, changed and deleted, with the project in the path and without', async () => {
  const id = await makeVolume({ name: 'one', metadata: { a: 'b' } })
  const shown = (await cinder.ask('GET', `/v3/project-a/volumes/${id}`)).json.volume
  assert.equal(shown.name, 'one')
  assert.equal(shown.volume_type, '__DEFAULT__')
  assert.equal(shown['os-vol-tenant-attr:tenant_id'], 'project-a')
  assert.equal(shown['os-vol-host-attr:host'], undefined)
  assert.match((await cinder.ask('GET', `/v3/volumes/${id}`, { as: 'admin' })).json.volume['os-vol-host-attr:host'], /^test-host@(one#one|two#two)$/)
  assert.equal((await cinder.ask('GET', `/v3/project-b/volumes/${id}`)).status, 400)
  assert.equal((await cinder.ask('GET', `/v3/volumes/${id}`, { as: 'member@project-b' })).status, 404)
  const changed = await cinder.ask('PUT', `/v3/volumes/${id}`, { body: { volume: { name: 'two', metadata: { c: 'd' } } } })
  assert.deepEqual([changed.json.volume.name, changed.json.volume.metadata], ['two', { c: 'd' }])
  assert.equal((await cinder.ask('DELETE', `/v3/volumes/${id}`)).status, 202)
  await cinder.until(`/v3/volumes/${id}`, '404')
  assert.equal(cinder.backends.one.volumes.has(id) || cinder.backends.two.volumes.has(id), false)
})

test('a service makes volumes for users; nobody else can', async () => {
  const wish = { body: { volume: { size: 1, project_id: 'project-a', user_id: 'somebody' } } }
  const made = (await cinder.ask('POST', '/v3/volumes', { ...wish, as: 'servant@project-s' })).json.volume
  assert.equal((await cinder.ask('GET', `/v3/volumes/${made.id}`)).json.volume['os-vol-tenant-attr:tenant_id'], 'project-a')
  assert.equal((await cinder.ask('GET', `/v3/volumes/${made.id}`, { as: 'admin' })).json.volume.user_id, 'somebody')
  const own = (await cinder.ask('POST', '/v3/volumes', { ...wish, as: 'member@project-b' })).json.volume
  assert.equal((await cinder.ask('GET', `/v3/volumes/${own.id}`)).status, 404)
  assert.equal((await cinder.ask('GET', `/v3/volumes/${own.id}`, { as: 'member@project-b' })).json.volume['os-vol-tenant-attr:tenant_id'], 'project-b')
})

test('the version decides what is shown and what is refused', async () => {
  const old = { headers: { 'openstack-api-version': 'volume 3.0' } }
  const id = await makeVolume()
  const wire = (await cinder.ask('GET', `/v3/volumes/${id}`, old)).json.volume
  assert.equal(wire.group_id, undefined)
  assert.equal((await cinder.ask('GET', `/v3/volumes/${id}`)).json.volume.consumes_quota, true)
  assert.equal((await cinder.ask('POST', '/v3/volumes', { ...old, body: { volume: { size: 1, nonsense: 1 } } })).status, 202)
  const refused = await cinder.ask('POST', '/v3/volumes', { body: { volume: { size: 1, nonsense: 1 } } })
  assert.equal(refused.status, 400)
  assert.match(refused.json.badRequest.message, /nonsense/)
  assert.equal((await cinder.ask('GET', '/v3/attachments', old)).status, 404)
  // gophercloud names the type of the catalog.
  assert.equal((await cinder.ask('GET', '/v3/attachments', { headers: { 'openstack-api-version': 'volumev3 3.27' } })).status, 200)
  assert.equal((await cinder.ask('GET', '/')).status, 300)
  assert.equal((await cinder.ask('GET', '/v3/')).status, 200)
})

test('what is wrong with a create is said, and what is over quota answers 413', async () => {
  const refuse = async (volume: object, status: number, message: RegExp) => {
    const answer = await cinder.ask('POST', '/v3/volumes', { body: { volume } })
    assert.equal(answer.status, status, answer.text)
    assert.match(answer.text, message)
  }
  await refuse({}, 400, /must be an integer and greater than 0/)
  await refuse({ size: 0 }, 400, /size/)
  await refuse({ size: 1, volume_type: 'none' }, 404, /Volume type with name none could not be found/)
  await refuse({ size: 1, snapshot_id: SERVER }, 404, /Snapshot/)
  await refuse({ size: 1, availability_zone: 'mars' }, 400, /Availability zone 'mars' is invalid/)
  await refuse({ size: 999 }, 413, /overLimit.*exceeds allowed gigabytes quota/)
})

test('lists filter, sort, page and count', async () => {
  const as = 'member@project-list'
  for (const name of ['c', 'a', 'b']) await makeVolume({ name, metadata: { of: name } }, { as })
  const names = async (query: string) => {
    const answer = await cinder.ask('GET', `/v3/volumes/detail?${query}`, { as })
    assert.equal(answer.status, 200, answer.text)
    return (answer.json.volumes as { name: string }[]).map((one) => one.name)
  }
  assert.deepEqual(await names('sort=name:asc'), ['a', 'b', 'c'])
  assert.deepEqual(await names('sort_key=display_name&sort_dir=desc'), ['c', 'b', 'a'])
  assert.deepEqual(await names(`metadata=${encodeURIComponent("{'of': 'b'}")}`), ['b'])
  assert.deepEqual(await names('name~=a'), ['a'])
  assert.deepEqual(await names('sort=name:asc&offset=1&limit=1'), ['b'])
  const page = (await cinder.ask('GET', '/v3/volumes?sort=name:asc&limit=2&with_count=true', { as })).json
  assert.equal(page.count, 3)
  const next = new URL(page.volumes_links[0].href)
  assert.deepEqual((await cinder.ask('GET', next.pathname + next.search, { as })).json.volumes.map((one: { name: string }) => one.name), ['c'])
  assert.equal((await cinder.ask('GET', '/v3/volumes?nonsense=1', { as })).status, 400)
  assert.equal((await cinder.ask('GET', '/v3/volumes?marker=nowhere', { as })).status, 404)
  assert.deepEqual((await cinder.ask('GET', '/v3/volumes/summary', { as })).json['volume-summary'], { total_count: 3, total_size: 3, metadata: { of: ['a', 'b', 'c'] } })
})

test('snapshots, clones, growing and going back', async () => {
  const id = await makeVolume()
  const host = cinder.backends.one.volumes.has(id) ? cinder.backends.one : cinder.backends.two
  const made = await cinder.ask('POST', '/v3/snapshots', { body: { snapshot: { volume_id: id, name: 's' } } })
  assert.equal(made.status, 202, made.text)
  const snapshot = made.json.snapshot.id as string
  const shown = (await cinder.until(`/v3/snapshots/${snapshot}`, 'available')).json.snapshot
  assert.equal(shown['os-extended-snapshot-attributes:progress'], '100%')
  assert.equal((await cinder.ask('DELETE', `/v3/volumes/${id}`)).status, 400)
  const clone = await makeVolume({ snapshot_id: snapshot, size: 2 })
  assert.equal(host.volumes.has(clone), true)
  const copy = await cinder.ask('POST', '/v3/volumes', { body: { volume: { source_volid: id } } })
  await cinder.until(`/v3/volumes/${copy.json.volume.id}`, 'available')
  assert.equal((await act(id, 'revert', { snapshot_id: snapshot })).status, 202)
  await cinder.until(`/v3/volumes/${id}`, 'available')
  await cinder.until(`/v3/snapshots/${snapshot}`, 'available')
  assert.equal((await act(id, 'os-extend', { new_size: 1 })).status, 400)
  assert.equal((await act(id, 'os-extend', { new_size: 3 })).status, 202)
  assert.equal((await cinder.until(`/v3/volumes/${id}`, 'available')).json.volume.size, 3)
  assert.equal((await act(id, 'revert', { snapshot_id: snapshot })).status, 400)
  assert.equal((await cinder.ask('DELETE', `/v3/volumes/${id}?cascade=true`)).status, 202)
  await cinder.until(`/v3/volumes/${id}`, '404')
  await cinder.until(`/v3/snapshots/${snapshot}`, '404')
})

test('an attachment reserves, connects, completes and lets go; the volume follows', async () => {
  const id = await makeVolume()
  const made = await cinder.ask('POST', '/v3/attachments', { body: { attachment: { volume_uuid: id, instance_uuid: SERVER } } })
  assert.equal(made.status, 200, made.text)
  const attachment = made.json.attachment.id as string
  assert.deepEqual([made.json.attachment.status, made.json.attachment.connection_info], ['reserved', {}])
  await cinder.until(`/v3/volumes/${id}`, 'reserved')
  assert.equal((await cinder.ask('POST', '/v3/attachments', { body: { attachment: { volume_uuid: id, instance_uuid: SERVER } } })).status, 400)
  const connector = { host: 'cmp1', multipath: false, platform: 'x86_64', os_type: 'linux', mountpoint: '/dev/vdb' }
  const updated = (await cinder.ask('PUT', `/v3/attachments/${attachment}`, { body: { attachment: { connector } } })).json.attachment
  assert.equal(updated.status, 'attaching')
  assert.deepEqual([updated.connection_info.driver_volume_type, updated.connection_info.volume_id, updated.connection_info.attachment_id], ['fake', id, attachment])
  assert.equal((await cinder.ask('POST', `/v3/attachments/${attachment}/action`, { body: { 'os-complete': null } })).status, 204)
  const volume = (await cinder.until(`/v3/volumes/${id}`, 'in-use')).json.volume
  assert.deepEqual(volume.attachments.map((one: Record<string, unknown>) => [one.server_id, one.attachment_id, one.device, one.host_name]), [[SERVER, attachment, '/dev/vdb', 'cmp1']])
  assert.equal((await cinder.ask('DELETE', `/v3/volumes/${id}`)).status, 400)

  // A16: while the server has the disk, only the compute service may.
  cinder.servers.set(SERVER, [id])
  for (const options of [{}, { as: 'admin' }]) assert.equal((await cinder.ask('DELETE', `/v3/attachments/${attachment}`, options)).status, 409)
  for (const action of ['os-detach', 'os-terminate_connection']) assert.equal((await act(id, action, { connector })).status, 409)
  assert.equal((await act(id, 'os-force_detach', {}, { as: 'admin' })).status, 409)
  assert.equal((await act(id, 'os-reset_status', { status: 'available', attach_status: 'detached' }, { as: 'admin' })).status, 400)
  const done = await cinder.ask('DELETE', `/v3/attachments/${attachment}`, { headers: { 'x-service-token': 'persona:service@service' } })
  assert.deepEqual([done.status, done.json], [200, { attachments: [] }])
  await cinder.until(`/v3/volumes/${id}`, 'available')
  const disks = [...cinder.backends.one.volumes, ...cinder.backends.two.volumes]
  assert.equal(disks.find(([one]) => one === id)?.[1].connections.size, 0)
})

test('attaching by actions writes the same record', async () => {
  const id = await makeVolume()
  assert.equal((await act(id, 'os-reserve')).status, 202)
  assert.equal((await act(id, 'os-reserve')).status, 400)
  assert.equal((await act(id, 'os-unreserve')).status, 202)
  assert.equal((await act(id, 'os-attach', { instance_uuid: SERVER, mountpoint: '/dev/vdc' })).status, 202)
  const volume = (await cinder.until(`/v3/volumes/${id}`, 'in-use')).json.volume
  assert.equal(volume.attachments[0].device, '/dev/vdc')
  assert.equal((await act(id, 'os-begin_detaching')).status, 202)
  assert.equal((await act(id, 'os-roll_detaching')).status, 202)
  const info = await act(id, 'os-initialize_connection', { connector: { host: 'h' } })
  assert.equal(info.status, 200, info.text)
  assert.equal(info.json.connection_info.driver_volume_type, 'fake')
  cinder.servers.set(SERVER, [])
  assert.equal((await act(id, 'os-detach', {})).status, 202)
  await cinder.until(`/v3/volumes/${id}`, 'available')
})

test('images become volumes and volumes images', async () => {
  const image = '5f1b2c3d-0000-4000-8000-0000000000aa'
  cinder.images.set(image, { image: { id: image, name: 'cirros', status: 'active', disk_format: 'raw', container_format: 'bare', size: 4096, virtual_size: null, min_disk: 0, min_ram: 0, checksum: 'x', hw_disk_bus: 'virtio' }, data: Buffer.alloc(4096, 'z') })
  const id = await makeVolume({ imageRef: image })
  const volume = (await cinder.ask('GET', `/v3/volumes/${id}`)).json.volume
  assert.deepEqual([volume.bootable, volume.volume_image_metadata.image_id, volume.volume_image_metadata.hw_disk_bus], ['true', image, 'virtio'])
  const sent = await act(id, 'os-volume_upload_image', { image_name: 'back', disk_format: 'raw' })
  assert.equal(sent.status, 202, sent.text)
  await cinder.until(`/v3/volumes/${id}`, 'available')
  const back = cinder.images.get(sent.json['os-volume_upload_image'].image_id)!
  assert.equal(back.image.status, 'active')
  assert.equal(back.data.subarray(0, 4096).equals(Buffer.alloc(4096, 'z')), true)
  assert.equal((await act(id, 'os-reimage', { image_id: image })).status, 202)
  await cinder.until(`/v3/volumes/${id}`, 'available')
})

test('a type chooses the backend, and retype and migrate move the volume', async () => {
  const as = 'admin'
  const make = async (name: string, backend: string) => {
    const made = await cinder.ask('POST', '/v3/types', { as, body: { volume_type: { name, extra_specs: { volume_backend_name: backend } } } })
    assert.equal(made.status, 200, made.text)
    return made.json.volume_type.id as string
  }
  const [one] = [await make('on-one', 'one'), await make('on-two', 'two')]
  assert.equal((await cinder.ask('POST', '/v3/types', { as, body: { volume_type: { name: 'on-one' } } })).status, 409)
  assert.equal((await cinder.ask('POST', '/v3/types', { body: { volume_type: { name: 'mine' } } })).status, 403)
  assert.equal((await cinder.ask('GET', `/v3/types/${one}`)).json.volume_type.extra_specs.volume_backend_name, undefined)
  const id = await makeVolume({ volume_type: 'on-two' })
  assert.equal(cinder.backends.two.volumes.has(id), true)
  const { writeBlocks } = await import('../drivers/fake/backend.ts')
  writeBlocks(cinder.backends.two.volumes.get(id)!.blocks, 0, Buffer.alloc(4096, 'm'))
  assert.equal((await act(id, 'os-retype', { new_type: 'on-one', migration_policy: 'never' })).status, 202)
  assert.equal((await cinder.until(`/v3/volumes/${id}`, 'available')).json.volume.volume_type, 'on-two')
  assert.equal((await act(id, 'os-retype', { new_type: 'on-one', migration_policy: 'on-demand' })).status, 202)
  assert.equal((await cinder.until(`/v3/volumes/${id}`, 'available')).json.volume.volume_type, 'on-one')
  // Its old place goes once it is in use at the new one.
  for (let turn = 0; turn < 5000 && cinder.backends.two.volumes.has(id); turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(cinder.backends.two.volumes.has(id), false)
  assert.deepEqual(Buffer.from(cinder.backends.one.volumes.get(id)!.blocks.get(0)!), Buffer.alloc(4096, 'm'))
  assert.equal((await act(id, 'os-migrate_volume', { host: 'test-host@two#two' }, { as })).status, 202)
  const moved = (await cinder.until(`/v3/volumes/${id}`, 'available', { as })).json.volume
  assert.deepEqual([moved['os-vol-host-attr:host'], moved.migration_status], ['test-host@two#two', 'success'])
})

test('a volume that no backend can take ends in error and tells why', async () => {
  const as = 'admin@project-err'
  await cinder.ask('POST', '/v3/types', { as, body: { volume_type: { name: 'nowhere', extra_specs: { volume_backend_name: 'none' } } } })
  const made = await cinder.ask('POST', '/v3/volumes', { as, body: { volume: { size: 1, volume_type: 'nowhere' } } })
  await cinder.until(`/v3/volumes/${made.json.volume.id}`, 'error', { as })
  assert.equal((await cinder.ask('POST', `/v3/volumes/${made.json.volume.id}/action`, { as, body: { 'os-force_delete': {} } })).status, 202)
  await cinder.until(`/v3/volumes/${made.json.volume.id}`, '404', { as })
})
