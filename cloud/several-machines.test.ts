/** One control plane and two machines for guests, with fake drivers: a bus, HTTP doors, and no database but the control plane's. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Cloud, startCloud } from './start-cloud.ts'
import { type Machine, startCompute } from './start-compute.ts'
import { type Ask, asking, eventually, sharedBus } from './test/machines-kit.ts'

// The tests know what they asked for.
// oxlint-disable-next-line no-explicit-any
type Json = any

const bus = sharedBus()
let dir: string
let configFile: string
let control: Cloud
let first: Machine
let second: Machine
let user: Ask
let admin: Ask

const compute = (host: string): Promise<Machine> => startCompute({ dataDir: join(dir, host), configFile, host, bus: bus.join, config: { control_url: control.url } })

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-machines-'))
  configFile = join(dir, 'ondol.yaml')
  await writeFile(join(dir, 'password'), 'between-us\n', { mode: 0o600 })
  // One file for all machines; each finds its own section.
  await writeFile(
    configFile,
    `role: control
service: { password_file: ${join(dir, 'password')} }
nova: { report_interval: 200, service_down_time: 3000, sync_power_interval: 500 }
hosts:
  c1: { role: compute, nova: { agent: { hosts: 2 } } }
  c2: { role: compute, neutron: { availability_zone: far } }
`,
  )
  control = await startCloud({ configFile, host: 'control', bus: bus.join })
  first = await compute('c1')
  second = await compute('c2')
  user = await asking(control, 'user')
  admin = await asking(control, 'admin')
})
after(async () => {
  await first?.close()
  await second?.close()
  await control?.close()
  await bus.close()
  await rm(dir, { recursive: true, force: true })
})

async function boot(name: string, host: string): Promise<string> {
  const { images } = (await user('GET', '/image/v2/images?name=ondol-guest')).json
  const { networks } = (await user('GET', '/networking/v2.0/networks?name=private')).json
  const made = await admin('POST', '/compute/v2.1/servers', { server: { name, imageRef: images[0].id, flavorRef: '42', networks: 'none', host } })
  assert.equal(made.status, 202, JSON.stringify(made.json))
  assert.ok(networks[0])
  return made.json.server.id
}
const show = async (id: string): Promise<Json> => (await admin('GET', `/compute/v2.1/servers/${id}`)).json.server
const settled = (id: string, status: string): Promise<Json> =>
  eventually(`${status} of ${id}`, async () => {
    const server = await show(id)
    assert.notEqual(server.status === 'ERROR' && status !== 'ERROR', true, JSON.stringify(server.fault))
    return server.status === status && server['OS-EXT-STS:task_state'] === null && server
  })

test('each machine runs what its role says', async () => {
  const { services } = (await admin('GET', '/compute/v2.1/os-services')).json
  assert.deepEqual(services.map((one: Json) => `${one.binary} ${one.host} ${one.state}`).sort(), ['nova-compute c1 up', 'nova-compute c1-2 up', 'nova-compute c2 up', 'nova-conductor control up', 'nova-scheduler control up'])
  const { agents } = (await admin('GET', '/networking/v2.0/agents')).json
  assert.deepEqual(agents.map((one: Json) => `${one.binary} ${one.host}`).sort(), [
    'neutron-dhcp-agent control', 'neutron-l3-agent control', 'neutron-linuxbridge-agent c1', 'neutron-linuxbridge-agent c1-2', 'neutron-linuxbridge-agent c2', 'neutron-linuxbridge-agent control', 'neutron-metadata-agent control',
  ])
  assert.equal(agents.find((one: Json) => one.host === 'c2').availability_zone, 'far')
  assert.deepEqual(first.agents, ['neutron', 'nova'])
})

test('guests boot on each machine, move between them cold and live, and go', async () => {
  const a = await boot('a', 'c1')
  const b = await boot('b', 'c2')
  assert.equal((await settled(a, 'ACTIVE'))['OS-EXT-SRV-ATTR:host'], 'c1')
  assert.equal((await settled(b, 'ACTIVE'))['OS-EXT-SRV-ATTR:host'], 'c2')
  assert.equal((await admin('POST', `/compute/v2.1/servers/${a}/action`, { 'os-migrateLive': { host: 'c1-2', block_migration: 'auto' } })).status, 202)
  await eventually('the guest at c1-2', async () => (await settled(a, 'ACTIVE'))['OS-EXT-SRV-ATTR:host'] === 'c1-2')
  assert.equal((await admin('POST', `/compute/v2.1/servers/${a}/action`, { migrate: { host: 'c2' } })).status, 202)
  await settled(a, 'VERIFY_RESIZE')
  assert.equal((await admin('POST', `/compute/v2.1/servers/${a}/action`, { confirmResize: null })).status, 204)
  assert.equal((await settled(a, 'ACTIVE'))['OS-EXT-SRV-ATTR:host'], 'c2')
  for (const id of [a, b]) assert.equal((await admin('DELETE', `/compute/v2.1/servers/${id}`)).status, 204)
  for (const id of [a, b]) await eventually('the guest gone', async () => (await admin('GET', `/compute/v2.1/servers/${id}`)).status === 404)
})

test('a machine whose agent ends is down, its guests are kept, and it comes back', async () => {
  const id = await boot('stays', 'c2')
  await settled(id, 'ACTIVE')
  await second.close()
  const state = async (): Promise<string> => (await admin('GET', '/compute/v2.1/os-services?host=c2')).json.services[0].state
  await eventually('c2 down', async () => (await state()) === 'down')
  assert.equal((await show(id)).status, 'ACTIVE')
  second = await compute('c2')
  await eventually('c2 up', async () => (await state()) === 'up')
  assert.equal((await admin('POST', `/compute/v2.1/servers/${id}/action`, { 'os-stop': null })).status, 202)
  await settled(id, 'SHUTOFF')
  await admin('DELETE', `/compute/v2.1/servers/${id}`)
  await eventually('the guest gone', async () => (await admin('GET', `/compute/v2.1/servers/${id}`)).status === 404)
})

test('a wrong password is said, not hidden', async () => {
  await assert.rejects(startCompute({ dataDir: join(dir, 'c3'), host: 'c3', bus: bus.join, config: { control_url: control.url } }), /service\.password/)
  await writeFile(join(dir, 'open'), 'x', { mode: 0o644 })
  await assert.rejects(startCompute({ dataDir: join(dir, 'c3'), host: 'c3', bus: bus.join, config: { control_url: control.url, 'service.password_file': join(dir, 'open') } }), /chmod 0600/)
})
