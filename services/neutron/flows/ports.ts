/** Making and changing ports, each in one transaction. Routers, floating IPs and DHCP make theirs by the same function. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { type Given, toColumns, type Values } from '#neutron/core/body.ts'
import { eui64, parseCidr } from '#neutron/core/address.ts'
import { newMac } from '#neutron/core/mac.ts'
import { port as noun } from '#neutron/core/nouns/port.ts'
import { isAuto } from '#neutron/core/subnet-plan.ts'
import type { Neutron } from '#neutron/house.ts'
import { insertAllocations, removeAllocations } from '#neutron/store/addresses.ts'
import { remoteAmong } from '#neutron/store/security-groups.ts'
import { changeRow, insertRow } from '#neutron/store/rows.ts'
import type { NetworkRow, PortRow, SubnetRow, T } from '#neutron/store/tables.ts'
import { chooseAddresses, type FixedIp, isRouterOwner, subnetsOf } from './addresses.ts'
import { bind } from './binding.ts'
import { ensureDefaultGroup } from './default-group.ts'
import { ensureDhcp } from './dhcp.ts'
import { followParent } from './trunks.ts'
import { born, changed } from './standard.ts'
import { store, there } from '#neutron/store/store.ts'

export type PortNetwork = Pick<NetworkRow, 'id' | 'project_id' | 'port_security_enabled' | 'qos_policy_id' | 'dns_domain' | 'availability_zones'>

export interface PortWish {
  values: Values
  /** Attributes that were said; the others get what the network or the project gives. */
  named: ReadonlySet<string>
}

/** A wish made by the house itself: everything in it is said. */
export const wishOf = (values: Values): Given => ({ values, named: new Set(Object.keys(values)) })

const isNetworkOwner = (owner: string): boolean => owner.startsWith('network:')

export async function createPort(house: Neutron, tx: T, wish: PortWish, network: PortNetwork, known?: readonly SubnetRow[]): Promise<PortRow> {
  const { values } = wish
  const owner = (values.device_owner as string | undefined) ?? ''
  const project = (values.project_id as string | undefined) ?? ''
  const subnets = known ?? (await subnetsOf(tx, network.id))
  const mac = await macFor(house, tx, network.id, values.mac_address as string | null | undefined)
  const asked = values.fixed_ips as readonly { subnet_id?: string; ip_address?: string }[] | undefined
  const fixed = await chooseAddresses(house, tx, { network_id: network.id, device_owner: owner, mac_address: mac, fixed_ips: asked }, subnets)
  const secure = isNetworkOwner(owner) ? false : ((values.port_security_enabled as boolean | undefined) ?? network.port_security_enabled === 1)
  const groups = await groupsFor(house, tx, values.security_groups as string[] | null | undefined, { secure, owner, project, addresses: fixed.length })
  const pairs = pairsFor(house, values.allowed_address_pairs as Pair[] | undefined, mac, secure)
  const host = (values['binding:host_id'] as string | null | undefined) ?? ''
  const id = house.world.random.uuid()
  const bound = await bind(house, tx, host, (values['binding:vnic_type'] as string | undefined) ?? 'normal', id)
  const row: PortRow = {
    ...(toColumns(noun, values) as unknown as PortRow),
    id,
    project_id: project,
    name: (values.name as string | undefined) ?? '',
    network_id: network.id,
    mac_address: mac,
    admin_state_up: values.admin_state_up === false ? 0 : 1,
    status: 'DOWN',
    device_id: (values.device_id as string | undefined) ?? '',
    device_owner: owner,
    fixed_ips: JSON.stringify(fixed),
    security_groups: JSON.stringify(groups),
    allowed_address_pairs: JSON.stringify(pairs),
    extra_dhcp_opts: JSON.stringify(dhcpOptions([], values.extra_dhcp_opts as DhcpOption[] | null | undefined)),
    port_security_enabled: secure ? 1 : 0,
    'binding:host_id': host,
    'binding:vnic_type': (values['binding:vnic_type'] as string | undefined) ?? 'normal',
    'binding:profile': JSON.stringify(values['binding:profile'] ?? {}),
    ...bound,
    qos_policy_id: (values.qos_policy_id as string | null | undefined) ?? null,
    qos_network_policy_id: network.qos_policy_id,
    dns_name: ((values.dns_name as string | undefined) ?? '').toLowerCase(),
    dns_domain: (values.dns_domain as string | undefined) ?? '',
    device_profile: (values.device_profile as string | null | undefined) ?? null,
    numa_affinity_policy: (values.numa_affinity_policy as string | null | undefined) ?? null,
    propagate_uplink_status: values.propagate_uplink_status === false ? 0 : 1,
    description: (values.description as string | undefined) ?? '',
    tags: JSON.stringify(values.tags ?? []),
    ...born(house),
  }
  await insertRow(tx as never, 'neutron_ports', row as never)
  await insertAllocations(tx, fixed.map((one) => ({ network_id: network.id, port_id: id, ...one })))
  if (groups.length > 0) await store.portGroups.add(tx, groups.map((security_group_id) => ({ port_id: id, security_group_id })))
  if (!isNetworkOwner(owner)) await ensureDhcp(house, tx, network, subnets, host !== '')
  if (host !== '') {
    house.notices.changed(tx, { ports: [id], networks: [network.id] }, host)
    const sets = await remoteAmong(tx, groups)
    if (sets.length > 0) house.notices.changed(tx, { sets })
  }
  return row
}

