/** Making, changing and removing networks, each in one transaction. */
import { conflict, Fault, invalid } from '#base/fault.ts'
import type { Values } from '#neutron/core/body.ts'
import { toColumns } from '#neutron/core/body.ts'
import { network as noun } from '#neutron/core/nouns/network.ts'
import { checkSegment, maxMtu, type SegmentAsk } from '#neutron/core/segments.ts'
import type { Neutron } from '#neutron/house.ts'
import { insertRbac, refreshShared, removeRbacOf, removeWildcard } from '#neutron/store/rbac.ts'
import { changeRow, insertRow, removeRow } from '#neutron/store/rows.ts'
import { freeNumber, insertSegment, noneFree, rangesFor, segmentsOf } from '#neutron/store/segments.ts'
import type { NetworkRow, SegmentRow, T } from '#neutron/store/tables.ts'
import { born, changed } from './standard.ts'
import { deletePortRows } from './port-removal.ts'
import { but, store, there } from '#neutron/store/store.ts'
import { strangerAt } from '#neutron/store/ports.ts'

const PROVIDER = ['provider:network_type', 'provider:physical_network', 'provider:segmentation_id'] as const

export async function createNetwork(house: Neutron, tx: T, values: Values): Promise<NetworkRow> {
  const id = house.world.random.uuid()
  const asked = asksOf(values)
  const segments: SegmentAsk[] = []
  const owner = values.project_id as string
  if (asked.length === 0) segments.push(await tenantSegment(house, tx, owner))
  else for (const one of asked) segments.push(await providerSegment(house, tx, one, owner))
  const first = segments[0]!
  const limit = Math.min(...segments.map((one) => maxMtu(one.network_type, house.config)))
  const mtu = (values.mtu as number) || limit
  if (mtu > limit) throw invalid(`Invalid input for operation: Requested MTU is too big, maximum is ${limit}.`, { code: 'InvalidInput', field: 'mtu' })
  const shared = values.shared === true
  if (values.is_default === true) await onlyDefault(tx, values['router:external'] === true, id)
  const several = segments.length > 1
  const row = {
    ...toColumns(noun, values),
    id,
    mtu,
    status: 'ACTIVE',
    availability_zones: '[]',
    'provider:network_type': several ? '' : first.network_type,
    'provider:physical_network': several ? null : first.physical_network,
    'provider:segmentation_id': several ? null : first.segmentation_id,
    shared_with: shared ? '["*"]' : '[]',
    tags: '[]',
    qos_policy_id: values.qos_policy_id ?? (await store.qosPolicies.one(tx, { project_id: owner, is_default: 1 }, ['id']))?.id ?? null,
    ...born(house),
  } as unknown as NetworkRow
  await insertRow(tx as never, 'neutron_networks', row as never)
  for (const [position, segment] of segments.entries()) {
    await insertSegment(tx, { id: house.world.random.uuid(), network_id: id, name: null, ...segment, position, description: null, tags: '[]', ...born(house) })
  }
  if (shared) await insertRbac(tx, share(house, row, 'access_as_shared'))
  if (row['router:external']) await insertRbac(tx, share(house, row, 'access_as_external'))
  return row
}

const share = (house: Neutron, row: NetworkRow, action: string) => ({ id: house.world.random.uuid(), project_id: row.project_id, object_type: 'network', object_id: row.id, target_tenant: '*', action })

/** What the client said of segments: by `segments`, by `provider:*`, or nothing. */
function asksOf(values: Values): SegmentAsk[] {
  const one = (from: Values): SegmentAsk => ({
    network_type: (from['provider:network_type'] as string | undefined) ?? '',
    physical_network: (from['provider:physical_network'] as string | null | undefined) ?? null,
    segmentation_id: (from['provider:segmentation_id'] as number | null | undefined) ?? null,
  })
  const given = PROVIDER.some((key) => values[key] !== undefined)
  if (values.segments !== undefined) {
    if (given) throw invalid('Plugin-specific extension provider and multi-provider attributes may not be mixed: Segments and provider values cannot both be set.', { code: 'SegmentsSetInConjunctionWithProviders' })
    return (values.segments as Values[]).map(one)
  }
  if (!given) return []
  const ask = one(values)
  if (ask.network_type === '') throw invalid('Invalid input for operation: network_type required.', { code: 'InvalidInput', field: 'provider:network_type' })
  return [ask]
}

