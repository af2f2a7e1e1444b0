/** Making, changing and removing subnets, each in one transaction. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { type Cidr, eui64, formatCidr, parseCidr } from '#neutron/core/address.ts'
import { toColumns, type Values } from '#neutron/core/body.ts'
import { subnet as noun } from '#neutron/core/nouns/subnet.ts'
import { checkGateway, checkGatewayOutside, checkOverlap, checkPools, checkSubnet, defaultGateway, defaultPools, isAuto, type Pool, refuse, type SubnetAsk } from '#neutron/core/subnet-plan.ts'
import type { Neutron } from '#neutron/house.ts'
import { allocationsOfSubnet, insertAllocations, removeAllocations } from '#neutron/store/addresses.ts'
import { changeRow, insertRow, removeRow } from '#neutron/store/rows.ts'
import type { NetworkRow, SubnetRow, T } from '#neutron/store/tables.ts'
import { type FixedIp, isRouterOwner, subnetsOf } from './addresses.ts'
import { refreshDhcp } from './dhcp.ts'
import { born, changed, touch } from './standard.ts'
import { fromPool } from './subnetpools.ts'
import { store, there } from '#neutron/store/store.ts'

export async function createSubnet(house: Neutron, tx: T, values: Values, network: NetworkRow, admin: boolean): Promise<SubnetRow> {
  const version = values.ip_version as 4 | 6
  const others = await subnetsOf(tx, network.id)
  const pooled = await poolOf(house, tx, values, others, admin)
  const cidr = pooled?.cidr ?? parseCidr(values.cidr as string)!
  const ask: SubnetAsk = {
    ip_version: version,
    enable_dhcp: values.enable_dhcp !== false,
    gateway_ip: values.gateway_ip as string | null | undefined,
    allocation_pools: values.allocation_pools as Pool[] | null | undefined,
    ipv6_ra_mode: (values.ipv6_ra_mode as string | undefined) ?? null,
    ipv6_address_mode: (values.ipv6_address_mode as string | undefined) ?? null,
    dns_nameservers: (values.dns_nameservers as string[] | undefined) ?? [],
    host_routes: (values.host_routes as { destination: string; nexthop: string }[] | undefined) ?? [],
  }
  checkSubnet(ask, cidr, { dns: house.config.max_dns_nameservers, routes: house.config.max_subnet_host_routes })
  checkOverlap(cidr, others.map((one) => one.cidr), network.id)
  if (version === 6 && network.mtu < 1280) throw conflict(`MTU ${network.mtu} is too small for an IPv6 subnet: minimum is 1280.`, { code: 'NetworkMTUSubnetConflict' })
  const gateway = ask.gateway_ip === undefined ? defaultGateway(cidr) : ask.gateway_ip
  const pools = ask.allocation_pools ?? defaultPools(cidr, gateway)
  if (ask.allocation_pools) {
    checkPools(pools, cidr)
    checkGatewayOutside(gateway, pools)
  }
  const row = {
    ...toColumns(noun, values),
    id: house.world.random.uuid(),
    network_id: network.id,
    ip_version: version,
    cidr: formatCidr(cidr),
    gateway_ip: gateway,
    allocation_pools: JSON.stringify(pools),
    subnetpool_id: pooled?.id ?? null,
    ipv6_ra_mode: ask.ipv6_ra_mode,
    ipv6_address_mode: ask.ipv6_address_mode,
    segment_id: await segmentFor(tx, values.segment_id as string | null | undefined, network.id),
    service_types: JSON.stringify(values.service_types ?? []),
    tags: '[]',
    ...born(house),
  } as unknown as SubnetRow
  await insertRow(tx as never, 'neutron_subnets', row as never)
  await touch(house, tx, 'neutron_networks', network)
  if (isAuto(row)) await giveAutoAddresses(tx, row, cidr)
  if (others.length > 0 || isAuto(row)) await refreshDhcp(house, tx, network.id)
  return row
}

async function segmentFor(tx: T, id: string | null | undefined, networkId: string): Promise<string | null> {
  if (id === undefined || id === null) return null
  const segment = await store.segments.one(tx, { id }, ['network_id'])
  if (!segment) throw notFound(`Segment ${id} could not be found.`, { code: 'SegmentNotFound' })
  if (segment.network_id !== networkId) throw invalid(`Segment ${id} is not associated with network ${networkId}.`, { code: 'SegmentNotAssociatedWithNetwork' })
  return id
}

async function poolOf(house: Neutron, tx: T, values: Values, others: readonly SubnetRow[], admin: boolean): Promise<{ id: string; cidr: Cidr } | undefined> {
  const bad = (text: string): never => {
    throw invalid(`Bad subnets request: ${text}.`, { code: 'BadRequest' })
  }
  const version = values.ip_version as 4 | 6
  let pool = values.subnetpool_id as string | null | undefined
  if (values.use_default_subnetpool === true) {
    if (pool) bad('subnetpool_id and use_default_subnetpool cannot both be specified')
    const found = await store.subnetpools.one(tx, { is_default: 1, ip_version: version }, ['id'])
    if (!found) throw notFound(`No default subnetpool found for IPv${version}.`, { code: 'BadRequest' })
    pool = found.id
  }
  const asked = values.cidr as string | null | undefined
  if (asked && values.prefixlen !== undefined) bad('cidr and prefixlen must not be supplied together')
  if (pool === 'prefix_delegation') throw refuse('prefix delegation is not offered by this cloud', 'subnetpool_id')
  const affinity = others.filter((one) => one.ip_version === version)
  if (!pool) {
    if (!asked) bad('a subnetpool must be specified in the absence of a cidr')
    if (affinity.some((one) => one.subnetpool_id !== null)) throw affinityError()
    return undefined
  }
  if (affinity.some((one) => one.subnetpool_id !== pool)) throw affinityError()
  const owner = values.project_id as string
  return { id: pool, cidr: await fromPool(house, tx, { pool, version, project: owner, admin, cidr: asked ?? undefined, prefixlen: values.prefixlen as number | undefined }) }
}

const affinityError = (): Error => invalid('Subnets hosted on the same network must be allocated from the same subnet pool.', { code: 'NetworkSubnetPoolAffinityError' })

/** Ports that are there already give themselves an address in a new SLAAC subnet; so do we. */
async function giveAutoAddresses(tx: T, subnet: SubnetRow, cidr: Cidr): Promise<void> {
  const ports = await store.ports.all(tx, { network_id: subnet.network_id }, ['id', 'mac_address', 'fixed_ips', 'device_owner', 'revision_number'])
  for (const port of ports) {
    if (isRouterOwner(port.device_owner) || port.device_owner === 'network:dhcp' || port.device_owner === 'network:floatingip') continue
    const ip_address = eui64(cidr, port.mac_address)
    await insertAllocations(tx, [{ network_id: subnet.network_id, subnet_id: subnet.id, ip_address, port_id: port.id }])
    const fixed = [...(JSON.parse(port.fixed_ips) as FixedIp[]), { subnet_id: subnet.id, ip_address }]
    await changeRow(tx as never, 'neutron_ports', port.id, { fixed_ips: JSON.stringify(fixed), revision_number: port.revision_number + 1 })
  }
}

