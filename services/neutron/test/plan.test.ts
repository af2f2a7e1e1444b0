/** What control tells an agent to carry: the whole host, and the part that a wake-up names. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CONTROL_TOPIC, type Wishes } from '../contract/rpc.ts'
import type { HostPlan } from '../drivers/plan.ts'
import { HOST, neutronKit, type NeutronKit } from './kit.ts'

interface Named {
  id: string
  [key: string]: unknown
}

describe('the plan of a host', () => {
  let kit: NeutronKit
  before(async () => {
    kit = await neutronKit()
  })
  after(() => kit.shut())

  const make = async (path: string, body: object, as = 'member'): Promise<Named> => Object.values(await kit.must('POST', path, body, as))[0] as unknown as Named
  const plan = (host = HOST): Promise<HostPlan> => kit.parts.bus.call(CONTROL_TOPIC, 'planOf', { host }) as Promise<HostPlan>

  it('resolves groups, limits and DHCP, and is empty for a stranger', async () => {
    const network = await make('/networks', { network: {} })
    const subnet = await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' } })
    const list = await make('/address-groups', { address_group: { addresses: ['192.0.2.0/24'] } })
    const group = await make('/security-groups', { security_group: { name: 'g', stateful: false } })
    await make('/security-group-rules', { security_group_rule: { security_group_id: group.id, direction: 'ingress', protocol: 'tcp', port_range_min: 22, port_range_max: 22, remote_address_group_id: list.id } })
    await make('/security-group-rules', { security_group_rule: { security_group_id: group.id, direction: 'ingress', remote_group_id: group.id } })
    const policy = await make('/qos/policies', { policy: { name: 'slow' } }, 'admin')
    await make(`/qos/policies/${policy.id}/bandwidth_limit_rules`, { bandwidth_limit_rule: { max_kbps: 1000, max_burst_kbps: 100 } }, 'admin')
    const port = await make('/ports', { port: { network_id: network.id, project_id: 'project-a', fixed_ips: [{ ip_address: '10.0.0.9' }], security_groups: [group.id], qos_policy_id: policy.id, 'binding:host_id': HOST, device_id: 'vm', device_owner: 'compute:nova' } }, 'admin')
    const { networks, ports, dhcp, address_sets } = await plan()
    assert.deepEqual(networks.map((one) => [one.id, one.network_type, one.subnets.map((each) => each.id)]), [[network.id, 'vxlan', [subnet.id]]])
    const [wired] = ports
    assert.equal(wired!.id, port.id)
    assert.equal(wired!.stateful, false)
    assert.deepEqual(wired!.qos, { egress_kbps: 1000, egress_burst_kb: 100 })
    assert.deepEqual(wired!.security_rules.map((rule) => rule.remote_set).filter(Boolean).sort(), [list.id, group.id].sort())
    assert.deepEqual(new Map(address_sets.map((set) => [set.id, set.prefixes])), new Map([[group.id, ['10.0.0.9']], [list.id, ['192.0.2.0/24']]]))
    assert.deepEqual(dhcp[0]!.reservations.map((one) => [one.port_id, one.fixed_ips[0]!.ip_address]), [[port.id, '10.0.0.9']])
    assert.deepEqual(await plan('stranger'), { networks: [], ports: [], address_sets: [], dhcp: [], routers: [] })

    const wishes = (await kit.parts.bus.call(CONTROL_TOPIC, 'wishesOf', { host: HOST, ports: [port.id, 'gone'], networks: [network.id], routers: [], sets: [list.id] })) as Wishes
    assert.deepEqual(wishes.ports.map((one) => one.port), [wired])
    assert.deepEqual(wishes.dhcp, dhcp)
    assert.ok(wishes.address_sets.some((set) => set.id === list.id))
  })

  it('leaves a port down whose network is', async () => {
    const network = await make('/networks', { network: { admin_state_up: false } })
    const port = await make('/ports', { port: { network_id: network.id, 'binding:host_id': HOST, device_owner: 'compute:nova' } }, 'admin')
    assert.equal((await plan()).ports.find((one) => one.id === port.id)?.admin_state_up, false)
  })

  it('carries forwardings and what a router knows of the outside', async () => {
    const outside = await make('/networks', { network: { 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' } }, 'admin')
    await make('/subnets', { subnet: { network_id: outside.id, ip_version: 4, cidr: '172.24.4.0/24', enable_dhcp: false } }, 'admin')
    const network = await make('/networks', { network: {} })
    const subnet = await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.5.0.0/24' } })
    const router = await make('/routers', { router: { external_gateway_info: { network_id: outside.id } } })
    await kit.must('PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
    await kit.must('PUT', `/routers/${router.id}`, { router: { routes: [{ destination: '192.168.9.0/24', nexthop: '10.5.0.77' }] } })
    const port = await make('/ports', { port: { network_id: network.id, fixed_ips: [{ ip_address: '10.5.0.8' }] } })
    const floating = await make('/floatingips', { floatingip: { floating_network_id: outside.id } })
    await make(`/floatingips/${floating.id}/port_forwardings`, { port_forwarding: { protocol: 'tcp', external_port: 2222, internal_port: 22, internal_port_id: port.id, internal_ip_address: '10.5.0.8' } })
    const [made] = (await plan()).routers
    assert.deepEqual(made!.port_forwardings, [{ protocol: 'tcp', floating_ip_address: floating.floating_ip_address, external_port: 2222, internal_ip_address: '10.5.0.8', internal_port: 22 }])
    assert.deepEqual(made!.routes, [{ destination: '192.168.9.0/24', nexthop: '10.5.0.77' }])
    assert.deepEqual(made!.interfaces.map((one) => one.fixed_ips[0]!.ip_address), ['10.5.0.1'])
    assert.equal(made!.gateway?.enable_snat, true)
    assert.equal((await kit.call('DELETE', `/floatingips/${floating.id}`)).status, 409)
  })

  it('carries what limits, marks and helps', async () => {
    const policy = await make('/qos/policies', { policy: { name: 'all' } }, 'admin')
    await make(`/qos/policies/${policy.id}/bandwidth_limit_rules`, { bandwidth_limit_rule: { max_kbps: 2000, max_burst_kbps: 300, direction: 'ingress' } }, 'admin')
    await make(`/qos/policies/${policy.id}/packet_rate_limit_rules`, { packet_rate_limit_rule: { max_kpps: 3, max_burst_kpps: 1 } }, 'admin')
    await make(`/qos/policies/${policy.id}/dscp_marking_rules`, { dscp_marking_rule: { dscp_mark: 26 } }, 'admin')
    const limits = { ingress_kbps: 2000, ingress_burst_kb: 300, egress_kpps: 3, egress_burst_kpps: 1, dscp_mark: 26 }
    const outside = await make('/networks', { network: { 'router:external': true } }, 'admin')
    await make('/subnets', { subnet: { network_id: outside.id, ip_version: 4, cidr: '172.24.9.0/24', enable_dhcp: false } }, 'admin')
    const network = await make('/networks', { network: {} })
    const subnet = await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.9.0.0/24' } })
    const router = await make('/routers', { router: { project_id: 'project-a', external_gateway_info: { network_id: outside.id, qos_policy_id: policy.id } } }, 'admin')
    await kit.must('PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
    const port = await make('/ports', { port: { network_id: network.id, project_id: 'project-a', qos_policy_id: policy.id, 'binding:host_id': HOST, device_owner: 'compute:nova', device_id: 'limited' } }, 'admin')
    const floating = await make('/floatingips', { floatingip: { project_id: 'project-a', floating_network_id: outside.id, port_id: port.id, qos_policy_id: policy.id } }, 'admin')
    await make(`/routers/${router.id}/conntrack_helpers`, { conntrack_helper: { helper: 'tftp', protocol: 'udp', port: 69 } })
    const whole = await plan()
    assert.deepEqual(whole.ports.find((one) => one.id === port.id)!.qos, limits)
    const made = whole.routers.find((one) => one.id === router.id)!
    assert.deepEqual(made.conntrack_helpers, [{ helper: 'tftp', protocol: 'udp', port: 69 }])
    assert.deepEqual(new Map(made.limits!.map(({ ip_address, ...rest }) => [ip_address, rest])), new Map([[made.gateway!.fixed_ips[0]!.ip_address, limits], [floating.floating_ip_address as string, limits]]))
  })
})