async function macFor(house: Neutron, tx: T, networkId: string, asked: string | null | undefined): Promise<string> {
  // The unique index has the last word over random addresses: a clash is tried again with the whole transaction.
  if (!asked) return newMac(house.world.random, house.config.base_mac)
  if (!(await store.ports.one(tx, { network_id: networkId, mac_address: asked }, ['id']))) return asked
  throw conflict(`Unable to complete operation for network ${networkId}. The mac address ${asked} is in use.`, { code: 'MacAddressInUse' })
}

interface GroupAsk {
  secure: boolean
  owner: string
  project: string
  addresses: number
}

async function groupsFor(house: Neutron, tx: T, asked: string[] | null | undefined, ask: GroupAsk): Promise<string[]> {
  if (isNetworkOwner(ask.owner)) return []
  if (asked !== undefined && asked !== null) {
    if (asked.length === 0) return []
    if (!ask.secure) {
      throw invalid('Port security must be enabled and port must have an IP address in order to use security groups.', { code: 'PortSecurityAndIPRequiredForSecurityGroups' })
    }
    return checkGroups(tx, asked, ask.project)
  }
  return ask.secure && ask.project !== '' ? [await ensureDefaultGroup(house, tx, ask.project)] : []
}

/** Groups must be the port owner's own, or shared with its project. */
async function checkGroups(tx: T, asked: readonly string[], project: string): Promise<string[]> {
  const ids = [...new Set(asked)]
  const rows = await store.groups.all(tx, { id: ids }, ['id', 'project_id', 'shared_with'])
  const usable = new Set(rows.filter((row) => row.project_id === project || project === '' || sharedWith(row.shared_with, project)).map((row) => row.id))
  const strange = ids.find((id) => !usable.has(id))
  if (strange !== undefined) throw notFound(`Security group ${strange} does not exist`, { code: 'SecurityGroupNotFound' })
  return ids
}

const sharedWith = (text: string, project: string): boolean => text !== '[]' && ['*', project].some((target) => (JSON.parse(text) as string[]).includes(target))

interface Pair {
  ip_address: string
  mac_address?: string
}

function pairsFor(house: Neutron, asked: readonly Pair[] | undefined, mac: string, secure: boolean): Pair[] {
  if (!asked || asked.length === 0) return []
  if (!secure) throw conflict('Port Security must be enabled in order to have allowed address pairs on a port.', { code: 'AddressPairAndPortSecurityRequired' })
  if (asked.length > house.config.max_allowed_address_pair) throw invalid(`The number of allowed address pair exceeds the maximum ${house.config.max_allowed_address_pair}.`, { code: 'AllowedAddressPairExhausted' })
  const out = asked.map((pair) => ({ mac_address: pair.mac_address ?? mac, ip_address: pair.ip_address }))
  const twice = out.find((pair, i) => out.findIndex((other) => other.ip_address === pair.ip_address && other.mac_address === pair.mac_address) !== i)
  if (twice) throw invalid(`Request contains duplicate address pair: mac_address ${twice.mac_address} ip_address ${twice.ip_address}.`, { code: 'DuplicateAddressPairInRequest' })
  return out
}

interface DhcpOption {
  opt_name: string
  opt_value: string | null
  ip_version?: number | null
}

