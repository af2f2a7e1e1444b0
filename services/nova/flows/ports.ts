/** A server's ports: made, bound to its host, waited for, taken away. Neutron's rows are the truth; `network_info` is what was last seen. */
import { conflict, invalid, isFault, timedOut } from '#base/fault.ts'
import { createPort, createPorts, deletePort, listPorts, type Port, type PortCreate, updatePort } from '#neutron/contract/network.ts'
import { listSecurityGroups } from '#neutron/contract/security-group.ts'
import type { Nova } from '../house.ts'
import type { NicInfo } from '../store/tables.ts'

/** One card as the API resolved it: a port that exists, or a network. */
export interface NicWish {
  network_id: string
  network_name: string
  mtu?: number
  port_id?: string
  fixed_ip?: string
  tag?: string
}

export interface PortsAsk {
  server_id: string
  project_id: string
  zone: string
  host: string
  wishes: readonly NicWish[]
  /** Absent: the project's default group. */
  security_group_ids?: readonly string[]
  /** No port of this server can exist yet. */
  known_new: boolean
  /** Ports that belong to other wishes. */
  except?: readonly string[]
}

/** Every wish has its port, bound to the host. Asked again it finds the ports made before. */
export async function ensurePorts(nova: Nova, ask: PortsAsk): Promise<{ nics: NicInfo[]; ports: Port[] }> {
  const caller = await nova.service()
  const all = ask.known_new ? [] : (await nova.client.call(caller, 'neutron', listPorts, { query: { device_id: ask.server_id } })).ports
  const there = all.filter((port) => !ask.except?.includes(port.id))
  const binding = { device_id: ask.server_id, device_owner: `compute:${ask.zone}`, 'binding:host_id': ask.host }
  const used = new Set<string>()
  const found = ask.wishes.map((wish): Port | undefined => {
    const port = there.find((one) => !used.has(one.id) && (wish.port_id === undefined ? one.network_id === wish.network_id && !ask.wishes.some((other) => other.port_id === one.id) : one.id === wish.port_id))
    if (port) used.add(port.id)
    return port
  })
  const missing: { index: number; body: PortCreate }[] = []
  for (const [index, wish] of ask.wishes.entries()) {
    const port = found[index]
    if (port && port['binding:host_id'] === ask.host) continue
    const id = port?.id ?? wish.port_id
    if (id !== undefined) found[index] = (await nova.client.call(caller, 'neutron', updatePort, { params: { id }, body: { port: binding } })).port
    else {
      missing.push({
        index,
        body: {
          network_id: wish.network_id,
          project_id: ask.project_id,
          admin_state_up: true,
          ...binding,
          ...(wish.fixed_ip === undefined ? {} : { fixed_ips: [{ ip_address: wish.fixed_ip }] }),
          ...(ask.security_group_ids === undefined ? {} : { security_groups: ask.security_group_ids }),
        },
      })
    }
  }
  if (missing.length === 1) found[missing[0]!.index] = (await nova.client.call(caller, 'neutron', createPort, { body: { port: missing[0]!.body } })).port
  else if (missing.length > 1) {
    const { ports } = await nova.client.call(caller, 'neutron', createPorts, { body: { ports: missing.map((one) => one.body) } })
    missing.forEach(({ index }, i) => (found[index] = ports[i]!))
  }
  const ports = found as Port[]
  for (const port of ports) if (port['binding:vif_type'] === 'binding_failed') throw conflict(`Binding failed for port ${port.id}: no network agent on the host could wire it.`, { code: 'nova.binding_failed' })
  return { ports, nics: ports.map((port, i) => nicOf(port, ask.wishes[i]!, ask.wishes[i]!.port_id === undefined)) }
}

export function nicOf(port: Port, about: { network_name: string; mtu?: number; tag?: string }, own: boolean): NicInfo {
  const tap = port['binding:vif_details']?.tap_name
  return {
    port_id: port.id,
    network_id: port.network_id,
    network_name: about.network_name,
    mac: port.mac_address,
    fixed_ips: port.fixed_ips.map((one) => ({ ip: one.ip_address, version: one.ip_address.includes(':') ? 6 : 4, subnet_id: one.subnet_id })),
    ...(about.mtu === undefined ? {} : { mtu: about.mtu }),
    ...(about.tag === undefined ? {} : { tag: about.tag }),
    ...(tap === undefined ? {} : { tap }),
    own,
  }
}