export async function providerSegment(house: Neutron, tx: T, ask: SegmentAsk, owner: string): Promise<SegmentAsk> {
  checkSegment(ask, house.config)
  if (ask.segmentation_id !== null || ask.network_type === 'local' || ask.network_type === 'flat') return ask
  const found = await allocate(house, tx, ask.network_type, ask.physical_network, owner)
  if (!found) throw noneFree()
  return found
}

async function tenantSegment(house: Neutron, tx: T, owner: string): Promise<SegmentAsk> {
  for (const type of house.config.tenant_network_types) {
    if (type === 'local') return { network_type: 'local', physical_network: null, segmentation_id: null }
    const found = await allocate(house, tx, type, null, owner)
    if (found) return found
  }
  throw noneFree()
}

/** From the project's own ranges when it has some, else from those for all. */
async function allocate(house: Neutron, tx: T, type: string, physical: string | null, owner: string): Promise<SegmentAsk | undefined> {
  const ranges = await rangesFor(tx, type, owner)
  for (const range of ranges) {
    if (physical !== null && physical !== range.physical_network) continue
    const number = await freeNumber(tx, type, range.physical_network, { min: range.minimum, max: range.maximum }, house.world.random)
    if (number !== undefined) return { network_type: type, physical_network: range.physical_network, segmentation_id: number }
  }
  return undefined
}

async function onlyDefault(tx: T, external: boolean, id: string): Promise<void> {
  if (!external) return
  const other = await store.networks.one(tx, { is_default: 1, 'router:external': 1, id: but(id) }, ['id'])
  if (other) throw conflict(`A default external network already exists: ${other.id}.`, { code: 'DefaultExternalNetworkExists' })
}

export async function updateNetwork(house: Neutron, tx: T, row: NetworkRow, values: Values): Promise<NetworkRow> {
  if (PROVIDER.some((key) => key in values && values[key] !== row[key]) || 'segments' in values) {
    throw invalid('Invalid input for operation: Plugin does not support updating provider attributes.', { code: 'InvalidInput' })
  }
  const patch = { ...toColumns(noun, values), ...changed(house, row as never) } as Partial<NetworkRow>
  if (values.mtu !== undefined) {
    const limit = Math.min(...(await segmentsOf(tx, [row.id])).map((one) => maxMtu(one.network_type, house.config)))
    if ((values.mtu as number) > limit) throw invalid(`Invalid input for operation: Requested MTU is too big, maximum is ${limit}.`, { code: 'InvalidInput', field: 'mtu' })
    const floor = await store.subnets.all(tx, { network_id: row.id }, ['ip_version'])
    const least = floor.some((one) => one.ip_version === 6) ? 1280 : floor.length > 0 ? 68 : 0
    if (values.mtu === 0) patch.mtu = limit
    else if ((values.mtu as number) < least) throw conflict(`MTU ${String(values.mtu)} is too small for subnets of the network: minimum is ${least}.`, { code: 'NetworkMTUSubnetConflict' })
  }
  if (values.shared !== undefined) await reshare(house, tx, row, values.shared === true)
  const external = values['router:external'] as boolean | undefined
  if (external !== undefined && external !== (row['router:external'] === 1)) {
    if (external) await insertRbac(tx, share(house, row, 'access_as_external'))
    else {
      const used = await store.ports.one(tx, { network_id: row.id, device_owner: ['network:router_gateway', 'network:floatingip'] }, ['id'])
      if (used) throw conflict(`External network ${row.id} cannot be updated to be made non-external, since it has existing gateway ports.`, { code: 'ExternalNetworkInUse' })
      await store.rbac.drop(tx, { object_type: 'network', object_id: row.id, action: 'access_as_external' })
    }
  }
  if (values.is_default === true) await onlyDefault(tx, external ?? row['router:external'] === 1, row.id)
  await changeRow(tx as never, 'neutron_networks', row.id, patch as never)
  if ('qos_policy_id' in values) await store.ports.change(tx, { network_id: row.id }, { qos_network_policy_id: patch.qos_policy_id ?? null })
  house.notices.everybody(tx, 'network')
  return (there(await store.networks.one(tx, { id: row.id })))
}