/** Options laid over what is there: a null value takes one away. */
function dhcpOptions(before: readonly DhcpOption[], sent: readonly DhcpOption[] | null | undefined): DhcpOption[] {
  if (!sent) return [...before]
  const out = new Map(before.map((one) => [`${one.opt_name}/${String(one.ip_version)}`, one]))
  for (const { opt_name, opt_value, ip_version } of sent) {
    const key = `${opt_name}/${String(ip_version ?? 4)}`
    if (opt_value === null) out.delete(key)
    else out.set(key, { opt_name, opt_value, ip_version: ip_version ?? 4 })
  }
  return [...out.values()]
}

export async function updatePort(house: Neutron, tx: T, row: PortRow, wish: PortWish): Promise<PortRow> {
  const { values } = wish
  const next: PortRow = { ...row, ...(toColumns(noun, values) as unknown as Partial<PortRow>) }
  const macMoved = typeof values.mac_address === 'string' && values.mac_address !== row.mac_address
  if (values.mac_address === null || macMoved) {
    if (row.device_owner !== '' && !isNetworkOwner(row.device_owner) && row['binding:host_id'] !== '' && row['binding:vif_type'] !== 'unbound' && row['binding:vif_type'] !== 'binding_failed') {
      throw conflict(`Unable to complete operation on port ${row.id}, port is already bound, port type: ${row['binding:vif_type']}, old_mac ${row.mac_address}, new_mac ${String(values.mac_address)}.`, { code: 'PortBound' })
    }
    next.mac_address = await macFor(house, tx, row.network_id, values.mac_address as string | null)
  } else next.mac_address = row.mac_address
  const before = JSON.parse(row.fixed_ips) as FixedIp[]
  const fixed = values.fixed_ips === undefined ? (next.mac_address !== row.mac_address ? await autoAnew(tx, before, next.mac_address) : before) : await moveAddresses(house, tx, row, next, values.fixed_ips as FixedIp[], before)
  next.fixed_ips = JSON.stringify(fixed)
  const secure = (values.port_security_enabled as boolean | undefined) ?? row.port_security_enabled === 1
  next.port_security_enabled = secure ? 1 : 0
  const groups = await nextGroups(tx, row, next, values, secure)
  next.security_groups = JSON.stringify(groups)
  const pairs = values.allowed_address_pairs as Pair[] | undefined
  if (pairs !== undefined) next.allowed_address_pairs = JSON.stringify(pairsFor(house, pairs, next.mac_address, secure))
  else if (!secure && row.allowed_address_pairs !== '[]' && values.port_security_enabled === false) throw conflict('Port Security must be enabled in order to have allowed address pairs on a port.', { code: 'AddressPairAndPortSecurityRequired' })
  next.extra_dhcp_opts = JSON.stringify(dhcpOptions(JSON.parse(row.extra_dhcp_opts) as DhcpOption[], values.extra_dhcp_opts as DhcpOption[] | null | undefined))
  next['binding:host_id'] = (next['binding:host_id'] as string | null) ?? ''
  next['binding:profile'] = 'binding:profile' in values ? JSON.stringify(values['binding:profile']) : row['binding:profile']
  if (typeof values.dns_name === 'string') next.dns_name = values.dns_name.toLowerCase()
  const rebound = next['binding:host_id'] !== row['binding:host_id'] || next['binding:vnic_type'] !== row['binding:vnic_type'] || (next['binding:host_id'] !== '' && row['binding:vif_type'] === 'binding_failed')
  if (rebound) {
    Object.assign(next, await bind(house, tx, next['binding:host_id'], next['binding:vnic_type'], row.id))
    next.status = 'DOWN'
  }
  if (next.admin_state_up === 0 && row.admin_state_up === 1 && row.status === 'ACTIVE') next.status = 'DOWN'
  Object.assign(next, changed(house, row as never))
  await changeRow(tx as never, 'neutron_ports', row.id, next as never)
  await tell(house, tx, row, next, groups)
  if (next['binding:host_id'] !== row['binding:host_id']) await followParent(house, tx, row.id, next['binding:host_id'])
  return next
}

async function nextGroups(tx: T, row: PortRow, next: PortRow, values: Values, secure: boolean): Promise<string[]> {
  const before = JSON.parse(row.security_groups) as string[]
  const device = isNetworkOwner(next.device_owner)
  const asked = device ? [] : (values.security_groups as string[] | null | undefined)
  if (asked === undefined) {
    if (values.port_security_enabled === false && before.length > 0) throw conflict('Port has security group associated. Cannot disable port security or IP address until security group is removed.', { code: 'PortSecurityPortHasSecurityGroup' })
    return before
  }
  const wanted = asked ?? []
  if (wanted.length > 0 && !secure) throw invalid('Port security must be enabled and port must have an IP address in order to use security groups.', { code: 'PortSecurityAndIPRequiredForSecurityGroups' })
  const groups = wanted.length > 0 ? await checkGroups(tx, wanted, row.project_id) : []
  if (JSON.stringify(groups) === row.security_groups) return groups
  await store.portGroups.drop(tx, { port_id: row.id })
  if (groups.length > 0) await store.portGroups.add(tx, groups.map((security_group_id) => ({ port_id: row.id, security_group_id })))
  return groups
}

