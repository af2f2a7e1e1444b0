import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitsSpec, type Pool, schedule, type Wish } from './scheduler.ts'

const pool = (host: string, facts: object = {}, more: Partial<Pool> = {}): Pool => ({
  host,
  availability_zone: 'nova',
  usable: true,
  promised_gb: 0,
  facts: {
    pool_name: 'p',
    storage_protocol: 'nbd',
    vendor_name: 'Ondol',
    driver_version: '1',
    total_capacity_gb: 100,
    free_capacity_gb: 100,
    provisioned_capacity_gb: 0,
    thin_provisioning_support: true,
    multiattach: true,
    online_extend_support: true,
    volume_backend_name: host,
    reserved_percentage: 0,
    max_over_subscription_ratio: 1,
    revertable: true,
    manageable: true,
    backupable: true,
    group_snapshots: true,
    ...facts,
  },
  ...more,
})
const wish = (more: Partial<Wish> = {}): Wish => ({ size_gb: 10, availability_zone: 'nova', extra_specs: {}, multiattach: false, ...more })

test('the emptiest pool that fits comes first, and what was promised since counts', () => {
  const pools = [pool('a', { provisioned_capacity_gb: 50 }), pool('b', {}, { promised_gb: 60 }), pool('c', { provisioned_capacity_gb: 95 })]
  assert.deepEqual(schedule(pools, wish()).hosts, ['a#p', 'b#p'])
})

test('thin pools may promise more than there is, thick ones and reserves may not', () => {
  assert.deepEqual(schedule([pool('a', { max_over_subscription_ratio: 2 })], wish({ size_gb: 150 })).hosts, ['a#p'])
  assert.equal(schedule([pool('a', { reserved_percentage: 50 })], wish({ size_gb: 60 })).refused_by, 'capacity')
  assert.equal(schedule([pool('a', { thin_provisioning_support: false, free_capacity_gb: 5, max_over_subscription_ratio: 20 })], wish()).refused_by, 'capacity')
})

test('what is down, elsewhere, or lacks a capability is left out, and the answer says why', () => {
  assert.equal(schedule([pool('a', {}, { usable: false })], wish()).refused_by, 'down')
  assert.equal(schedule([pool('a')], wish({ availability_zone: 'mars' })).refused_by, 'zone')
  assert.equal(schedule([pool('a')], wish({ extra_specs: { volume_backend_name: 'b' } })).refused_by, 'capabilities')
  assert.equal(schedule([pool('a')], wish({ extra_specs: { 'capabilities:storage_protocol': 'iSCSI' } })).refused_by, 'capabilities')
  assert.equal(schedule([pool('a', { multiattach: false })], wish({ multiattach: true })).refused_by, 'capabilities')
  assert.equal(schedule([pool('a')], wish({ on: 'b' })).refused_by, 'hints')
  assert.deepEqual(schedule([pool('a'), pool('b')], wish({ not_on: 'a' })).hosts, ['b#p'])
  assert.deepEqual(schedule([pool('a'), pool('b')], wish({ hints: { different_host: ['b'] } })).hosts, ['a#p'])
  assert.deepEqual(schedule([pool('a')], wish({ extra_specs: { 'vendor:secret': 'x', 'RESKEY:availability_zones': 'mars, nova', thin_provisioning_support: '<is> True' } })).hosts, ['a#p'])
})

test('the little language of extra specs', () => {
  for (const [value, spec, fits] of [
    [true, '<is> True', true],
    [false, '<is> True', false],
    ['abc', '<in> b', true],
    ['b', '<or> a <or> b', true],
    [5, '>= 5', true],
    [5, '< 5', false],
    [5, '!= 5', false],
    ['x', 's== x', true],
    ['x', 's!= x', false],
    ['Nbd', 'nbd', true],
  ] as const) assert.equal(fitsSpec(value, spec), fits, `${value} ${spec}`)
})
