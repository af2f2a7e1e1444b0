/** A subport of a trunk: its own network inside the parent's device, where the kernel has VLANs; a plain word where it has not. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { LinuxbridgeDriver } from '../driver.ts'
import type { HostPlan, PortPlan } from '../../plan.ts'
import { network, port, subnet } from '../../test-plans.ts'
import { cannot, eventually, type Guest, Lab } from './lab.ts'

describe('trunks', { skip: cannot }, () => {
  let lab: Lab
  let driver: LinuxbridgeDriver
  let guest: Guest
  let far: Guest
  let plan: HostPlan
  let vlans = false
  const outer = network('trunk outer', [subnet('10.4.0.0/24')])
  const inner = network('trunk inner', [subnet('10.5.0.0/24')])
  let parent: PortPlan
  let sub: PortPlan
  let other: PortPlan

  before(async () => {
    lab = await Lab.open('nlv')
    const netns = await lab.namespace('host')
    vlans = await lab.inside(netns).tries('ip', 'link', 'add', 'link', 'lo', 'name', 'probe', 'type', 'vlan', 'id', '9')
    driver = lab.driver('a', netns)
    ;({ plan: parent, guest } = await lab.guestPort(port('trunk parent', outer, ['10.4.0.11'])))
    ;({ plan: other, guest: far } = await lab.guestPort(port('trunk other', inner, ['10.5.0.12'])))
    sub = { ...port('trunk sub', inner, ['10.5.0.11'], { device_owner: 'trunk:subport' }), vif: { kind: 'vlan', parent_port_id: parent.id, segmentation_id: 42 } }
    plan = { networks: [outer, inner], ports: [sub, parent, other], address_sets: [], dhcp: [], routers: [] }
  })
  after(async () => {
    await lab.close()
    assert.deepEqual(lab.left(), [])
  })

  const statuses = async (): Promise<Record<string, string | undefined>> =>
    Object.fromEntries((await driver.ensure(plan)).ports.map((one) => [one.id, one.status === 'ACTIVE' ? 'ACTIVE' : one.reason]))

  it('wires a subport, or says why it cannot, and the others either way', async () => {
    for (let round = 0; round < 2; round++) {
      const seen = await statuses()
      assert.deepEqual([seen[parent.id], seen[other.id]], ['ACTIVE', 'ACTIVE'])
      if (vlans) assert.equal(seen[sub.id], 'ACTIVE')
      else assert.match(seen[sub.id]!, /no VLAN \(802\.1Q\) devices/)
    }
  })

  it('leads tagged frames to the network of the subport, and no others', async (test) => {
    if (!vlans) return test.skip('this kernel has no VLAN devices')
    await lab.addresses(guest, parent, outer)
    await lab.addresses(far, other, inner)
    await guest.sh('ip', 'link', 'add', 'link', 'eth0', 'name', 'eth0.42', 'address', sub.mac_address, 'type', 'vlan', 'id', '42')
    await guest.sh('ip', 'addr', 'add', '10.5.0.11/24', 'dev', 'eth0.42')
    await guest.sh('ip', 'link', 'set', 'eth0.42', 'up')
    assert.ok(await eventually(() => guest.pings('10.5.0.12')))
    await driver.ensureNoPort(sub.id)
    assert.equal(await guest.pings('10.5.0.12'), false)
  })

  it('takes parent and subport away together', async () => {
    await driver.ensure(plan)
    await driver.ensureNoPort(parent.id)
    const report = await driver.ensurePort(sub, inner)
    assert.deepEqual([report.status, report.reason], ['DOWN', 'The parent port of its trunk is not wired'])
    await driver.ensureNoPort(sub.id)
    await driver.ensure({ ...plan, ports: [other] })
    assert.doesNotMatch(await lab.inside(lab.fabric('a')).sh('ip', 'link'), new RegExp(`tap${parent.id.slice(0, 11)}|tap${sub.id.slice(0, 11)}`))
  })
})