async function reshare(house: Neutron, tx: T, row: NetworkRow, shared: boolean): Promise<void> {
  const now = (JSON.parse(row.shared_with) as string[]).includes('*')
  if (shared === now) return
  if (shared) await insertRbac(tx, share(house, row, 'access_as_shared'))
  else {
    await strangersGone(tx, row, undefined)
    await removeWildcard(tx, 'network', row.id, 'access_as_shared')
  }
  await refreshShared(tx, 'network', row.id)
}

/** Refuses to end sharing while a project that would lose sight has ports there. `target`: the project that loses it; all when absent. */
export async function strangersGone(tx: T, row: NetworkRow, target: string | undefined): Promise<void> {
  const rest = (await store.rbac.all(tx, { object_type: 'network', object_id: row.id, action: 'access_as_shared' }, ['target_tenant'])).map((one) => one.target_tenant)
  if (target !== undefined && target !== '*' && rest.includes('*')) return
  const ask = { network_id: row.id, owner: row.project_id, guests: rest }
  if (await strangerAt(tx, target !== undefined && target !== '*' ? { ...ask, project: target } : ask)) throw conflict(`Unable to reconfigure sharing settings for network ${row.id}. Multiple tenants are using it.`, { code: 'InvalidSharedSetting' })
}

export async function deleteNetwork(house: Neutron, tx: T, row: NetworkRow): Promise<void> {
  const ports = await store.ports.all(tx, { network_id: row.id }, ['id', 'device_owner', 'binding:host_id', 'device_id'])
  const idle = new Set(row['router:external'] ? await dropIdleFloatingIps(tx, row.id) : [])
  const others = ports.filter((port) => port.device_owner !== 'network:dhcp' && !idle.has(port.id))
  if (others.length > 0) throw inUse(row.id, others.map((port) => port.id))
  const topology = await store.topologies.one(tx, { network_id: row.id }, ['project_id'])
  if (topology) await store.topologies.drop(tx, { network_id: row.id })
  if (ports.length > 0) await deletePortRows(house, tx, ports)
  await store.subnets.drop(tx, { network_id: row.id })
  await store.segments.drop(tx, { network_id: row.id })
  if (row.availability_zones !== '[]') await store.dhcpNetworks.drop(tx, { network_id: row.id })
  if (row.shared_with !== '[]' || row['router:external']) await removeRbacOf(tx, 'network', row.id)
  await removeRow(tx as never, 'neutron_networks', row.id)
  if (ports.length > 0) house.notices.everybody(tx, 'network')
}

/** Floating IPs that lead nowhere go with their network; their ports are named. */
async function dropIdleFloatingIps(tx: T, networkId: string): Promise<string[]> {
  const idle = await store.floatingIps.all(tx, { floating_network_id: networkId, port_id: null, router_id: null }, ['id', 'floating_port_id'])
  if (idle.length > 0) await store.floatingIps.drop(tx, { id: idle.map((one) => one.id) })
  return idle.map((one) => one.floating_port_id)
}

function inUse(id: string, ports: readonly string[]): Fault {
  return conflict(`Unable to complete operation on network ${id}. There are one or more ports still in use on the network, id for these ports is ${ports.slice(0, 10).join(',')}.`, { code: 'NetworkInUse' })
}

export type { SegmentRow }
