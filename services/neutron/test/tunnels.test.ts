/** A network over several hosts: who is told of a port that comes, moves or goes, and what the far sides then know. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { agentTopic, type ChangedIds, CONTROL_TOPIC, type Wishes } from '../contract/rpc.ts'
import type { HostPlan } from '../drivers/plan.ts'
import { neutronKit, type NeutronKit } from './kit.ts'

interface Named {
  id: string
  mac_address: string
  [key: string]: unknown
}

describe('a network over several hosts', () => {
  let kit: NeutronKit
  const told = new Map<string, ChangedIds[]>()
  before(async () => {
    kit = await neutronKit()
    for (const [host, tunneling_ip] of [['node', '192.0.2.1'], ['h1', '192.0.2.2'], ['h2', '192.0.2.3'], ['h3', '192.0.2.4']]) {
      const agents = [{ agent_type: 'Linux bridge agent', binary: 'b', topic: 'N/A', configurations: { tunneling_ip } }]
      await kit.parts.bus.call(CONTROL_TOPIC, 'heartbeat', { host, availability_zone: 'nova', started_at: 0, agents })
      told.set(host!, [])
      await kit.parts.bus.serve(agentTopic(host!), { changed: (ids: ChangedIds) => void told.get(host!)!.push(ids) })
    }
  })
  after(() => kit.shut())

  const make = async (path: string, body: object): Promise<Named> => Object.values(await kit.must('POST', path, body, 'admin'))[0] as unknown as Named
  const bound = (network: Named, host: string): Promise<Named> => make('/ports', { port: { network_id: network.id, 'binding:host_id': host, device_id: `vm-${host}`, device_owner: 'compute:nova' } })
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (const end = performance.now() + 5_000; performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 5))) if (holds()) return
    assert.fail(`${what}: ${JSON.stringify([...told])}`)
  }
  const toldOf = (host: string, network: Named): boolean => told.get(host)!.some((ids) => ids.networks.includes(network.id))
  const forget = (): void => {
    for (const list of told.values()) list.length = 0
  }
  const plan = async (host: string): Promise<HostPlan> => (await kit.parts.bus.call(CONTROL_TOPIC, 'planOf', { host })) as HostPlan

  it('tells the other ends, and they learn where it is', async () => {
    const network = await make('/networks', { network: {} })
    await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' } })
    await bound(network, 'h1')
    await until('h1 is told', () => toldOf('h1', network))
    forget()
    const second = await bound(network, 'h2')
    await until('both are told', () => toldOf('h1', network) && toldOf('h2', network))
    assert.equal(toldOf('h3', network), false)
    const wishes = (await kit.parts.bus.call(CONTROL_TOPIC, 'wishesOf', { host: 'h1', ports: [], networks: [network.id], routers: [], sets: [] })) as Wishes
    const [there] = wishes.networks
    assert.ok(there!.vteps.some((end) => end.ip === '192.0.2.3'))
    assert.ok(there!.fdb.some((entry) => entry.mac_address === second.mac_address && entry.ip === '192.0.2.3'))
    assert.ok(!there!.vteps.some((end) => end.ip === '192.0.2.2' || end.ip === '192.0.2.4'))
    assert.deepEqual(((await kit.parts.bus.call(CONTROL_TOPIC, 'wishesOf', { host: 'h3', ports: [], networks: [network.id], routers: [], sets: [] })) as Wishes).networks, [])
  })

  it('wires a port that will arrive before it does, and moves it when its binding is activated', async () => {
    const network = await make('/networks', { network: {} })
    await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' } })
    const port = await bound(network, 'h1')
    await bound(network, 'h2')
    forget()
    await kit.must('POST', `/ports/${port.id}/bindings`, { binding: { host: 'h3' } }, 'admin')
    await until('h3 is told', () => told.get('h3')!.some((ids) => ids.ports.includes(port.id)))
    assert.deepEqual((await plan('h3')).ports.map((one) => one.id), [port.id])
    const wishes = (await kit.parts.bus.call(CONTROL_TOPIC, 'wishesOf', { host: 'h3', ports: [port.id], networks: [], routers: [], sets: [] })) as Wishes
    assert.deepEqual(wishes.ports.map((one) => one.port.id), [port.id])
    assert.equal((await plan('h2')).networks.find((one) => one.id === network.id)!.fdb.find((one) => one.mac_address === port.mac_address)?.ip, '192.0.2.2')
    forget()
    await kit.must('PUT', `/ports/${port.id}/bindings/h3/activate`, undefined, 'admin')
    await until('all three are told', () => toldOf('h1', network) && toldOf('h2', network) && toldOf('h3', network))
    const fdb = (await plan('h2')).networks.find((one) => one.id === network.id)!.fdb
    assert.equal(fdb.find((one) => one.mac_address === port.mac_address)?.ip, '192.0.2.4')
    await kit.must('DELETE', `/ports/${port.id}/bindings/h1`, undefined, 'admin')
    assert.deepEqual((await plan('h1')).ports.filter((one) => one.id === port.id), [])
  })

  it('tells the host that serves DHCP, wherever the guest is', async () => {
    const dhcp = [] as ChangedIds[]
    await kit.parts.bus.serve(agentTopic('test-host'), { changed: (ids: ChangedIds) => void dhcp.push(ids) })
    const network = await make('/networks', { network: {} })
    await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' } })
    await bound(network, 'h1')
    await until('DHCP is told', () => dhcp.some((ids) => ids.networks.includes(network.id)))
    dhcp.length = 0
    await bound(network, 'h2')
    await until('DHCP is told again', () => dhcp.some((ids) => ids.networks.includes(network.id)))
  })
})
