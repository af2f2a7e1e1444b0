/** Trunks: subports go where the parent is. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CONTROL_TOPIC, type Wishes } from '../contract/rpc.ts'
import type { HostPlan } from '../drivers/plan.ts'
import { HOST, neutronKit, type NeutronKit } from './kit.ts'

interface Named {
  id: string
  [key: string]: unknown
}

describe('trunks', () => {
  let kit: NeutronKit
  before(async () => {
    kit = await neutronKit()
  })
  after(() => kit.shut())

  const make = async (path: string, body: object): Promise<Named> => Object.values(await kit.must('POST', path, body))[0] as unknown as Named
  const show = async (path: string): Promise<Named> => Object.values(await kit.must('GET', path, undefined, 'admin'))[0] as unknown as Named
  const put = (path: string, body: object): Promise<unknown> => kit.must('PUT', path, body, 'admin')
  const plan = (): Promise<HostPlan> => kit.parts.bus.call(CONTROL_TOPIC, 'planOf', { host: HOST }) as Promise<HostPlan>
  const report = (...ports: [string, 'ACTIVE' | 'DOWN'][]): Promise<unknown> => kit.parts.bus.call(CONTROL_TOPIC, 'reportPorts', { host: HOST, ports: ports.map(([id, status]) => ({ id, status })) })

  it('carry their subports to the host of the parent, say how they are, and let them go', async () => {
    const [outer, inner] = [await make('/networks', { network: {} }), await make('/networks', { network: {} })]
    await make('/subnets', { subnet: { network_id: inner.id, ip_version: 4, cidr: '10.7.0.0/24' } })
    const [parent, one, two] = [await make('/ports', { port: { network_id: outer.id } }), await make('/ports', { port: { network_id: inner.id } }), await make('/ports', { port: { network_id: inner.id } })]
    const trunk = await make('/trunks', { trunk: { port_id: parent.id, sub_ports: [{ port_id: one.id, segmentation_type: 'vlan', segmentation_id: 42 }] } })
    const status = async (): Promise<unknown> => (await show(`/trunks/${trunk.id}`)).status
    assert.equal(await status(), 'DOWN')
    await put(`/ports/${parent.id}`, { port: { 'binding:host_id': HOST, device_owner: 'compute:nova', device_id: 'vm' } })
    assert.equal((await show(`/ports/${one.id}`))['binding:host_id'], HOST)
    assert.deepEqual((await plan()).ports.find((port) => port.id === one.id)!.vif, { kind: 'vlan', parent_port_id: parent.id, segmentation_id: 42 })
    const wishes = (await kit.parts.bus.call(CONTROL_TOPIC, 'wishesOf', { host: HOST, ports: [one.id], networks: [], routers: [], sets: [] })) as Wishes
    assert.equal(wishes.ports[0]!.port.vif?.kind, 'vlan')

    await report([parent.id, 'ACTIVE'], [one.id, 'DOWN'])
    assert.equal(await status(), 'DEGRADED')
    await report([one.id, 'ACTIVE'])
    assert.equal(await status(), 'ACTIVE')
    await put(`/trunks/${trunk.id}/add_subports`, { sub_ports: [{ port_id: two.id, segmentation_type: 'vlan', segmentation_id: 43 }] })
    assert.deepEqual([(await show(`/ports/${two.id}`))['binding:host_id'], await status()], [HOST, 'DEGRADED'])
    await put(`/trunks/${trunk.id}/remove_subports`, { sub_ports: [{ port_id: two.id }] })
    assert.deepEqual([(await show(`/ports/${two.id}`))['binding:host_id'], (await show(`/ports/${two.id}`)).device_owner, await status()], ['', '', 'ACTIVE'])

    await put(`/ports/${parent.id}`, { port: { 'binding:host_id': '', device_owner: '', device_id: '' } })
    assert.deepEqual([(await show(`/ports/${one.id}`))['binding:host_id'], await status()], ['', 'DOWN'])
    assert.ok(!(await plan()).ports.some((port) => port.id === one.id))
    await kit.must('DELETE', `/trunks/${trunk.id}`)
  })
})
