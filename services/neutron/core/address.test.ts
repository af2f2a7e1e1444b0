import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compact, contains, eui64, formatCidr, normalIp, overlap, parseCidr, parseIp, within } from './address.ts'

const cidr = (text: string) => parseCidr(text)!

describe('addresses', () => {
  it('have one spelling', () => {
    const spellings: [string, string | undefined][] = [
      ['10.0.0.1', '10.0.0.1'],
      ['010.0.0.1', undefined],
      ['10.0.0.256', undefined],
      ['10.0.0', undefined],
      ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
      ['::', '::'],
      ['::1', '::1'],
      ['fe80::1:0:0:1', 'fe80::1:0:0:1'],
      ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
      ['::ffff:192.0.2.1', '::ffff:c000:201'],
      ['1::2::3', undefined],
      ['12345::', undefined],
      ['1:2:3:4:5:6:7', undefined],
      ['1:2:3:4:5:6:7:8:9', undefined],
    ]
    for (const [given, wanted] of spellings) assert.equal(normalIp(given), wanted, given)
  })

  it('stand in prefixes, whose host bits fall away', () => {
    assert.equal(formatCidr(cidr('10.0.0.77/24')), '10.0.0.0/24')
    assert.equal(formatCidr(cidr('2001:db8::5/64')), '2001:db8::/64')
    assert.equal(formatCidr(cidr('192.0.2.1')), '192.0.2.1/32')
    for (const wrong of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', 'x/24', '::/129']) assert.equal(parseCidr(wrong), undefined, wrong)
    assert.ok(contains(cidr('10.0.0.0/24'), parseIp('10.0.0.255')!))
    assert.ok(!contains(cidr('10.0.0.0/24'), parseIp('10.0.1.0')!))
    assert.ok(!contains(cidr('0.0.0.0/0'), parseIp('::1')!))
    assert.ok(overlap(cidr('10.0.0.0/8'), cidr('10.1.0.0/16')))
    assert.ok(!within(cidr('10.0.0.0/8'), cidr('10.1.0.0/16')))
  })

  it('are joined when they are neighbours or nested', () => {
    assert.deepEqual(compact(['10.0.1.0/24', '10.0.0.0/24', '10.0.0.128/25', '10.0.2.0/24'].map(cidr)).map(formatCidr), ['10.0.0.0/23', '10.0.2.0/24'])
    assert.deepEqual(compact(['10.0.1.0/24', '10.0.2.0/24'].map(cidr)).map(formatCidr), ['10.0.1.0/24', '10.0.2.0/24'])
  })

  it('follow from the MAC in a SLAAC prefix', () => {
    assert.equal(eui64(cidr('2001:db8::/64'), 'fa:16:3e:97:e8:e4'), '2001:db8::f816:3eff:fe97:e8e4')
  })
})
