/** Nova's filters by their names. Room and traits were judged by Placement already. */
import ipaddr from 'ipaddr.js'
import { queryHolds } from './json-query.ts'
import { specHolds } from './extra-specs.ts'
import type { Filter, HostState } from './types.ts'

const always: Filter = () => undefined

const availabilityZone: Filter = ({ zone }) => (zone === undefined ? undefined : ({ host }) => host.zone === zone || host.aggregates.some((one) => zonesOf(one.metadata).includes(zone)))

const zonesOf = (metadata: Readonly<Record<string, string>>): string[] => (metadata.availability_zone === undefined ? [] : metadata.availability_zone.split(',').map((one) => one.trim()))

/** `capabilities:x` and unscoped keys: what the host says of itself. */
const computeCapabilities: Filter = ({ flavor }) => {
  const asked = Object.entries(flavor.extra_specs).flatMap(([key, wanted]): [string, string][] => {
    const parts = key.split(':')
    if (parts.length > 1 && parts[0] !== 'capabilities') return []
    return [[(parts.length > 1 ? parts.slice(1) : parts).join('.'), wanted]]
  })
  if (asked.length === 0) return undefined
  return ({ host }) =>
    asked.every(([name, wanted]) => {
      const value = host.capabilities[name]
      return value !== undefined && specHolds(String(value), wanted)
    })
}

const ARCHITECTURES: Readonly<Record<string, string>> = { amd64: 'x86_64', x64: 'x86_64', arm64: 'aarch64', x86: 'i686', i386: 'i686' }
const architecture = (name: string): string => ARCHITECTURES[name.toLowerCase()] ?? name.toLowerCase()

const imageProperties: Filter = ({ image_properties: p }) => {
  const arch = p.hw_architecture ?? p.architecture
  const type = p.img_hv_type ?? p.hypervisor_type
  const version = p.img_hv_requested_version ?? p.hypervisor_version_requires
  if (arch === undefined && type === undefined && version === undefined) return undefined
  return ({ host }) => {
    if (typeof arch === 'string' && architecture(arch) !== architecture(host.arch)) return false
    if (typeof type === 'string' && !sameHypervisor(type, host.hypervisor_type)) return false
    return typeof version !== 'string' || versionFits(host.hypervisor_version, version)
  }
}

/** KVM is QEMU with an accelerator; a fake host plays any. */
function sameHypervisor(asked: string, has: string): boolean {
  const name = (one: string): string => (one.toLowerCase() === 'kvm' ? 'qemu' : one.toLowerCase())
  return has.toLowerCase() === 'fake' || name(asked) === name(has)
}

/** `>=7.2, <9`. */
function versionFits(version: number, wanted: string): boolean {
  return wanted.split(',').every((part) => {
    const match = /^\s*(>=|<=|==|!=|>|<)?\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?\s*$/.exec(part)
    if (!match) return false
    const asked = Number(match[2]) * 1_000_000 + Number(match[3] ?? 0) * 1_000 + Number(match[4] ?? 0)
    switch (match[1]) {
      case '>=':
        return version >= asked
      case '<=':
        return version <= asked
      case '>':
        return version > asked
      case '<':
        return version < asked
      case '!=':
        return version !== asked
      default:
        return version === asked
    }
  })
}

const antiAffinity: Filter = ({ group }) => (group?.policy === 'anti-affinity' ? ({ host }) => (group.members.get(host.host_id) ?? 0) < group.max_server_per_host : undefined)
const affinity: Filter = ({ group }) => (group?.policy === 'affinity' && group.members.size > 0 ? ({ host }) => group.members.has(host.host_id) : undefined)
const sameHost: Filter = ({ same_host_ids: ids }) => (ids === undefined ? undefined : ({ host }) => ids.has(host.host_id))
const differentHost: Filter = ({ different_host_ids: ids }) => (ids === undefined ? undefined : ({ host }) => !ids.has(host.host_id))

