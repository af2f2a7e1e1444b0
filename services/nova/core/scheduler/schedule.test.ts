import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '#base/random.ts'
import { DEFAULT_FILTERS, novaDefaults } from '../../config.ts'
import { specHolds } from './extra-specs.ts'
import { FILTERS } from './filters.ts'
import { schedule } from './schedule.ts'
import type { Candidate, HostState, SchedulerOptions, ScheduleRequest } from './types.ts'

const options: SchedulerOptions = { kind: 'filter', ...novaDefaults.scheduling }
const random = seededRandom(1)

function candidate(name: string, more: Partial<Omit<Candidate, 'host'>> & { host?: Partial<HostState> } = {}): Candidate {
  const { host, ...rest } = more
  return {
    host: {
      host_id: `id-${name}`, host: name, node: name, host_ip: '10.0.0.1', up: true, enabled: true, zone: 'nova', aggregates: [], hypervisor_type: 'QEMU', hypervisor_version: 7_002_022, arch: 'x86_64',
      capabilities: {}, instances: 0, busy: 0, failed_builds: 0, ...host,
    },
    free_vcpus: 10, free_ram_mb: 1_000, free_disk_gb: 100, ...rest,
  }
}

function request(more: Partial<ScheduleRequest> = {}): ScheduleRequest {
  return { project_id: 'p', flavor: { name: 'm1', vcpus: 1, memory_mb: 64, root_gb: 1, extra_specs: {} }, image_properties: {}, image_id: 'i', ignore_host_ids: new Set(), ...more }
}

const names = (ask: ScheduleRequest, candidates: Candidate[], more: Partial<SchedulerOptions> = {}): string[] => schedule(ask, candidates, { ...options, ...more }, random, 5).ranked.map((one) => one.host.host)

test('the host with most room comes first, and a failed build outweighs room', () => {
  const hosts = [candidate('small', { free_ram_mb: 10 }), candidate('large', { free_ram_mb: 9_000 }), candidate('middle', { free_ram_mb: 500 })]
  assert.deepEqual(names(request(), hosts), ['large', 'middle', 'small'])
  hosts[1]!.host.failed_builds = 1
  assert.deepEqual(names(request(), hosts), ['middle', 'small', 'large'])
})

test('a host that is down, disabled or in another zone is not taken', () => {
  const hosts = [candidate('down', { host: { up: false } }), candidate('disabled', { host: { enabled: false } }), candidate('east', { host: { zone: 'east' } }), candidate('good')]
  assert.deepEqual(names(request({ zone: 'nova' }), hosts), ['good'])
  assert.deepEqual(schedule(request({ zone: 'nova' }), hosts, options, random, 5).refused, { ComputeFilter: 2, AvailabilityZoneFilter: 1 })
})

test('a forced host is not filtered, a requested one is', () => {
  const hosts = [candidate('down', { host: { up: false } }), candidate('good')]
  assert.deepEqual(names(request({ force_host: 'down' }), hosts), ['down'])
  assert.deepEqual(names(request({ requested_host: 'down' }), hosts), [])
})

test('server groups keep together, apart, or only prefer to', () => {
  const hosts = [candidate('a'), candidate('b'), candidate('c')]
  const members = new Map([['id-b', 1]])
  const group = (policy: 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity', max = 1) => request({ group: { policy, max_server_per_host: max, members } })
  assert.deepEqual(names(group('affinity'), hosts), ['b'])
  assert.deepEqual(names(group('anti-affinity'), hosts), ['a', 'c'])
  assert.deepEqual(names(group('anti-affinity', 2), hosts), ['a', 'b', 'c'])
  assert.equal(names(group('soft-affinity'), hosts)[0], 'b')
  assert.equal(names(group('soft-anti-affinity'), hosts).at(-1), 'b')
})

test('hints and image properties', () => {
  const hosts = [candidate('a'), candidate('arm', { host: { arch: 'aarch64' } }), candidate('fake', { host: { hypervisor_type: 'fake' } })]
  assert.deepEqual(names(request({ same_host_ids: new Set(['id-a']) }), hosts), ['a'])
  assert.deepEqual(names(request({ different_host_ids: new Set(['id-a']) }), hosts), ['arm', 'fake'])
  assert.deepEqual(names(request({ image_properties: { hw_architecture: 'arm64' } }), hosts), ['arm'])
  assert.deepEqual(names(request({ image_properties: { img_hv_type: 'kvm' } }), hosts), ['a', 'arm', 'fake'])
  assert.deepEqual(names(request({ image_properties: { img_hv_requested_version: '>=8.0' } }), hosts), [])
  const query = ['and', ['>=', '$free_ram_mb', 500], ['=', '$hypervisor_hostname', 'arm']]
  assert.deepEqual(names(request({ query }), hosts, { enabled_filters: ['JsonFilter'] }), ['arm'])
})

test('extra specs are asked of aggregates and of the host itself', () => {
  const hosts = [candidate('plain'), candidate('ssd', { host: { aggregates: [{ name: 'fast', metadata: { ssd: 'true, yes' } }], capabilities: { 'cpu_info.features': 'avx sse' } } })]
  const with_ = (extra_specs: Record<string, string>) => request({ flavor: { name: 'm1', vcpus: 1, memory_mb: 1, root_gb: 0, extra_specs } })
  assert.deepEqual(names(with_({ 'aggregate_instance_extra_specs:ssd': 'true' }), hosts, { enabled_filters: ['AggregateInstanceExtraSpecsFilter'] }), ['ssd'])
  assert.deepEqual(names(with_({ 'capabilities:cpu_info:features': '<in> avx' }), hosts), ['ssd'])
  assert.deepEqual(names(with_({ 'hw:cpu_policy': 'shared' }), hosts).length, 2)
})

test('the operators of extra specs', () => {
  for (const [value, wanted, holds] of [['12', '>= 9', true], ['12', '== 12', true], ['a', '<or> b <or> a', true], ['abc', '<in> bc', true], ['abc', '<all-in> a d', false], ['x', 'x', true], ['x', 's!= x', false]] as const) {
    assert.equal(specHolds(value, wanted), holds, `${value} ${wanted}`)
  }
})

test('chance takes any, simple the most memory, and every default filter exists', () => {
  const hosts = [candidate('a', { free_ram_mb: 1 }), candidate('b', { free_ram_mb: 5 })]
  assert.deepEqual(names(request(), hosts, { kind: 'chance' }).toSorted(), ['a', 'b'])
  assert.deepEqual(names(request(), hosts, { kind: 'simple' }), ['b', 'a'])
  for (const name of DEFAULT_FILTERS) assert.ok(FILTERS[name], name)
})

test('ten thousand hosts are ranked well within 20 ms', () => {
  const hosts = Array.from({ length: 10_000 }, (_, i) => candidate(`h${i}`, { free_ram_mb: (i * 7_919) % 65_536, free_vcpus: i % 64, host: { instances: i % 9 } }))
  const ask = request({ zone: 'nova', group: { policy: 'anti-affinity', max_server_per_host: 1, members: new Map([['id-h3', 1]]) } })
  const times: number[] = []
  for (let i = 0; i < 60; i++) {
    const began = process.cpuUsage()
    schedule(ask, hosts, options, random, 3)
    const { user, system } = process.cpuUsage(began)
    times.push((user + system) / 1_000)
  }
  times.sort((a, b) => a - b)
  assert.ok(times[54]! < 20, `p90 of ${times[54]} ms`)
})