export async function updateSubnet(house: Neutron, tx: T, row: SubnetRow, values: Values): Promise<SubnetRow> {
  const cidr = parseCidr(row.cidr)!
  const next: SubnetRow = { ...row, ...(toColumns(noun, values) as unknown as Partial<SubnetRow>), ...changed(house, row as never) }
  const gateway = values.gateway_ip === undefined ? row.gateway_ip : (values.gateway_ip as string | null)
  if (values.allocation_pools === null) next.allocation_pools = JSON.stringify(defaultPools(cidr, gateway))
  const pools = JSON.parse(next.allocation_pools) as Pool[]
  checkSubnet(
    {
      ip_version: row.ip_version,
      enable_dhcp: next.enable_dhcp === 1,
      gateway_ip: gateway,
      allocation_pools: pools,
      ipv6_ra_mode: row.ipv6_ra_mode,
      ipv6_address_mode: row.ipv6_address_mode,
      dns_nameservers: JSON.parse(next.dns_nameservers) as string[],
      host_routes: JSON.parse(next.host_routes) as SubnetAsk['host_routes'],
    },
    cidr,
    { dns: house.config.max_dns_nameservers, routes: house.config.max_subnet_host_routes },
  )
  if (values.allocation_pools) checkPools(pools, cidr)
  if (gateway !== row.gateway_ip) {
    if (gateway !== null) checkGateway(gateway, cidr)
    await gatewayFree(tx, row)
  }
  if (values.allocation_pools || gateway !== row.gateway_ip) checkGatewayOutside(gateway, pools)
  if (values.segment_id !== undefined) next.segment_id = await segmentFor(tx, values.segment_id as string | null, row.network_id)
  await changeRow(tx as never, 'neutron_subnets', row.id, next as never)
  await refreshDhcp(house, tx, row.network_id)
  house.notices.everybody(tx, 'subnet')
  return next
}

/** The old gateway must not be a router's. */
async function gatewayFree(tx: T, row: SubnetRow): Promise<void> {
  if (row.gateway_ip === null) return
  const used = (await allocationsOfSubnet(tx, row.id)).find((one) => one.ip_address === row.gateway_ip && isRouterOwner(one.device_owner))
  if (used) throw conflict(`Current gateway ip ${row.gateway_ip} already in use by port ${used.port_id}. Unable to update.`, { code: 'GatewayIpInUse' })
}

export async function deleteSubnet(house: Neutron, tx: T, row: SubnetRow): Promise<void> {
  const uses = await allocationsOfSubnet(tx, row.id)
  const blocking = uses.filter((one) => one.device_owner !== 'network:dhcp' && (!isAuto(row) || isRouterOwner(one.device_owner)))
  if (blocking.length > 0) throw conflict(`Unable to complete operation on subnet ${row.id}: One or more ports have an IP allocation from this subnet.`, { code: 'SubnetInUse' })
  for (const use of uses) {
    const port = there(await store.ports.one(tx, { id: use.port_id }, ['id', 'fixed_ips', 'revision_number', 'binding:host_id']))
    const fixed = (JSON.parse(port.fixed_ips) as FixedIp[]).filter((one) => one.subnet_id !== row.id)
    await changeRow(tx as never, 'neutron_ports', port.id, { fixed_ips: JSON.stringify(fixed), revision_number: port.revision_number + 1 })
    await removeAllocations(tx, port.id, [use.ip_address])
    if (port['binding:host_id'] !== '') house.notices.changed(tx, { ports: [port.id] }, port['binding:host_id'])
  }
  await removeRow(tx as never, 'neutron_subnets', row.id)
  const network = await store.networks.one(tx, { id: row.network_id }, ['id', 'revision_number'])
  if (network) await touch(house, tx, 'neutron_networks', network)
  if (uses.length > 0) house.notices.changed(tx, { networks: [row.network_id] })
}
