import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RequestOptions } from '#stack/test/house-kit.ts'
import { type CinderKit, cinderKit } from './cinder-kit.ts'

let cinder: CinderKit
const admin = { as: 'admin' }

before(async () => {
  cinder = await cinderKit({ quota_volumes: 50 })
})
after(() => cinder.close())

async function ok(method: string, path: string, body?: unknown, options: RequestOptions = {}) {
  const answer = await cinder.ask(method, `/v3${path}`, { ...options, ...(body === undefined ? {} : { body }) })
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`)
  return answer.json
}

async function makeVolume(fields: object = {}, options: RequestOptions = {}): Promise<string> {
  const { volume } = await ok('POST', '/volumes', { volume: { size: 1, ...fields } }, options)
  await cinder.until(`/v3/volumes/${volume.id}`, 'available', options)
  return volume.id as string
}

test('quotas are limits and what rows say of their use; types have their own', async () => {
  const as = 'member@quota'
  await ok('PUT', '/os-quota-sets/quota', { quota_set: { volumes: 2, gigabytes: 10, volumes___DEFAULT__: 1 } }, admin)
  await makeVolume({}, { as })
  const { quota_set } = await ok('GET', '/os-quota-sets/quota?usage=True', undefined, { as })
  assert.deepEqual([quota_set.volumes, quota_set.gigabytes.in_use, quota_set.volumes___DEFAULT__.in_use], [{ limit: 2, in_use: 1, reserved: 0, allocated: 0 }, 1, 1])
  const refused = await cinder.ask('POST', '/v3/volumes', { as, body: { volume: { size: 1 } } })
  assert.deepEqual([refused.status, refused.headers['retry-after']], [413, '0'])
  assert.match(refused.json.overLimit.message, /'volumes___DEFAULT__'/)
  assert.equal((await cinder.ask('PUT', '/v3/os-quota-sets/quota', { as, body: { quota_set: { volumes: 9 } } })).status, 403)
  assert.equal((await cinder.ask('PUT', '/v3/os-quota-sets/quota', { ...admin, body: { quota_set: { nonsense: 9 } } })).status, 400)
  assert.equal((await cinder.ask('PUT', '/v3/os-quota-sets/quota', { ...admin, body: { quota_set: { volumes: -2 } } })).status, 400)
  await ok('DELETE', '/os-quota-sets/quota', undefined, admin)
  assert.equal((await ok('GET', '/os-quota-sets/quota', undefined, { as })).quota_set.volumes, 50)
  await ok('PUT', '/os-quota-class-sets/default', { quota_class_set: { backups: 7 } }, admin)
  assert.equal((await ok('GET', '/limits', undefined, { as })).limits.absolute.maxTotalBackups, 7)
})

test('services, hosts, pools and capabilities say what agents reported; a disabled backend gets nothing', async () => {
  const { services } = await ok('GET', '/os-services', undefined, admin)
  assert.deepEqual(services.map((one: Record<string, string>) => [one.binary, one.host, one.state]), [['cinder-backup', 'test-host', 'up'], ['cinder-scheduler', 'test-host', 'up'], ['cinder-volume', 'test-host@one', 'up'], ['cinder-volume', 'test-host@two', 'up']])
  await ok('PUT', '/os-services/disable-log-reason', { host: 'test-host@one', binary: 'cinder-volume', disabled_reason: 'broken' }, admin)
  const id = await makeVolume()
  assert.equal(cinder.backends.two.volumes.has(id), true)
  await ok('PUT', '/os-services/enable', { host: 'test-host@one', binary: 'cinder-volume' }, admin)
  assert.equal((await cinder.ask('PUT', '/v3/os-services/enable', { ...admin, body: { host: 'nowhere', binary: 'cinder-volume' } })).status, 404)
  assert.deepEqual((await ok('GET', '/scheduler-stats/get_pools', undefined, admin)).pools, [{ name: 'test-host@one#one' }, { name: 'test-host@two#two' }])
  assert.equal((await ok('GET', '/capabilities/test-host@one', undefined, admin)).volume_backend_name, 'one')
  assert.equal((await ok('GET', '/os-hosts/test-host@two', undefined, admin)).host[0].resource.volume_count, '1')
  assert.equal((await cinder.ask('PUT', '/v3/os-services/failover_host', { ...admin, body: { host: 'test-host@one' } })).status, 501)
})

test('quality of service is tied to types, and to one only', async () => {
  const { qos_specs } = await ok('POST', '/qos-specs', { qos_specs: { name: 'gold', consumer: 'front-end', total_iops_sec: '500' } }, admin)
  const { volume_type } = await ok('POST', '/types', { volume_type: { name: 'gold' } }, admin)
  await ok('GET', `/qos-specs/${qos_specs.id}/associate?vol_type_id=${volume_type.id}`, undefined, admin)
  assert.equal((await ok('GET', `/types/${volume_type.id}`, undefined, admin)).volume_type.qos_specs_id, qos_specs.id)
  assert.equal((await cinder.ask('DELETE', `/v3/qos-specs/${qos_specs.id}`, admin)).status, 400)
  await ok('PUT', `/qos-specs/${qos_specs.id}/delete_keys`, { keys: ['total_iops_sec'] }, admin)
  await ok('DELETE', `/qos-specs/${qos_specs.id}?force=True`, undefined, admin)
  assert.equal((await ok('GET', `/types/${volume_type.id}`, undefined, admin)).volume_type.qos_specs_id, null)
})

test('private types are for those who have access', async () => {
  const { volume_type } = await ok('POST', '/types', { volume_type: { name: 'secret', 'os-volume-type-access:is_public': false } }, admin)
  assert.equal((await cinder.ask('POST', '/v3/volumes', { body: { volume: { size: 1, volume_type: 'secret' } } })).status, 404)
  await ok('POST', `/types/${volume_type.id}/action`, { addProjectAccess: { project: 'project-a' } }, admin)
  const id = await makeVolume({ volume_type: 'secret' })
  assert.equal((await cinder.ask('GET', `/v3/types/${volume_type.id}`, { as: 'member@project-b' })).status, 404)
  assert.equal((await cinder.ask('DELETE', `/v3/types/${volume_type.id}`, admin)).status, 400)
  await ok('POST', `/volumes/${id}/action`, { 'os-force_delete': {} }, admin)
})

test('a volume is given to whoever has the key', async () => {
  const id = await makeVolume()
  const { transfer } = await ok('POST', '/volume-transfers', { transfer: { volume_id: id, name: 'gift' } })
  assert.equal((await cinder.ask('DELETE', `/v3/volumes/${id}`)).status, 400)
  const other = { as: 'member@project-b' }
  assert.equal((await cinder.ask('GET', `/v3/volume-transfers/${transfer.id}`, other)).status, 404)
  assert.equal((await cinder.ask('POST', `/v3/volume-transfers/${transfer.id}/accept`, { ...other, body: { accept: { auth_key: 'wrong' } } })).status, 400)
  await ok('POST', `/volume-transfers/${transfer.id}/accept`, { accept: { auth_key: transfer.auth_key } }, other)
  assert.equal((await cinder.ask('POST', `/v3/volume-transfers/${transfer.id}/accept`, { ...other, body: { accept: { auth_key: transfer.auth_key } } })).status, 404)
  assert.equal((await cinder.ask('GET', `/v3/volumes/${id}`)).status, 404)
  assert.equal((await ok('GET', `/volumes/${id}`, undefined, other)).volume['os-vol-tenant-attr:tenant_id'], 'project-b')
})

test('a backup holds what changed since the one before, and comes back whole', async () => {
  const id = await makeVolume({ metadata: { k: 'v' } })
  const disk = (cinder.backends.one.volumes.get(id) ?? cinder.backends.two.volumes.get(id))!
  const { writeBlocks, readBlocks } = await import('../drivers/fake/backend.ts')
  writeBlocks(disk.blocks, 0, Buffer.alloc(4096, 'a'))
  const first = (await ok('POST', '/backups', { backup: { volume_id: id, name: 'full' } })).backup.id as string
  await cinder.until(`/v3/backups/${first}`, 'available')
  writeBlocks(disk.blocks, 8 * 2 ** 20, Buffer.alloc(4096, 'b'))
  const second = (await ok('POST', '/backups', { backup: { volume_id: id, incremental: true } })).backup.id as string
  const shown = (await cinder.until(`/v3/backups/${second}`, 'available')).json.backup
  assert.deepEqual([shown.is_incremental, shown.object_count], [true, 1])
  assert.equal((await cinder.ask('DELETE', `/v3/backups/${first}`)).status, 400)
  const { restore } = await ok('POST', `/backups/${second}/restore`, { restore: { name: 'back' } })
  const back = (await cinder.until(`/v3/volumes/${restore.volume_id}`, 'available')).json.volume
  assert.deepEqual([back.name, back.metadata], ['back', { k: 'v' }])
  const restored = (cinder.backends.one.volumes.get(back.id) ?? cinder.backends.two.volumes.get(back.id))!
  assert.deepEqual([readBlocks(restored.blocks, 0, 4096).toString('latin1', 0, 1), readBlocks(restored.blocks, 8 * 2 ** 20, 4096).toString('latin1', 0, 1)], ['a', 'b'])

  // The record may leave the cloud and come back under another id; the bytes go with the last that names them.
  const record = (await ok('GET', `/backups/${first}/export_record`, undefined, admin))['backup-record']
  const url = { ...JSON.parse(Buffer.from(record.backup_url, 'base64').toString()), id: '5f1b2c3d-0000-4000-8000-0000000000bb' }
  await ok('POST', '/backups/import_record', { 'backup-record': { ...record, backup_url: Buffer.from(JSON.stringify(url)).toString('base64') } }, admin)
  assert.equal((await cinder.ask('POST', '/v3/backups/import_record', { ...admin, body: { 'backup-record': { ...record, backup_url: 'nonsense' } } })).status, 400)
  for (const one of [second, first]) {
    await ok('DELETE', `/backups/${one}`)
    await cinder.until(`/v3/backups/${one}`, '404')
  }
  const again = await ok('POST', `/backups/${url.id}/restore`, { restore: {} }, admin)
  await cinder.until(`/v3/volumes/${again.restore.volume_id}`, 'available', admin)
})

test('groups hold volumes on one backend, and are snapshotted and copied as one', async () => {
  const { group_type } = await ok('POST', '/group_types', { group_type: { name: 'gt', group_specs: { a: 'b' } } }, admin)
  const { volume_type } = await ok('GET', '/types/default')
  const { group } = await ok('POST', '/groups', { group: { name: 'g', group_type: group_type.id, volume_types: [volume_type.id] } })
  await cinder.until(`/v3/groups/${group.id}`, 'available')
  const inside = [await makeVolume({ group_id: group.id }), await makeVolume({ group_id: group.id })]
  assert.equal(inside.every((id) => cinder.backends.one.volumes.has(id)) || inside.every((id) => cinder.backends.two.volumes.has(id)), true)
  assert.equal((await cinder.ask('DELETE', `/v3/volumes/${inside[0]}`)).status, 400)
  const { group_snapshot } = await ok('POST', '/group_snapshots', { group_snapshot: { name: 's', group_id: group.id } })
  await cinder.until(`/v3/group_snapshots/${group_snapshot.id}`, 'available')
  const snapshots = (await ok('GET', `/snapshots/detail?group_snapshot_id=${group_snapshot.id}`)).snapshots as { status: string }[]
  assert.deepEqual(snapshots.map((one) => one.status), ['available', 'available'])
  const copy = (await ok('POST', '/groups/action', { 'create-from-src': { name: 'c', group_snapshot_id: group_snapshot.id } })).group
  await cinder.until(`/v3/groups/${copy.id}`, 'available')
  assert.equal((await ok('GET', `/groups/${copy.id}?list_volume=True`)).group.volumes.length, 2)
  await ok('PUT', `/groups/${group.id}`, { group: { remove_volumes: inside[1] } })
  assert.equal((await cinder.ask('POST', `/v3/groups/${group.id}/action`, { body: { delete: { 'delete-volumes': true } } })).status, 400)
  await ok('DELETE', `/group_snapshots/${group_snapshot.id}`)
  await cinder.until(`/v3/group_snapshots/${group_snapshot.id}`, '404')
  await ok('POST', `/groups/${group.id}/action`, { delete: { 'delete-volumes': true } })
  await cinder.until(`/v3/groups/${group.id}`, '404')
  await cinder.until(`/v3/volumes/${inside[0]}`, '404')
  const old = await ok('POST', '/consistencygroups', { consistencygroup: { name: 'cg', volume_types: volume_type.id } })
  await cinder.until(`/v3/consistencygroups/${old.consistencygroup.id}`, 'available')
  assert.deepEqual((await ok('GET', '/consistencygroups')).consistencygroups.map((one: { name: string }) => one.name), ['cg'])
})

test('metadata is read and changed pair by pair', async () => {
  const id = await makeVolume({ metadata: { a: '1' } })
  const path = `/volumes/${id}/metadata`
  assert.deepEqual(await ok('POST', path, { metadata: { b: '2' } }), { metadata: { a: '1', b: '2' } })
  assert.deepEqual(await ok('PUT', `${path}/b`, { meta: { b: '3' } }), { meta: { b: '3' } })
  assert.equal((await cinder.ask('PUT', `/v3${path}/b`, { body: { meta: { c: '3' } } })).status, 400)
  assert.equal((await cinder.ask('POST', `/v3${path}`, { body: { metadata: { '': 'x' } } })).status, 400)
  assert.equal((await cinder.ask('POST', `/v3${path}`, { body: { metadata: { long: 'x'.repeat(256) } } })).status, 400)
  await ok('DELETE', `${path}/a`)
  assert.equal((await cinder.ask('GET', `/v3${path}/a`)).status, 404)
  assert.deepEqual(await ok('PUT', path, { metadata: {} }), { metadata: {} })
})

test('default types belong to projects', async () => {
  const { volume_type } = await ok('POST', '/types', { volume_type: { name: 'theirs' } }, admin)
  await ok('PUT', '/default-types/project-d', { default_type: { volume_type: 'theirs' } }, admin)
  assert.equal((await ok('GET', '/types/default', undefined, { as: 'member@project-d' })).volume_type.id, volume_type.id)
  await ok('DELETE', '/default-types/project-d', undefined, admin)
  assert.equal((await cinder.ask('GET', '/v3/default-types/project-d', admin)).status, 404)
})

test('A15: nothing of another project can be seen, changed or used', async () => {
  const volume = await makeVolume()
  const snapshot = (await ok('POST', '/snapshots', { snapshot: { volume_id: volume } })).snapshot.id as string
  await cinder.until(`/v3/snapshots/${snapshot}`, 'available')
  const backup = (await ok('POST', '/backups', { backup: { volume_id: volume } })).backup.id as string
  await cinder.until(`/v3/backups/${backup}`, 'available')
  await cinder.until(`/v3/volumes/${volume}`, 'available')
  const attachment = (await ok('POST', '/attachments', { attachment: { volume_uuid: volume } })).attachment.id as string
  const other = { as: 'member@project-b' }
  const tries: [string, string, unknown?][] = [
    ['GET', `/volumes/${volume}`],
    ['PUT', `/volumes/${volume}`, { volume: { name: 'mine' } }],
    ['DELETE', `/volumes/${volume}`],
    ['POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: 5 } }],
    ['POST', `/volumes/${volume}/metadata`, { metadata: { a: 'b' } }],
    ['POST', '/volumes', { volume: { size: 1, source_volid: volume } }],
    ['POST', '/volumes', { volume: { size: 1, snapshot_id: snapshot } }],
    ['POST', '/volumes', { volume: { size: 1, backup_id: backup } }],
    ['POST', '/snapshots', { snapshot: { volume_id: volume } }],
    ['GET', `/snapshots/${snapshot}`],
    ['PUT', `/snapshots/${snapshot}`, { snapshot: { name: 'mine' } }],
    ['DELETE', `/snapshots/${snapshot}`],
    ['POST', '/backups', { backup: { volume_id: volume } }],
    ['GET', `/backups/${backup}`],
    ['POST', `/backups/${backup}/restore`, { restore: {} }],
    ['DELETE', `/backups/${backup}`],
    ['POST', '/attachments', { attachment: { volume_uuid: volume } }],
    ['GET', `/attachments/${attachment}`],
    ['PUT', `/attachments/${attachment}`, { attachment: { connector: { host: 'h' } } }],
    ['DELETE', `/attachments/${attachment}`],
    ['POST', '/volume-transfers', { transfer: { volume_id: volume } }],
  ]
  for (const [method, path, body] of tries) assert.equal((await cinder.ask(method, `/v3${path}`, { ...other, ...(body === undefined ? {} : { body }) })).status, 404, `${method} ${path} ${JSON.stringify(body)}`)
  assert.equal((await ok('GET', `/volumes/${volume}`)).volume.name, null)
  for (const list of ['volumes', 'snapshots', 'backups', 'attachments']) assert.equal((await ok('GET', `/${list}?all_tenants=1`, undefined, other))[list].some((one: { id: string }) => [volume, snapshot, backup, attachment].includes(one.id)), false, list)
})
