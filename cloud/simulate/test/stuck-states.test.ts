/**
 * States in which users of other clouds get stuck, one scenario each. All houses' production code runs under a virtual clock, and after
 * each the invariants of the simulation hold too.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { fakeDriver } from '#nova/drivers/fake/driver.ts'
import { FakeHost } from '#nova/drivers/fake/host.ts'
import { world } from '#base/world.ts'
import type { Answer } from '../operations.ts'
import { type Lab, openLab } from './lab.ts'

const MINUTE = 60_000
/** A dead worker's lease, and the pause of those who look for orphans. */
const TAKEN_OVER = 30_000

let lab: Lab
before(async () => {
  lab = await openLab()
})
after(() => lab.close())
afterEach(async () => {
  Object.assign(lab.weather, { lose: 0, double: 0, delay: 0 })
  lab.failing.clear()
  await lab.clock.advance(2 * MINUTE)
  assert.deepEqual(await lab.broken(), [])
})

const good = (answer: Answer, ...statuses: number[]): Answer => {
  assert.ok(statuses.length === 0 ? answer.status < 300 : statuses.includes(answer.status), `${answer.status} ${answer.text}`)
  return answer
}
const nova = (method: string, path: string, body?: unknown): Promise<Answer> => lab.ask(lab.user.hands.nova(method, path, body))
const cinder = (method: string, path: string, body?: unknown): Promise<Answer> => lab.ask(lab.user.hands.cinder(method, path, body))
const neutron = (method: string, path: string, body?: unknown): Promise<Answer> => lab.ask(lab.user.hands.neutron(method, path, body))
const operator = (method: string, path: string, body?: unknown): Promise<Answer> => lab.ask(lab.user.hands.operator(method, path, body))

interface Server {
  status: string
  fault?: { message: string }
  'OS-EXT-SRV-ATTR:host': string
}
const serverOf = async (id: string): Promise<Server | undefined> => {
  const { status, json } = await operator('GET', `/servers/${id}`)
  return status === 404 ? undefined : (json.server as Server)
}
async function begun(): Promise<string> {
  const { hands } = lab.user
  return good(await nova('POST', '/servers', { server: { name: 's', flavorRef: '42', imageRef: hands.image, networks: [{ uuid: hands.network }] } })).json.server.id as string
}
const ended = (id: string, limit: number): Promise<Server> => lab.until(`server ${id} out of BUILD`, limit, async () => {
  const server = await serverOf(id)
  return server && server.status !== 'BUILD' && server
})
async function booted(): Promise<string> {
  const id = await begun()
  assert.equal((await ended(id, MINUTE)).status, 'ACTIVE')
  return id
}
async function remove(id: string, limit = TAKEN_OVER): Promise<void> {
  good(await nova('DELETE', `/servers/${id}`), 204)
  await lab.until(`server ${id} gone`, limit, async () => (await serverOf(id)) === undefined)
}
const volumeStatus = async (id: string): Promise<string> => (await cinder('GET', `/volumes/${id}`)).json.volume.status as string
const volumeIs = (id: string, wanted: string, limit = MINUTE): Promise<true> => lab.until(`volume ${id} ${wanted}`, limit, async () => (await volumeStatus(id)) === wanted)
async function volume(): Promise<string> {
  const id = good(await cinder('POST', '/volumes', { volume: { size: 1 } })).json.volume.id as string
  await volumeIs(id, 'available')
  return id
}
const attach = (server: string, id: string): Promise<Answer> => nova('POST', `/servers/${server}/os-volume_attachments`, { volumeAttachment: { volumeId: id } })
async function allocationsOf(consumer: string): Promise<number> {
  const rows = await lab.cloud.db.as<{ placement_allocations: { consumer_uuid: string } }>().query.selectFrom('placement_allocations').select('consumer_uuid').where('consumer_uuid', '=', consumer).execute()
  return rows.length
}
async function agentOf(id: string): Promise<string> {
  const { 'OS-EXT-SRV-ATTR:host': host } = (await serverOf(id))!
  const nodes = await lab.cloud.db.as<{ nova_compute_nodes: { uuid: string; hypervisor_hostname: string } }>().query.selectFrom('nova_compute_nodes').selectAll().where('hypervisor_hostname', '=', host).execute()
  return `nova.compute.${nodes[0]!.uuid}`
}

