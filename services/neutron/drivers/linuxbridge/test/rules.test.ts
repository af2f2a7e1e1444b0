/** The text of rules, as values; whether they hold is shown with packets in the real tests. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allowEgress, id, network, port, router, leg, subnet } from '../../test-plans.ts'
import type { SecurityRulePlan } from '../../plan.ts'
import { addressSetText, baseText, baseVersion, noPortText, portText } from '../firewall.ts'
import { names, physicalName, tapName } from '../names.ts'
import { Numbers } from '../numbers.ts'
import { routerText } from '../router-rules.ts'
import { ruleMatches } from '../security-rules.ts'

const lan = network('lan', [subnet('10.0.0.0/24'), subnet('2001:db8::/64')])
const rule = (more: Partial<SecurityRulePlan>): SecurityRulePlan => ({ direction: 'ingress', ethertype: 'IPv4', protocol: null, port_range_min: null, port_range_max: null, ...more })

describe('a security group rule', () => {
  it('is one match', () => {
    assert.deepEqual(ruleMatches(rule({})), ['meta nfproto ipv4'])
    assert.deepEqual(ruleMatches(rule({ protocol: 'tcp', port_range_min: 80, port_range_max: 90, remote_prefixes: ['10.0.0.0/8'] })), ['meta nfproto ipv4 ip saddr { 10.0.0.0/8 } meta l4proto 6 th dport 80-90'])
    assert.deepEqual(ruleMatches(rule({ direction: 'egress', ethertype: 'IPv6', protocol: 'icmp', port_range_min: 128, port_range_max: 0, remote_prefixes: ['::/0'] })), ['meta nfproto ipv6 meta l4proto 58 icmpv6 type 128 icmpv6 code 0'])
    assert.deepEqual(ruleMatches(rule({ protocol: '132', port_range_min: 5 })), ['meta nfproto ipv4 meta l4proto 132 th dport 5-65535'])
    assert.deepEqual(ruleMatches(rule({ protocol: 'vrrp', port_range_min: 5 })), ['meta nfproto ipv4 meta l4proto 112'], 'a protocol without ports')
  })

  it('lets nobody in when there is nobody', () => {
    assert.deepEqual(ruleMatches(rule({ remote_prefixes: [] })), [])
    assert.deepEqual(ruleMatches(rule({ remote_prefixes: ['2001:db8::/32'] })), [])
  })

  it('cannot bring words of its own', () => {
    for (const bad of [rule({ protocol: 'tcp } accept' }), rule({ protocol: '999' }), rule({ protocol: 'tcp', port_range_min: 70000 }), rule({ protocol: 'tcp', port_range_min: 1.5 }), rule({ remote_prefixes: ['10.0.0.0/8 } accept'] }), rule({ remote_set: 'x y' })]) {
      assert.throws(() => ruleMatches(bad), { kind: 'invalid' })
    }
  })
})

describe('the rules of a port', () => {
  const one = port('one', lan, ['10.0.0.11', '2001:db8::11'], { security_rules: allowEgress })

  it('never touch another port', () => {
    const text = portText('ondol', one, 7) + noPortText('ondol', one.id, 7)
    for (const line of text.split('\n').filter((words) => /^(add|delete|flush)/.test(words))) assert.match(line, /one|_[0-9a-f]{8}_|"tap/)
    assert.match(text, /incoming \{ 7 : goto/)
    assert.match(text, /outgoing \{ 458752 : jump/)
    assert.doesNotMatch(text, /delete table/)
    assert.match(baseText('ondol'), new RegExp(baseVersion('ondol')))
  })

  it('allow the address pairs with their MACs', () => {
    const text = portText('ondol', { ...one, allowed_address_pairs: [{ ip_address: '10.9.0.0/16' }, { ip_address: '0.0.0.0/0', mac_address: 'FA:16:3E:99:99:99' }] }, 7)
    assert.match(text, new RegExp(`ether saddr ${one.mac_address} ip saddr \\{ 10\\.0\\.0\\.11, 10\\.9\\.0\\.0/16 \\} meta`))
    assert.match(text, /ether saddr fa:16:3e:99:99:99 ether type ip meta/)
  })

  it('keep no state for stateless groups', () => {
    assert.doesNotMatch(portText('ondol', { ...one, stateful: false }, 7), /ct state/)
    assert.match(portText('ondol', one, 7), /ct state invalid drop/)
  })

  it('are none for a port without port security and for ports of the network', () => {
    for (const trusted of [{ ...one, port_security_enabled: false }, { ...one, device_owner: 'network:floatingip_agent_gateway' }]) assert.doesNotMatch(portText('ondol', trusted, 7), /drop/)
  })

  it('refer to sets by id', () => {
    assert.match(addressSetText('ondol', { id: id('s'), prefixes: ['10.0.0.1', '2001:db8::1'] }), /add element inet ondol set4_\w+ \{ 10\.0\.0\.1 \}[^]*add element inet ondol set6_\w+ \{ 2001:db8::1 \}/)
  })
})

describe('the rules of a router', () => {
  const external = network('external', [subnet('172.31.0.0/24')])
  const r = router('r', { gateway: { ...leg('gw', external, ['172.31.0.100']), enable_snat: true }, floating_ips: [{ floating_ip_address: '172.31.0.150', fixed_ip_address: '10.0.0.11' }, { floating_ip_address: '172.31.0.151', fixed_ip_address: '10.0.0.11' }] })

  it('translate both ways, each key once', () => {
    const text = routerText('ondol', r, true)
    assert.match(text, /inward \{ 172\.31\.0\.150 : 10\.0\.0\.11, 172\.31\.0\.151 : 10\.0\.0\.11 \}/)
    assert.match(text, /outward \{ 10\.0\.0\.11 : 172\.31\.0\.150 \}/)
    assert.match(text, /oifname "qg-\*" snat to 172\.31\.0\.100/)
    assert.doesNotMatch(routerText('ondol', { ...r, gateway: { ...r.gateway!, enable_snat: false } }, true), /oifname "qg-\*" snat/)
    assert.doesNotMatch(routerText('ondol', r, false), /169\.254/)
  })
})

describe('names and numbers', () => {
  it('fit into 15 characters and differ', () => {
    const own = names('ondol')
    for (const name of [tapName(id('x')), own.hostEnd('public'), own.hostEnd('a-very-long-physical-network'), physicalName('a-very-long-physical-network'), own.hostEnd('with space')]) assert.ok(name.length <= 15 && /^[\w-]+$/.test(name), name)
    assert.notEqual(physicalName('a-very-long-physical-network'), physicalName('a-very-long-physical-network2'))
    assert.deepEqual(own.owner(own.router(id('x'))), { kind: 'router', id: id('x') })
    assert.equal(own.owner('ondol-fabric'), undefined)
    assert.throws(() => names('Too Long Prefix'), { kind: 'invalid' })
    assert.throws(() => tapName('../../etc'), { kind: 'invalid' })
  })

  it('are given once and again when free', () => {
    const numbers = new Numbers()
    numbers.adopt('old', 2)
    assert.deepEqual([numbers.of('a'), numbers.of('b'), numbers.of('a'), numbers.of('old')], [1, 3, 1, 2])
    numbers.release('a')
    assert.equal(numbers.of('c'), 1)
  })
})
