/**
 * A port on this host: its device on the network's bridge and its rules. Two processes wire it (`nft` and `ip`, side by side, and
 * shared with other ports that are wired at the same time). A device without rules is mute, so the order does not matter.
 */
import type { Command } from '#host/ip.ts'
import { unavailable } from '#base/fault.ts'
import { familyOf, parseMac } from '../address.ts'
import type { PortReport } from '../interface.ts'
import type { NetworkPlan, PortPlan } from '../plan.ts'
import { noPortText, portText, rulesOf } from './firewall.ts'
import type { Host } from './host.ts'
import { type Links, linkChanges, linkRemoval } from './links.ts'
import { bridgeName, ifbName, tapName } from './names.ts'

/** The rules of a port for the kernel. */
export function portRules(host: Host, port: PortPlan): string {
  return portText(host.fabric.table, port, host.fabric.portNumbers.of(port.id))
}

export function portLinks(host: Host, port: PortPlan, network: NetworkPlan, links: Links): Command[] {
  const ifname = tapName(port.id)
  const vif = port.vif ?? { kind: 'tap' }
  const mac = parseMac(port.mac_address)
  const owner = host.options.tap_user === undefined ? [] : ['user', host.options.tap_user]
  if (vif.kind === 'vlan' && !links.has(tapName(vif.parent_port_id))) throw unavailable('The parent port of its trunk is not wired')
  const create: Command[] =
    vif.kind === 'vlan'
      ? [['link', 'add', 'link', tapName(vif.parent_port_id), 'name', ifname, 'type', 'vlan', 'id', String(vif.segmentation_id)]]
      : vif.kind === 'tap'
      ? [['tuntap', 'add', 'dev', ifname, 'mode', 'tap', ...owner, ...(vif.multi_queue ? ['multi_queue'] : [])]]
      : [['link', 'add', ifname, 'type', 'veth', 'peer', 'name', vif.device, 'address', mac, 'mtu', String(network.mtu), 'netns', vif.netns]]
  return linkChanges(links, {
    ifname,
    kind: vif.kind === 'tap' ? 'tun' : vif.kind,
    create,
    ifalias: `port ${port.id}`,
    mtu: network.mtu,
    master: bridgeName(network.id),
    up: port.admin_state_up,
  })
}

export function portReport(host: Host, port: PortPlan): PortReport {
  const where = { device: tapName(port.id), netns: host.fabric.netns }
  return port.admin_state_up ? { id: port.id, status: 'ACTIVE', ...where } : { id: port.id, status: 'DOWN', reason: 'The port is administratively down', ...where }
}

/** What a port's rules let through that `after` no longer does must be forgotten, or it would go on as an established connection. */
export class Remembered {
  readonly #rules = new Map<string, Set<string>>()
  readonly #ports = new Map<string, PortPlan>()

  /** True when something that was allowed is not any more. */
  update(port: PortPlan): boolean {
    const now = new Set([...rulesOf(port, 'ingress').map((rule) => `in ${rule}`), ...rulesOf(port, 'egress').map((rule) => `out ${rule}`)])
    const before = this.#rules.get(port.id)
    const known = this.#ports.get(port.id)
    this.#rules.set(port.id, now)
    this.#ports.set(port.id, port)
    return (before !== undefined && [...before].some((rule) => !now.has(rule))) || (known !== undefined && !known.port_security_enabled && port.port_security_enabled)
  }

  get(portId: string): PortPlan | undefined {
    return this.#ports.get(portId)
  }

  drop(portId: string): void {
    this.#rules.delete(portId)
    this.#ports.delete(portId)
  }

  ports(): PortPlan[] {
    return [...this.#ports.values()]
  }
}

/** Forgets all connections from and to a port's addresses in its network. */
export async function forgetConnections(host: Host, networkId: string, addresses: readonly string[]): Promise<void> {
  const zone = host.fabric.zones.get(bridgeName(networkId))
  if (zone === undefined) return
  for (const address of addresses) {
    const family = familyOf(address)
    await host.tools.conntrack.forget({ family, zone, orig_src: address }, host.fabric.netns)
    await host.tools.conntrack.forget({ family, zone, orig_dst: address }, host.fabric.netns)
  }
}

/** Takes a port's device away first (it is mute from then on), then its rules. */
export async function removePort(host: Host, portId: string): Promise<void> {
  const { fabric } = host
  const devices = [tapName(portId), ifbName(portId)]
  if (devices.some((device) => fabric.links.has(device))) await fabric.change((links) => devices.flatMap((device) => linkRemoval(links, device)))
  const number = fabric.portNumbers.get(portId)
  if (number === undefined) return
  await fabric.rules(noPortText(fabric.table, portId, number))
  fabric.portNumbers.release(portId)
  fabric.portTexts.delete(portId)
}
