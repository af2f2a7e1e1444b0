/**
 * Two control processes on one database and one bus, and a machine for guests that knows only the first's door: what one began the other ends, and
 * a broker that comes back finds everything running within five seconds.
 */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Rabbitmq, startRabbitmq } from '#base/bus/test/rabbitmq.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import type { SqlServer } from '#base/sql/test/server.ts'
import { type Cloud, startCloud } from './start-cloud.ts'
import { type Machine, startCompute } from './start-compute.ts'
import { type Ask, asking, eventually } from './test/machines-kit.ts'

// The tests know what they asked for.
// oxlint-disable-next-line no-explicit-any
type Json = any

const [postgres, rabbit] = (await Promise.all([startPostgres(), startRabbitmq()])) as [SqlServer | undefined, Rabbitmq | undefined]
after(async () => {
  await rabbit?.stop()
  await postgres?.stop()
})

describe('two control processes', { skip: postgres && rabbit ? false : 'PostgreSQL or RabbitMQ is not installed' }, () => {
  let dir: string
  let controls: Cloud[]
  let machine: Machine
  let asks: Ask[]

  const control = (name: string, more: object = {}): Promise<Cloud> => startCloud({ dataDir: join(dir, name), host: name, config: { ...settings, role: 'control', shared_dir: join(dir, 'shared'), 'http.public_url': 'https://cloud.example.org/', ...more } })
  let settings: Record<string, unknown>
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ondol-controls-'))
    settings = { 'database.url': await postgres!.createDatabase(), 'bus.url': rabbit!.url, 'service.password': 'between us', 'nova.report_interval': 500, 'nova.service_down_time': 3_000, 'flows.lease_seconds': 3 }
    // At the same moment, on nothing at all: one of them makes each thing.
    controls = await Promise.all([control('one'), control('two', { 'agents.network': 'none' })])
    machine = await startCompute({ dataDir: join(dir, 'c1'), host: 'c1', config: { 'bus.url': rabbit!.url, 'service.password': 'between us', control_url: controls[0]!.localUrl, 'nova.report_interval': 500 } })
    asks = await Promise.all(controls.map((one) => asking(one, 'admin')))
  })
  after(async () => {
    await machine?.close()
    for (const one of controls ?? []) await one.close()
    await rm(dir, { recursive: true, force: true })
  })

  const boot = async (ask: Ask, name: string): Promise<string> => {
    const { images } = (await ask('GET', '/image/v2/images?name=ondol-guest')).json
    const made = await ask('POST', '/compute/v2.1/servers', { server: { name, imageRef: images[0].id, flavorRef: '42', networks: 'none' } })
    assert.equal(made.status, 202, JSON.stringify(made.json))
    return made.json.server.id
  }
  const active = (ask: Ask, id: string): Promise<Json> =>
    eventually('ACTIVE', async () => {
      const { server } = (await ask('GET', `/compute/v2.1/servers/${id}`)).json
      if (server.status === 'ERROR') throw new Error(JSON.stringify(server.fault))
      return server.status === 'ACTIVE' && server
    })

  it('made one cloud: one seed, one set of keys and passwords, and links that name the proxy', async () => {
    const [one, two] = asks as [Ask, Ask]
    for (const ask of [one, two]) {
      assert.equal((await ask('GET', '/networking/v2.0/networks?name=public')).json.networks.length, 1)
      assert.equal((await ask('GET', '/compute/v2.1/flavors')).json.flavors.length, 7)
      assert.equal((await ask('GET', '/image/v2/images?name=ondol-guest')).json.images.filter((image: Json) => image.status === 'active').length, 1)
      const { links } = (await ask('GET', '/compute/v2.1/flavors/42')).json.flavor
      assert.equal(links[0].href, 'https://cloud.example.org/compute/v2.1/flavors/42')
    }
    const secrets = JSON.parse(await readFile(join(dir, 'shared', 'secrets.json'), 'utf8'))
    assert.equal(controls[1]!.credentials.admin.password.reveal(), secrets['user:admin'])
    const { services } = (await one('GET', '/compute/v2.1/os-services')).json
    assert.deepEqual(services.map((each: Json) => `${each.binary} ${each.host}`).sort(), ['nova-compute c1', 'nova-conductor one', 'nova-conductor two', 'nova-scheduler one', 'nova-scheduler two'])
  })

  it('share tokens and work', async () => {
    const ids = await Promise.all([0, 1, 0, 1, 0, 1].map((which, i) => boot(asks[which]!, `s${i}`)))
    for (const [i, id] of ids.entries()) await active(asks[(i + 1) % 2]!, id)
    for (const id of ids) assert.equal((await asks[1]!('DELETE', `/compute/v2.1/servers/${id}`)).status, 204)
    for (const id of ids) await eventually('gone', async () => (await asks[0]!('GET', `/compute/v2.1/servers/${id}`)).status === 404)
  })

  it('together give away no more than there is: servers of a quota, addresses of a network', async () => {
    const [one] = asks as [Ask, Ask]
    const { images } = (await one('GET', '/image/v2/images?name=ondol-guest')).json
    const spread = <T>(count: number, work: (ask: Ask, i: number) => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: count }, (_, i) => work(asks[i % 2]!, i)))
    const project = (await one('GET', '/identity/v3/auth/projects')).json.projects.find((each: Json) => each.name === 'admin').id
    assert.equal((await one('PUT', `/compute/v2.1/os-quota-sets/${project}`, { quota_set: { instances: 4 } })).status, 200)
    const answers = await spread(12, (ask, i) => ask('POST', '/compute/v2.1/servers', { server: { name: `q${i}`, imageRef: images[0].id, flavorRef: '42', networks: 'none' } }))
    assert.deepEqual(answers.map((each) => each.status).sort(), [202, 202, 202, 202, ...Array(8).fill(403)])
    for (const { status, json } of answers) if (status === 202) assert.equal((await one('DELETE', `/compute/v2.1/servers/${json.server.id}`)).status, 204)
    await one('DELETE', `/compute/v2.1/os-quota-sets/${project}`)

    for (const [cidr, wanted, given] of [['10.66.1.0/29', 12, 5], ['10.66.2.0/24', 24, 24]] as const) {
      const { network } = (await one('POST', '/networking/v2.0/networks', { network: { name: cidr } })).json
      assert.equal((await one('POST', '/networking/v2.0/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr, enable_dhcp: false } })).status, 201)
      const ports = await spread(wanted, (ask) => ask('POST', '/networking/v2.0/ports', { port: { network_id: network.id } }))
      const made = ports.filter((each) => each.status === 201)
      assert.deepEqual(ports.filter((each) => each.status !== 201).map((each) => each.status), Array(wanted - given).fill(409))
      assert.equal(new Set(made.map((each) => each.json.port.fixed_ips[0].ip_address)).size, given)
    }
  })

  it('are back within five seconds of a broker that was killed', async () => {
    const before = await boot(asks[0]!, 'before')
    await rabbit!.kill()
    const during = boot(asks[1]!, 'during')
    await new Promise((done) => setTimeout(done, 3_000))
    await rabbit!.start()
    const began = performance.now()
    const id = await during
    await Promise.all([active(asks[0]!, before), active(asks[1]!, id)])
    await eventually('c1 up', async () => (await asks[0]!('GET', '/compute/v2.1/os-services?host=c1')).json.services[0].state === 'up')
    await active(asks[0]!, await boot(asks[0]!, 'after'))
    const took = performance.now() - began
    console.log(`after the broker was back: everything running in ${(took / 1000).toFixed(1)} s`)
    assert.ok(took < 5_000, `${took} ms`)
  })

  it('go on as one when the other ends', async () => {
    const ids = await Promise.all([0, 1, 2, 3].map((i) => boot(asks[1]!, `last${i}`)))
    await controls[1]!.close()
    for (const id of ids) await active(asks[0]!, id)
  })
})
