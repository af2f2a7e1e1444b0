import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { world } from '#base/world.ts'
import { networkDriverConformance } from '../conformance.ts'
import { allowEgress, dhcp, id, network, port, subnet } from '../test-plans.ts'
import { fakeHost, FakeNetworkDriver } from './driver.ts'

networkDriverConformance('fake', async () => {
  const host = fakeHost()
  return { start: () => new FakeNetworkDriver(world(), host), close: async () => {} }
})

describe('the fake network driver', () => {
  const lan = network('lan', [subnet('10.0.0.0/24')])

  it('fails as often as it is told, and then works', async () => {
    const driver = new FakeNetworkDriver(world())
    driver.faults.push({ verb: 'ensurePort', reason: 'The cable is cut', times: 2 })
    const plan = port('one', lan, [])
    const reasons = [await driver.ensurePort(plan, lan), await driver.ensurePort(plan, lan), await driver.ensurePort(plan, lan)].map(({ reason }) => reason)
    assert.deepEqual(reasons, ['The cable is cut', 'The cable is cut', undefined])
  })

  it('is slow by the clock it is given', async () => {
    const clock = new VirtualClock()
    const driver = new FakeNetworkDriver(world({ clock }))
    driver.faults.push({ id: id('port one'), slow: 5_000 })
    let done = false
    void driver.ensurePort(port('one', lan, []), lan).then(() => (done = true))
    await clock.advance(4_999)
    assert.equal(done, false)
    await clock.advance(1)
    assert.equal(done, true)
  })

  it('knows who would reach whom, and what DHCP would give', async () => {
    const driver = new FakeNetworkDriver(world())
    const web = { ...allowEgress[0]!, direction: 'ingress' as const, protocol: 'tcp', port_range_min: 80, port_range_max: 80, remote_prefixes: ['10.0.0.0/28'] }
    const near = port('near', lan, ['10.0.0.11'])
    const far = port('far', lan, ['10.0.0.99'])
    const server = port('server', lan, ['10.0.0.5'], { security_rules: [...allowEgress, web] })
    for (const plan of [near, far, server]) await driver.ensurePort(plan, lan)
    assert.ok(driver.reaches(near.id, server.id, { protocol: 'tcp', port: 80 }))
    assert.equal(driver.reaches(near.id, server.id, { protocol: 'tcp', port: 81 }), false)
    assert.equal(driver.reaches(far.id, server.id, { protocol: 'tcp', port: 80 }), false)
    assert.ok(driver.reaches(server.id, far.id, { protocol: 'udp', port: 53 }))
    await driver.ensureDhcp(dhcp(lan, ['10.0.0.2'], [near]))
    assert.equal(driver.lease(lan.id, near.mac_address), '10.0.0.11')
    assert.equal(driver.lease(lan.id, far.mac_address), undefined)
  })
})