/** Keys scoped with `aggregate_instance_extra_specs:` and unscoped ones must stand in an aggregate of the host. */
const aggregateInstanceExtraSpecs: Filter = ({ flavor }) => {
  const scope = 'aggregate_instance_extra_specs:'
  const asked = Object.entries(flavor.extra_specs).flatMap(([key, wanted]): [string, string][] => (key.startsWith(scope) ? [[key.slice(scope.length), wanted]] : key.includes(':') ? [] : [[key, wanted]]))
  if (asked.length === 0) return undefined
  return ({ host }) => asked.every(([key, wanted]) => valuesOf(host, key).some((value) => specHolds(value, wanted)))
}

function valuesOf(host: HostState, key: string): string[] {
  return host.aggregates.flatMap(({ metadata }) => (metadata[key] === undefined ? [] : metadata[key].split(',').map((one) => one.trim())))
}

/** What an aggregate says of an image property must be so, when the image has the property. */
const aggregateImageProperties: Filter = ({ image_properties: p }) => (Object.keys(p).length === 0 ? undefined : ({ host }) => host.aggregates.every(({ metadata }) => Object.entries(metadata).every(([key, value]) => p[key] === undefined || value.split(',').map((one) => one.trim()).includes(String(p[key])))))

/** An aggregate with `filter_tenant_id` is for those projects only. */
const aggregateMultiTenancy: Filter = ({ project_id }) => ({ host }) => {
  const tenants = host.aggregates.flatMap(({ metadata }) => Object.entries(metadata).filter(([key]) => key.startsWith('filter_tenant_id')).flatMap(([, value]) => value.split(',').map((one) => one.trim())))
  return tenants.length === 0 || tenants.includes(project_id)
}

const aggregateType: Filter = ({ flavor }) => ({ host }) => {
  const types = valuesOf(host, 'instance_type')
  return types.length === 0 || types.includes(flavor.name)
}

const limitOf = (host: HostState, key: string, fallback: number): number => {
  const values = valuesOf(host, key).map(Number).filter(Number.isFinite)
  return values.length === 0 ? fallback : Math.min(...values)
}

const cidrAffinity: Filter = ({ near }) => {
  if (!near) return undefined
  const length = Number(near.cidr.replace('/', ''))
  const range: [ipaddr.IPv4 | ipaddr.IPv6, number] = [ipaddr.parse(near.ip), Number.isFinite(length) ? length : 24]
  return ({ host }) => ipaddr.isValid(host.host_ip) && ipaddr.parse(host.host_ip).kind() === range[0].kind() && ipaddr.parse(host.host_ip).match(range as never)
}

export const FILTERS: Readonly<Record<string, Filter>> = {
  AllHostsFilter: always,
  AvailabilityZoneFilter: availabilityZone,
  ComputeFilter: () => ({ host }) => host.up && host.enabled,
  ComputeCapabilitiesFilter: computeCapabilities,
  ImagePropertiesFilter: imageProperties,
  ServerGroupAntiAffinityFilter: antiAffinity,
  ServerGroupAffinityFilter: affinity,
  SameHostFilter: sameHost,
  DifferentHostFilter: differentHost,
  SimpleCIDRAffinityFilter: cidrAffinity,
  JsonFilter: ({ query }) => (query === undefined ? undefined : (candidate) => queryHolds(query, candidate)),
  IoOpsFilter: (_r, { max_io_ops_per_host: limit }) => ({ host }) => host.busy < limit,
  NumInstancesFilter: (_r, { max_instances_per_host: limit }) => ({ host }) => host.instances < limit,
  AggregateIoOpsFilter: (_r, { max_io_ops_per_host: limit }) => ({ host }) => host.busy < limitOf(host, 'max_io_ops_per_host', limit),
  AggregateNumInstancesFilter: (_r, { max_instances_per_host: limit }) => ({ host }) => host.instances < limitOf(host, 'max_instances_per_host', limit),
  AggregateInstanceExtraSpecsFilter: aggregateInstanceExtraSpecs,
  AggregateImagePropertiesIsolation: aggregateImageProperties,
  AggregateMultiTenancyIsolation: aggregateMultiTenancy,
  AggregateTypeAffinityFilter: aggregateType,
}
