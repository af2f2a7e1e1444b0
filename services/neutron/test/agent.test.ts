/** From the API to the wires of a fake host, and back to the port's status. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { AgentProcess } from '#stack/house.ts'
import { FakeNetworkDriver } from '../drivers/fake/driver.ts'
import { agentProcess } from '../processes/agent.ts'
import { HOST, neutronKit, type NeutronKit } from './kit.ts'

interface Named {
  id: string
  status: string
  [key: string]: unknown
}

describe('a port on its way to the wire', () => {
  let kit: NeutronKit
  let driver: FakeNetworkDriver
  let agent: AgentProcess
  before(async () => {
    kit = await neutronKit()
    driver = new FakeNetworkDriver(kit.world)
    agent = agentProcess({ ...kit.parts, host: HOST }, 'fake', driver)
    await agent.start()
  })
  after(async () => {
    await agent.close()
    await kit.shut()
  })

  const until = async (holds: () => Promise<boolean> | boolean): Promise<void> => {
    const began = performance.now()
    while (performance.now() - began < 10_000) {
      if (await holds()) return
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.fail('the awaited did not come')
  }
  const make = async (path: string, body: object, as = 'member'): Promise<Named> => Object.values(await kit.must('POST', path, body, as))[0] as unknown as Named
  const show = async (path: string): Promise<Named> => Object.values(await kit.must('GET', path, undefined, 'admin'))[0] as unknown as Named

  it('becomes ACTIVE with its device when it is bound, has DHCP and is told to Nova; and is taken away again', async () => {
    const network = await make('/networks', { network: { name: 'n' } })
    await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' } })
    const port = await make('/ports', { port: { network_id: network.id } })
    assert.equal(port.status, 'DOWN')
    await kit.must('PUT', `/ports/${port.id}`, { port: { 'binding:host_id': HOST, device_id: 'guest', device_owner: 'compute:nova' } }, 'admin')
    await until(async () => (await show(`/ports/${port.id}`)).status === 'ACTIVE')
    const bound = await show(`/ports/${port.id}`)
    assert.equal(bound['binding:vif_type'], 'tap')
    assert.deepEqual(bound['binding:vif_details'], { connectivity: 'l2', port_filter: true, tap_name: `tap${port.id.slice(0, 11)}`, netns: 'fake' })
    await until(() => kit.events.some((event) => event.name === 'network-vif-plugged' && event.tag === port.id && event.server_uuid === 'guest'))
    assert.equal(driver.lease(network.id, port.mac_address as string), (port.fixed_ips as { ip_address: string }[])[0]!.ip_address)
    await kit.must('DELETE', `/ports/${port.id}`)
    await until(() => !driver.host.ports.has(port.id))
  })

  it('gets its floating IP ACTIVE through a router', async () => {
    const outside = await make('/networks', { network: { 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' } }, 'admin')
    await make('/subnets', { subnet: { network_id: outside.id, ip_version: 4, cidr: '172.24.4.0/24', enable_dhcp: false } }, 'admin')
    const network = await make('/networks', { network: {} })
    const subnet = await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.1.0.0/24' } })
    const port = await make('/ports', { port: { network_id: network.id } })
    const router = await make('/routers', { router: { external_gateway_info: { network_id: outside.id } } })
    await kit.must('PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
    const floating = await make('/floatingips', { floatingip: { floating_network_id: outside.id, port_id: port.id } })
    await until(async () => (await show(`/floatingips/${floating.id}`)).status === 'ACTIVE')
    assert.deepEqual(driver.host.routers.get(router.id)?.floating_ips, [{ floating_ip_address: floating.floating_ip_address, fixed_ip_address: (port.fixed_ips as { ip_address: string }[])[0]!.ip_address }])
    await kit.must('PUT', `/floatingips/${floating.id}`, { floatingip: { port_id: null } })
    await until(() => driver.host.routers.get(router.id)?.floating_ips.length === 0)
    assert.equal((await show(`/floatingips/${floating.id}`)).status, 'DOWN')
  })

  it('follows its groups: a new rule reaches the wire', async () => {
    const network = await make('/networks', { network: {} })
    await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.2.0.0/24' } })
    const group = await make('/security-groups', { security_group: { name: 'web' } })
    const port = await make('/ports', { port: { network_id: network.id, security_groups: [group.id], 'binding:host_id': HOST, device_owner: 'compute:nova', device_id: 'g' } }, 'admin')
    await until(() => driver.host.ports.has(port.id))
    await make('/security-group-rules', { security_group_rule: { security_group_id: group.id, direction: 'ingress', protocol: 'tcp', port_range_min: 80, port_range_max: 80, remote_ip_prefix: '192.0.2.0/24' } })
    await until(() => driver.host.ports.get(port.id)!.security_rules.some((rule) => rule.port_range_min === 80 && rule.remote_prefixes?.[0] === '192.0.2.0/24'))
  })
})
