/** Guests on one network and on two: reaching each other, rules of security groups, and what may not be forged. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { LinuxbridgeDriver } from '../driver.ts'
import { allowAll, allowEgress, id, network, port, subnet } from '../../test-plans.ts'
import type { PortPlan, SecurityRulePlan } from '../../plan.ts'
import { cannot, eventually, type Guest, Lab } from './lab.ts'

describe('ports on Linux bridges', { skip: cannot }, () => {
  let lab: Lab
  let driver: LinuxbridgeDriver
  const lan = network('lan', [subnet('10.0.0.0/24'), subnet('2001:db8:1::/64')])
  const other = network('other', [subnet('10.0.0.0/24')])
  let one: PortPlan
  let two: PortPlan
  let three: PortPlan
  let a: Guest
  let b: Guest
  let c: Guest
  const rule = (more: Partial<SecurityRulePlan>): SecurityRulePlan => ({ direction: 'ingress', ethertype: 'IPv4', protocol: null, port_range_min: null, port_range_max: null, ...more })
  const judge = async (rules: readonly SecurityRulePlan[]): Promise<void> => {
    const report = await driver.ensurePort({ ...two, security_rules: [...allowEgress, ...rules] }, lan)
    assert.deepEqual([report.status, report.reason], ['ACTIVE', undefined])
  }
  const connects = (from: Guest, address: string, to: string): Promise<boolean> => from.tries('busybox', 'nc', '-w', '2', address, to)

  before(async () => {
    lab = await Lab.open('nls')
    driver = lab.driver('a', await lab.namespace('host'))
    ;({ plan: one, guest: a } = await lab.guestPort(port('one', lan, ['10.0.0.11', '2001:db8:1::11'])))
    ;({ plan: two, guest: b } = await lab.guestPort(port('two', lan, ['10.0.0.12', '2001:db8:1::12'])))
    ;({ plan: three, guest: c } = await lab.guestPort(port('three', other, ['10.0.0.12'])))
    for (const [plan, guest, on] of [[one, a, lan], [two, b, lan], [three, c, other]] as const) {
      const report = await driver.ensurePort(plan, on)
      assert.deepEqual([report.status, report.reason], ['ACTIVE', undefined])
      await lab.addresses(guest, plan, on)
    }
    lab.start(b, 'busybox', 'httpd', '-f', '-p', '80', '-h', lab.directory)
    lab.start(b, 'busybox', 'httpd', '-f', '-p', '81', '-h', lab.directory)
  })
  after(async () => {
    await lab.close()
    assert.deepEqual(lab.left(), [])
  })

  it('lets guests of a network reach each other over IPv4 and IPv6', async () => {
    assert.ok(await a.pings('10.0.0.12'))
    assert.ok(await eventually(() => a.pings('2001:db8:1::12')))
    const neighbour = await a.sh('ip', 'neigh', 'show', '10.0.0.12')
    assert.match(neighbour, new RegExp(two.mac_address), 'the guest of the own network answered, not its twin on the other')
  })

  it('keeps networks with the same addresses apart', async () => {
    assert.equal(await c.pings('10.0.0.11'), false)
    await driver.ensureNoPort(two.id)
    assert.equal(await a.pings('10.0.0.12'), false, 'the twin on the other network does not answer')
    await driver.ensurePort(two, lan)
    await lab.addresses(b, two, lan)
    assert.ok(await a.pings('10.0.0.12'))
  })

  it('wires a port of a known network with two processes and tells nothing new with none', async () => {
    const fourth = port('four', lan, ['10.0.0.14'])
    lab.spawned.length = 0
    const began = performance.now()
    assert.equal((await driver.ensurePort(fourth, lan)).status, 'ACTIVE')
    const took = performance.now() - began
    assert.equal(lab.spawned.length, 2, JSON.stringify(lab.spawned))
    assert.ok(took < 1000, `${took} ms`)
    await driver.ensurePort(fourth, lan)
    assert.equal(lab.spawned.length, 2)
    lab.spawned.length = 0
    const many = Array.from({ length: 10 }, (_, i) => port(`many ${i}`, lan, [`10.0.0.${100 + i}`]))
    const reports = await Promise.all(many.map((plan) => driver.ensurePort(plan, lan)))
    assert.ok(reports.every(({ status }) => status === 'ACTIVE'))
    assert.ok(lab.spawned.length <= 6, `ten ports took ${lab.spawned.length} processes`)
    for (const plan of [fourth, ...many]) await driver.ensureNoPort(plan.id)
  })

  it('lets in what a rule allows, and the answers to what went out', async () => {
    await judge([rule({ protocol: 'tcp', port_range_min: 80, port_range_max: 80, remote_prefixes: ['10.0.0.0/28'] })])
    assert.ok(await connects(a, '10.0.0.12', '80'))
    assert.equal(await connects(a, '10.0.0.12', '81'), false)
    assert.equal(await a.pings('10.0.0.12'), false)
    assert.ok(await b.pings('10.0.0.11'), 'the answer to what it sent itself comes back')
    await judge([rule({ protocol: 'tcp', port_range_min: 80, port_range_max: 80, remote_prefixes: ['10.0.0.128/25'] })])
    assert.equal(await connects(a, '10.0.0.12', '80'), false)
    await judge([rule({ protocol: 'icmp', port_range_min: 8, port_range_max: 0 }), rule({ ethertype: 'IPv6', protocol: 'ipv6-icmp' })])
    assert.ok(await a.pings('10.0.0.12'))
    assert.ok(await eventually(() => a.pings('2001:db8:1::12')))
    assert.equal(await connects(a, '10.0.0.12', '80'), false)
  })

  it('judges what leaves a guest too', async () => {
    await driver.ensurePort({ ...one, security_rules: [...allowAll.filter(({ direction }) => direction === 'ingress'), rule({ direction: 'egress', protocol: 'tcp', port_range_min: 81, port_range_max: 90 })] }, lan)
    await judge(allowAll)
    assert.ok(await connects(a, '10.0.0.12', '81'))
    assert.equal(await connects(a, '10.0.0.12', '80'), false)
    assert.equal(await a.pings('10.0.0.12'), false)
    await driver.ensurePort(one, lan)
    assert.ok(await a.pings('10.0.0.12'))
  })

  it('follows the members of a remote group without touching the port', async () => {
    const set = id('group')
    await driver.ensureAddressSets([{ id: set, prefixes: ['10.0.0.99', '10.0.0.0/29'] }])
    await judge([rule({ remote_set: set })])
    assert.equal(await a.pings('10.0.0.12'), false)
    lab.spawned.length = 0
    await driver.ensureAddressSets([{ id: set, prefixes: ['10.0.0.99', '10.0.0.11'] }])
    assert.equal(lab.spawned.filter(([, , , tool]) => tool === 'nft').length, 1)
    assert.ok(await a.pings('10.0.0.12'))
    await driver.ensureAddressSets([{ id: set, prefixes: [] }])
    assert.equal(await a.pings('10.0.0.12'), false)
  })

  it('ends a connection whose rule was taken away', async () => {
    await judge(allowAll)
    let answers = 0
    const ping = lab.start(a, 'ping', '-n', '-i', '0.1', '10.0.0.12')
    ping.stdout?.on('data', (said: Buffer) => (answers += said.includes('bytes from') ? 1 : 0))
    assert.ok(await eventually(async () => answers > 2))
    await judge([])
    const then = answers
    assert.equal(await a.pings('10.0.0.12'), false)
    assert.ok(answers <= then + 1, 'the running ping is not answered any more')
    ping.kill('SIGKILL')
    await judge(allowAll)
  })

  it('reports a port whose rules make no sense as DOWN and leaves the others alone', async () => {
    const [bad, good] = await Promise.all([
      driver.ensurePort(port('bad', lan, ['10.0.0.50'], { security_rules: [rule({ remote_set: id('unknown set') })] }), lan),
      driver.ensurePort(port('good', lan, ['10.0.0.51']), lan),
    ])
    assert.equal(bad.status, 'DOWN')
    assert.ok(bad.reason)
    assert.deepEqual([good.status, good.reason], ['ACTIVE', undefined])
    assert.ok(await a.pings('10.0.0.12'))
    for (const name of ['bad', 'good']) await driver.ensureNoPort(id(`port ${name}`))
  })

  it('slows a port down', async () => {
    const limited = { ...one, qos: { egress_kbps: 2000, ingress_kbps: 3000 } }
    assert.equal((await driver.ensurePort(limited, lan)).status, 'ACTIVE')
    assert.ok(await a.pings('10.0.0.12'))
    const fabric = lab.inside(lab.fabric('a'))
    assert.match(await fabric.sh('tc', 'qdisc', 'show'), /tbf.*rate 3Mbit[^]*tbf.*rate 2Mbit|tbf.*rate 2Mbit[^]*tbf.*rate 3Mbit/)
    assert.equal((await driver.ensurePort(one, lan)).status, 'ACTIVE')
    assert.doesNotMatch(await fabric.sh('tc', 'qdisc', 'show'), /tbf/)
    assert.ok(await a.pings('10.0.0.12'))
  })

  it('A20: drops a forged address, a forged MAC and forged ARP', async () => {
    await driver.ensurePort({ ...two, security_rules: allowAll }, lan)
    assert.ok(await a.pings('10.0.0.12'))
    await a.sh('ip', 'addr', 'add', '10.0.0.66/24', 'dev', 'eth0')
    assert.equal(await a.tries('ping', '-n', '-c', '1', '-W', '1', '-I', '10.0.0.66', '10.0.0.12'), false)
    await b.sh('ip', 'neigh', 'flush', 'all')
    await a.tries('arping', '-U', '-c', '1', '-w', '1', '-I', 'eth0', '-s', '10.0.0.66', '10.0.0.66')
    await a.tries('arping', '-c', '1', '-w', '1', '-I', 'eth0', '-s', '10.0.0.66', '10.0.0.12')
    assert.doesNotMatch(await b.sh('ip', 'neigh'), /10\.0\.0\.66 .*lladdr/)
    // The same address, once it is allowed.
    await driver.ensurePort({ ...one, allowed_address_pairs: [{ ip_address: '10.0.0.64/28' }] }, lan)
    assert.ok(await a.tries('ping', '-n', '-c', '1', '-W', '2', '-I', '10.0.0.66', '10.0.0.12'))
    await driver.ensurePort(one, lan)
    await a.sh('ip', 'addr', 'del', '10.0.0.66/24', 'dev', 'eth0')
    await a.sh('ip', 'addr', 'add', '2001:db8:1::66/64', 'dev', 'eth0', 'nodad')
    assert.equal(await a.tries('ping', '-n', '-c', '1', '-W', '1', '-I', '2001:db8:1::66', '2001:db8:1::12'), false)
    assert.ok(await a.tries('ping', '-n', '-c', '1', '-W', '2', '-I', '2001:db8:1::11', '2001:db8:1::12'))
    await a.sh('ip', 'addr', 'del', '2001:db8:1::66/64', 'dev', 'eth0')
    await a.sh('ip', 'link', 'set', 'eth0', 'address', 'fa:16:3e:66:66:66')
    assert.equal(await a.pings('10.0.0.12'), false)
    await a.sh('ip', 'link', 'set', 'eth0', 'address', one.mac_address)
    assert.ok(await eventually(() => a.pings('10.0.0.12')))
  })

  it('leaves a port without port security alone', async () => {
    await driver.ensurePort({ ...one, port_security_enabled: false }, lan)
    await a.sh('ip', 'addr', 'add', '10.0.0.66/24', 'dev', 'eth0')
    assert.ok(await a.tries('ping', '-n', '-c', '1', '-W', '2', '-I', '10.0.0.66', '10.0.0.12'))
    await a.sh('ip', 'addr', 'del', '10.0.0.66/24', 'dev', 'eth0')
    await driver.ensurePort(one, lan)
  })

  it('hears no DHCP server in a guest', async () => {
    const { plan: asking, guest: client } = await lab.guestPort(port('asking', lan, ['10.0.0.77']))
    await driver.ensurePort(asking, lan)
    const server = ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--interface=eth0', '--bind-dynamic', '--except-interface=lo', '--dhcp-range=10.0.0.200,10.0.0.210,255.255.255.0', `--dhcp-leasefile=${lab.directory}/rogue`, '--pid-file=']
    const first = lab.start(a, ...server)
    await assert.rejects(lab.dhcp(client, '-t', '2'))
    // The test would notice: without port security the same server answers.
    await driver.ensurePort({ ...one, port_security_enabled: false }, lan)
    assert.match(await lab.dhcp(client), /10\.0\.0\.2\d\d/)
    first.kill('SIGKILL')
    await driver.ensurePort(one, lan)
    await driver.ensureNoPort(asking.id)
  })

  it('cuts a port that is administratively down', async () => {
    const report = await driver.ensurePort({ ...one, admin_state_up: false }, lan)
    assert.equal(report.status, 'DOWN')
    assert.equal(await a.pings('10.0.0.12'), false)
    assert.equal((await driver.ensurePort(one, lan)).status, 'ACTIVE')
    assert.ok(await eventually(() => a.pings('10.0.0.12')))
  })
})