/** True when a real wire is being made for the port and is not there yet. A fake one has nothing to wait for. */
const isAwaited = (port: Port): boolean => port.status !== 'ACTIVE' && port['binding:vif_type'] === 'tap' && port['binding:vif_details']?.tap_name !== undefined && port.admin_state_up

/** Waits until every wire is there: woken by Neutron's event, and looking by itself meanwhile (S10). Gives the ports as they are then. */
export async function awaitWires(nova: Nova, serverId: string, ports: readonly Port[], signal: AbortSignal): Promise<void> {
  let waiting = ports.filter(isAwaited)
  const until = nova.world.clock.now() + nova.config.vif_plugging_timeout
  while (waiting.length > 0) {
    if (nova.world.clock.now() >= until) throw timedOut('Virtual Interface creation failed', { code: 'nova.vif_timeout' })
    await nova.wakes.wait(serverId, 1_000, signal)
    const { ports: now } = await nova.client.call(await nova.service(), 'neutron', listPorts, { query: { device_id: serverId } })
    const ids = new Set(waiting.map((port) => port.id))
    waiting = now.filter((port) => ids.has(port.id) && isAwaited(port))
  }
}

/** Deletes the ports that Nova made and lets go of the others. Ports that are gone are no error. */
export async function releasePorts(nova: Nova, serverId: string, nics: readonly Pick<NicInfo, 'port_id' | 'own'>[]): Promise<void> {
  const caller = await nova.service()
  const { ports } = await nova.client.call(caller, 'neutron', listPorts, { query: { device_id: serverId } })
  const kept = new Set(nics.filter((nic) => !nic.own).map((nic) => nic.port_id))
  await Promise.all(ports.map((port) => releasePort(nova, port.id, !kept.has(port.id))))
}

export async function releasePort(nova: Nova, portId: string, own: boolean): Promise<void> {
  const caller = await nova.service()
  const gone = (thrown: unknown): void => {
    if (!isFault(thrown, 'not_found')) throw thrown
  }
  if (own) await nova.client.call(caller, 'neutron', deletePort, { params: { id: portId } }).catch(gone)
  else await nova.client.call(caller, 'neutron', updatePort, { params: { id: portId }, body: { port: { device_id: '', device_owner: '', 'binding:host_id': '' } } }).then(() => {}, gone)
}

/** Every port of the server bound to another host; the cards as they are then. */
export async function rebindPorts(nova: Nova, server: { id: string; network_info: string }, host: string): Promise<{ nics: NicInfo[]; ports: Port[] }> {
  const caller = await nova.service()
  const nics = JSON.parse(server.network_info) as NicInfo[]
  const ports: Port[] = []
  for (const nic of nics) ports.push((await nova.client.call(caller, 'neutron', updatePort, { params: { id: nic.port_id }, body: { port: { 'binding:host_id': host } } })).port)
  for (const port of ports) if (port['binding:vif_type'] === 'binding_failed') throw conflict(`Binding failed for port ${port.id}: no network agent on the host could wire it.`, { code: 'nova.binding_failed' })
  return { ports, nics: ports.map((port, i) => nicOf(port, nics[i]!, nics[i]!.own)) }
}

/** Ids of security groups given by name or id, as the caller sees them. */
export async function securityGroupIds(nova: Nova, caller: Parameters<Nova['client']['call']>[0], projectId: string, wanted: readonly string[]): Promise<{ ids: string[]; names: string[] }> {
  const { security_groups: groups } = await nova.client.call(caller, 'neutron', listSecurityGroups, { query: { project_id: projectId, fields: ['id', 'name'] } })
  const ids: string[] = []
  const names: string[] = []
  for (const one of wanted) {
    const byId = groups.find((group) => group.id === one)
    const byName = groups.filter((group) => group.name === one)
    if (!byId && byName.length > 1) throw conflict(`Multiple security groups found matching '${one}'. Use an ID to be more specific.`, { code: 'NoUniqueMatch' })
    const group = byId ?? byName[0]
    if (!group) throw invalid(`Security group ${one} not found for project ${projectId}.`, { field: 'security_groups' })
    if (!ids.includes(group.id)) {
      ids.push(group.id)
      names.push(group.name)
    }
  }
  return { ids, names }
}
