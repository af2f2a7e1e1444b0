import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressInSubnet, disjoint, linkLocal, netmask, parseAddress, parseMac, parsePrefix, prefixText } from './address.ts'

describe('addresses', () => {
  it('are written in one way', () => {
    assert.equal(prefixText(parsePrefix('10.0.0.77/24')), '10.0.0.0/24')
    assert.equal(prefixText(parsePrefix('2001:DB8:0:0::1/128')), '2001:db8::1')
    assert.equal(parseAddress('2001:0db8::0001'), '2001:db8::1')
    assert.equal(addressInSubnet('10.0.0.5', '10.0.0.0/26'), '10.0.0.5/26')
    assert.equal(netmask(24), '255.255.255.0')
    assert.equal(netmask(0), '0.0.0.0')
    assert.equal(netmask(32), '255.255.255.255')
  })

  it('are nothing else', () => {
    for (const text of ['', '10.0.0', '10.0.0.1/33', '10.0.0.1/', '10.0.0.1/8/8', '0x0a000001', '010.0.0.1/+8', '::1/129', 'fe80::1%eth0', '10.0.0.1; drop', '1', '::g']) assert.throws(() => parsePrefix(text), { kind: 'invalid' }, text)
    assert.throws(() => parseAddress('10.0.0.0/32'), { kind: 'invalid' })
    for (const text of ['fa:16:3e:00:00', 'fa:16:3e:00:00:0g', 'fa163e000000', 'fa:16:3e:00:00:00 accept']) assert.throws(() => parseMac(text), { kind: 'invalid' })
    assert.equal(parseMac('FA:16:3E:00:00:01'), 'fa:16:3e:00:00:01')
  })

  it('make sets without overlap', () => {
    assert.deepEqual(disjoint(['10.0.0.5', '10.0.0.0/24', '10.0.1.0/24', '10.0.0.5', '2001:db8::1', '10.0.0.128/25'], 4), ['10.0.0.0/24', '10.0.1.0/24'])
    assert.deepEqual(disjoint(['::/0', '2001:db8::1', '0.0.0.0/0', '9.9.9.9'], 6), ['::/0'])
    assert.deepEqual(disjoint(['0.0.0.0/0', '255.255.255.255'], 4), ['0.0.0.0/0'])
  })

  it('come from a MAC', () => {
    assert.equal(linkLocal('fa:16:3e:00:00:11'), 'fe80::f816:3eff:fe00:11')
  })
})