test('S1 a server is deleted although its worker dies at any step', async () => {
  const steps = await lab.atEveryStep('delete-server', 'die', async () => remove(await booted()))
  assert.ok(steps >= 1)
})

test('S1 a server is deleted although the agent of its host dies meanwhile', async () => {
  const id = await booted()
  lab.bus.die(await agentOf(id), 20_000)
  await remove(id, 2 * MINUTE)
})

test('S2 a server whose hosts never answer ends in ERROR with a reason, and is deleted then', async () => {
  lab.failing.add('ensureGuest')
  const id = await begun()
  const server = await ended(id, 15 * MINUTE)
  assert.equal(server.status, 'ERROR')
  assert.ok(server.fault!.message.length > 0)
  lab.failing.clear()
  await remove(id)
})

test('S2 what was answered 202 is durable: the server and its operation are rows by then', async () => {
  const id = await begun()
  const rows = await lab.cloud.db.as<{ flows: { resource_id: string } }>().query.selectFrom('flows').select('resource_id').where('resource_id', '=', id).execute()
  assert.equal(rows.length, 1)
  await ended(id, MINUTE)
  await remove(id)
})

test('S3 a worker that dies at any step of a boot is replaced, and one server comes of it', async () => {
  const steps = await lab.atEveryStep('create-server', 'die', async (step) => {
    const id = await begun()
    assert.equal((await ended(id, TAKEN_OVER + MINUTE)).status, 'ACTIVE', step)
    await remove(id)
  })
  assert.ok(steps >= 3)
})

test('S3 no message needs to arrive: with three of four lost, operations end', async () => {
  Object.assign(lab.weather, { lose: 0.75 })
  const id = await begun()
  const { status } = await ended(id, 20 * MINUTE)
  assert.match(status, /^(ACTIVE|ERROR)$/)
  await remove(id, 20 * MINUTE)
})

test('S4 a boot that fails at any step leaves no allocation', async () => {
  await lab.atEveryStep('create-server', 'fail', async (step) => {
    const id = await begun()
    const { status } = await ended(id, 5 * MINUTE)
    if (status === 'ERROR') assert.equal(await allocationsOf(id), 0, step)
    await remove(id)
    assert.equal(await allocationsOf(id), 0, step)
  })
})

for (const how of ['die', 'fail'] as const) {
  test(`S5 a resize whose worker ${how === 'die' ? 'dies' : 'fails'} at any step holds one place or, until confirmed, two`, async () => {
    await lab.atEveryStep('resize-server', how, async (step) => {
      const id = await booted()
      good(await nova('POST', `/servers/${id}/action`, { resize: { flavorRef: '84' } }), 202)
      const { status } = await lab.until('resize ended', 5 * MINUTE, async () => {
        const server = await serverOf(id)
        return server && server.status !== 'RESIZE' && server
      })
      if (status === 'VERIFY_RESIZE') {
        good(await nova('POST', `/servers/${id}/action`, { confirmResize: null }), 204)
        await lab.until('confirmed', MINUTE, async () => (await serverOf(id))!.status === 'ACTIVE')
      } else assert.equal(status, 'ACTIVE', step)
      await remove(id)
    })
  })
}

for (const how of ['die', 'fail'] as const) {
  test(`S6 a volume is not left attaching when the worker ${how === 'die' ? 'dies' : 'fails'} at any step`, async () => {
    const id = await booted()
    const disk = await volume()
    await lab.atEveryStep('attach-volume', how, async (step) => {
      good(await attach(id, disk))
      const status = await lab.until(`attached or let go: ${step}`, 2 * MINUTE, async () => {
        const now = await volumeStatus(disk)
        return (now === 'in-use' || now === 'available') && now
      })
      if (status === 'available') return
      good(await nova('DELETE', `/servers/${id}/os-volume_attachments/${disk}`), 202)
      await volumeIs(disk, 'available')
    })
    await remove(id)
    good(await cinder('DELETE', `/volumes/${disk}`))
  })
}

