import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isFault } from '#base/fault.ts'
import { seededRandom } from '#base/random.ts'
import { formatCidr, parseCidr } from './address.ts'
import { freeOf, rangesOf, sample } from './ipam.ts'
import { cut, freeBlocks, quotaUnits } from './pool-cutting.ts'
import { checkGateway, checkGatewayOutside, checkOverlap, checkPools, checkSubnet, defaultGateway, defaultPools } from './subnet-plan.ts'

const cidr = (text: string) => parseCidr(text)!
const ask = { ip_version: 4 as const, enable_dhcp: true, gateway_ip: undefined, allocation_pools: undefined, ipv6_ra_mode: null, ipv6_address_mode: null, dns_nameservers: [], host_routes: [] }
const limits = { dns: 5, routes: 20 }
const code = (wanted: string) => (thrown: unknown) => isFault(thrown) && thrown.code === wanted

describe('a subnet', () => {
  it('gets a gateway, and pools around it', () => {
    assert.equal(defaultGateway(cidr('10.0.0.0/24')), '10.0.0.1')
    assert.deepEqual(defaultPools(cidr('10.0.0.0/24'), '10.0.0.1'), [{ start: '10.0.0.2', end: '10.0.0.254' }])
    assert.deepEqual(defaultPools(cidr('10.0.0.0/24'), '10.0.0.9'), [{ start: '10.0.0.1', end: '10.0.0.8' }, { start: '10.0.0.10', end: '10.0.0.254' }])
    assert.deepEqual(defaultPools(cidr('10.0.0.0/24'), null), [{ start: '10.0.0.1', end: '10.0.0.254' }])
    assert.deepEqual(defaultPools(cidr('2001:db8::/64'), '2001:db8::1'), [{ start: '2001:db8::2', end: '2001:db8::ffff:ffff:ffff:ffff' }])
    assert.deepEqual(defaultPools(cidr('10.0.0.0/31'), null), [{ start: '10.0.0.0', end: '10.0.0.1' }])
  })

  it('is refused when it makes no sense', () => {
    assert.throws(() => checkSubnet({ ...ask, ip_version: 6 }, cidr('10.0.0.0/24'), limits), code('InvalidInput'))
    assert.throws(() => checkSubnet(ask, cidr('10.0.0.0/31'), limits), /incompatible with DHCP/)
    assert.throws(() => checkSubnet(ask, cidr('224.0.0.0/16'), limits), /Multicast/)
    assert.throws(() => checkSubnet({ ...ask, ipv6_ra_mode: 'slaac' }, cidr('10.0.0.0/24'), limits), /not valid when ip_version is 4/)
    assert.throws(() => checkSubnet({ ...ask, ip_version: 6, ipv6_ra_mode: 'slaac', ipv6_address_mode: 'dhcpv6-stateful' }, cidr('2001:db8::/64'), limits), /must be the same value/)
    assert.throws(() => checkSubnet({ ...ask, ip_version: 6, ipv6_address_mode: 'slaac' }, cidr('2001:db8::/63'), limits), /EUI-64/)
    assert.throws(() => checkSubnet({ ...ask, dns_nameservers: ['1.1.1.1', '1.1.1.2', '1.1.1.3', '1.1.1.4', '1.1.1.5', '1.1.1.6'] }, cidr('10.0.0.0/24'), limits), code('DNSNameServersExhausted'))
    assert.throws(() => checkGateway('10.0.0.255', cidr('10.0.0.0/24')), /Gateway is not valid on subnet/)
    assert.throws(() => checkPools([{ start: '10.0.0.9', end: '10.0.0.2' }], cidr('10.0.0.0/24')), code('InvalidAllocationPool'))
    assert.throws(() => checkPools([{ start: '10.0.0.9', end: '10.0.1.2' }], cidr('10.0.0.0/24')), code('OutOfBoundsAllocationPool'))
    assert.throws(() => checkPools([{ start: '10.0.0.2', end: '10.0.0.9' }, { start: '10.0.0.9', end: '10.0.0.12' }], cidr('10.0.0.0/24')), code('OverlappingAllocationPools'))
    assert.throws(() => checkGatewayOutside('10.0.0.5', [{ start: '10.0.0.2', end: '10.0.0.9' }]), code('GatewayConflictWithAllocationPools'))
    assert.throws(() => checkOverlap(cidr('10.0.0.0/24'), ['10.0.0.128/25'], 'net'), /overlaps with another subnet/)
  })
})

describe('addresses of pools', () => {
  const random = seededRandom(7)

  it('are tried at random, each once, and only within', () => {
    const ranges = rangesOf([{ start: '10.0.0.2', end: '10.0.0.3' }, { start: '10.0.0.8', end: '10.0.0.9' }])
    assert.equal(ranges.size, 4n)
    assert.deepEqual(sample(ranges, random, 10).sort(), ['10.0.0.2', '10.0.0.3', '10.0.0.8', '10.0.0.9'])
    const wide = sample(rangesOf([{ start: '10.0.0.2', end: '10.0.255.254' }]), random, 16)
    assert.equal(new Set(wide).size, 16)
    assert.ok(wide.some((one) => !one.startsWith('10.0.0.')), 'not the lowest ones')
    assert.equal(sample(rangesOf([{ start: '2001:db8::2', end: '2001:db8::ffff:ffff:ffff:ffff' }]), random, 4).length, 4)
  })

  it('are found down to the last free one', () => {
    const ranges = rangesOf([{ start: '10.0.0.2', end: '10.0.0.6' }])
    assert.equal(freeOf(ranges, new Set(['10.0.0.2', '10.0.0.3', '10.0.0.5', '10.0.0.6']), random), '10.0.0.4')
    assert.equal(freeOf(ranges, new Set(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']), random), undefined)
  })
})

describe('a subnet pool', () => {
  it('is cut so that big blocks stay whole', () => {
    const free = freeBlocks([cidr('10.0.0.0/16')], [cidr('10.0.0.0/24')])
    assert.equal(formatCidr(cut(free, 24)!), '10.0.1.0/24')
    assert.equal(formatCidr(cut(free, 17)!), '10.0.128.0/17')
    assert.equal(cut(free, 16), undefined)
    assert.equal(quotaUnits(cidr('10.0.0.0/24')), 256)
    assert.equal(quotaUnits(cidr('2001:db8::/62')), 4)
  })
})