/** SLAAC addresses follow the MAC. */
async function autoAnew(tx: T, before: readonly FixedIp[], mac: string): Promise<FixedIp[]> {
  const out: FixedIp[] = []
  for (const one of before) {
    const subnet = await store.subnets.one(tx, { id: one.subnet_id })
    if (!subnet || !isAuto(subnet)) out.push(one)
    else {
      const ip_address = eui64(parseCidr(subnet.cidr)!, mac)
      await store.allocations.change(tx, { network_id: subnet.network_id, ip_address: one.ip_address }, { ip_address })
      out.push({ subnet_id: one.subnet_id, ip_address })
    }
  }
  return out
}

/** Keeps what stays, lets go of what was not asked for again, and chooses the rest. */
async function moveAddresses(house: Neutron, tx: T, row: PortRow, next: PortRow, asked: readonly { subnet_id?: string; ip_address?: string }[], before: readonly FixedIp[]): Promise<FixedIp[]> {
  const subnets = await subnetsOf(tx, row.network_id)
  const bySubnet = new Map(subnets.map((subnet) => [subnet.id, subnet]))
  const left = [...before]
  const kept: FixedIp[] = []
  const open: { subnet_id?: string; ip_address?: string }[] = []
  const take = (fits: (one: FixedIp) => boolean): FixedIp | undefined => {
    const at = left.findIndex(fits)
    return at < 0 ? undefined : left.splice(at, 1)[0]
  }
  const later: { subnet_id?: string; ip_address?: string }[] = []
  for (const one of asked) {
    if (one.ip_address === undefined) later.push(one)
    else {
      const same = take((have) => have.ip_address === one.ip_address && (one.subnet_id === undefined || have.subnet_id === one.subnet_id))
      if (same) kept.push(same)
      else open.push(one)
    }
  }
  for (const one of later) {
    const same = take((have) => have.subnet_id === one.subnet_id)
    if (same) kept.push(same)
    else open.push(one)
  }
  // An automatic address stays as long as its subnet is there: the guest gives it to itself whatever we say.
  if (!isRouterOwner(next.device_owner)) {
    for (const one of left.filter((have) => bySubnet.has(have.subnet_id) && isAuto(bySubnet.get(have.subnet_id)!))) {
      kept.push(one)
      left.splice(left.indexOf(one), 1)
    }
  }
  await removeAllocations(tx, row.id, left.map((one) => one.ip_address))
  const chosen = open.length === 0 ? [] : await chooseAddresses(house, tx, { network_id: row.network_id, device_owner: next.device_owner, mac_address: next.mac_address, fixed_ips: open }, subnets, kept)
  await insertAllocations(tx, chosen.map((one) => ({ network_id: row.network_id, port_id: row.id, ...one })))
  return [...kept, ...chosen]
}

async function tell(house: Neutron, tx: T, row: PortRow, next: PortRow, groups: readonly string[]): Promise<void> {
  const before = row['binding:host_id']
  const host = next['binding:host_id']
  if (before !== '' && before !== host) {
    house.notices.changed(tx, { ports: [row.id], networks: [row.network_id] }, before)
    if (row.status === 'ACTIVE') house.notices.nova(tx, 'network-vif-unplugged', row)
  }
  if (host !== '') {
    if (before !== host && !isNetworkOwner(next.device_owner)) {
      const network = there(await store.networks.one(tx, { id: row.network_id }))
      await ensureDhcp(house, tx, network, await subnetsOf(tx, row.network_id), true)
    }
    house.notices.changed(tx, { ports: [row.id], networks: [row.network_id] }, host)
    if (next.fixed_ips !== row.fixed_ips || next.security_groups !== row.security_groups || before === '') {
      const sets = await remoteAmong(tx, [...new Set([...groups, ...(JSON.parse(row.security_groups) as string[])])])
      if (sets.length > 0) house.notices.changed(tx, { sets })
    }
    if (next.fixed_ips !== row.fixed_ips || next.mac_address !== row.mac_address) house.notices.nova(tx, 'network-changed', next)
  }
}