test('S6 S7 a volume that a server uses is not attached twice, and its user cannot take it away through Cinder', async () => {
  const [one, two, disk] = [await booted(), await booted(), await volume()]
  good(await attach(one, disk))
  await volumeIs(disk, 'in-use')
  good(await attach(two, disk), 400, 409)
  const rows = await lab.cloud.db.as<{ cinder_attachments: { id: string; volume_id: string } }>().query.selectFrom('cinder_attachments').select('id').where('volume_id', '=', disk).execute()
  assert.equal(rows.length, 1)
  good(await cinder('DELETE', `/attachments/${rows[0]!.id}`), 409)
  good(await cinder('POST', `/volumes/${disk}/action`, { 'os-detach': { attachment_id: rows[0]!.id } }), 400, 403, 409)
  good(await cinder('DELETE', `/volumes/${disk}`), 400)
  assert.equal(await volumeStatus(disk), 'in-use')
  await remove(one)
  await remove(two)
  await volumeIs(disk, 'available')
})

test('S8 the volume of a deleted server is free, also when its worker dies at any step', async () => {
  const disk = await volume()
  await lab.atEveryStep('delete-server', 'die', async () => {
    const id = await booted()
    good(await attach(id, disk))
    await volumeIs(disk, 'in-use')
    await remove(id)
    await volumeIs(disk, 'available', TAKEN_OVER)
  })
})

test('S10 a port is wired and a server boots although the first messages of it are lost', async () => {
  Object.assign(lab.weather, { lose: 1 })
  const id = await begun()
  await lab.clock.advance(3_000)
  Object.assign(lab.weather, { lose: 0 })
  assert.equal((await ended(id, 5 * MINUTE)).status, 'ACTIVE')
  await remove(id)
})

test('S11 a floating IP that could not be made leaves no port', async () => {
  const { external } = lab.user.hands
  const count = async (): Promise<number> => (await lab.cloud.db.as<{ neutron_ports: { device_owner: string } }>().query.selectFrom('neutron_ports').select('device_owner').where('device_owner', '=', 'network:floatingip').execute()).length
  const had = await count()
  const lonely = good(await neutron('POST', '/networks', { network: { name: 'lonely' } })).json.network.id as string
  good(await neutron('POST', '/subnets', { subnet: { network_id: lonely, ip_version: 4, cidr: '172.31.0.0/24' } }))
  const port = good(await neutron('POST', '/ports', { port: { network_id: lonely } })).json.port.id as string
  // No router leads there.
  good(await neutron('POST', '/floatingips', { floatingip: { floating_network_id: external, port_id: port } }), 400, 404, 409)
  assert.equal(await count(), had)
  good(await neutron('DELETE', `/ports/${port}`), 204)
})

test('S14 quota is counted from rows: many at once reach the limit and not one more', async () => {
  const { hands, project } = lab.user
  const before = (await operator('GET', `/os-quota-sets/${project}/detail`)).json.quota_set.instances as { in_use: number; limit: number }
  good(await operator('PUT', `/os-quota-sets/${project}`, { quota_set: { instances: before.in_use + 3 } }))
  const asked = Promise.all(Array.from({ length: 8 }, () => hands.nova('POST', '/servers', { server: { name: 's', flavorRef: '42', imageRef: hands.image, networks: [{ uuid: hands.network }] } })))
  let done = false
  void asked.finally(() => (done = true))
  while (!done) await lab.clock.advance(100)
  const answers = await asked
  assert.deepEqual(answers.map(({ status }) => status).sort(), [202, 202, 202, 403, 403, 403, 403, 403])
  for (const { json } of answers) if (json.server) await ended(json.server.id as string, MINUTE).then(() => remove(json.server.id as string))
  const now = (await operator('GET', `/os-quota-sets/${project}/detail`)).json.quota_set.instances as { in_use: number }
  assert.equal(now.in_use, before.in_use)
  good(await operator('PUT', `/os-quota-sets/${project}`, { quota_set: { instances: before.limit } }))
})

test('S15 no guest is destroyed in the name of another host', async () => {
  const host = new FakeHost({ hostname: 'renamed', host_id: 'the-stored-id' })
  const driver = fakeDriver(world(), host)
  host.guests.set('a-guest', { power_state: 'running', spec: { server_id: 'a-guest' } } as never)
  await assert.rejects(driver.ensureNoGuest({ server_id: 'a-guest', host_id: 'id-of-another' }), /another host/)
  assert.equal(host.guests.size, 1)
  await driver.close()
})
