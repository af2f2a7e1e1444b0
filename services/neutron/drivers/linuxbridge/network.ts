/** A network on this host: its bridge, its VXLAN device with the list of remote ends, its cable to a physical network, its conntrack zone. */
import { invalid, notImplemented } from '#base/fault.ts'
import type { Command } from '#host/ip.ts'
import { parseAddress, parseMac } from '../address.ts'
import type { NetworkPlan } from '../plan.ts'
import { ensureExternalEnd } from './external.ts'
import { noZoneText, zoneText } from './firewall.ts'
import type { Host } from './host.ts'
import { type Links, linkChanges, linkRemoval } from './links.ts'
import { bridgeName, physicalName, vxlanName } from './names.ts'

export const NETWORK_TYPES = ['local', 'flat', 'vxlan'] as const
const NOBODY = '00:00:00:00:00:00'

/** Throws `invalid` or `not_implemented` for a network that cannot be wired here. */
export function checkNetwork(host: Host, network: NetworkPlan): void {
  if (network.network_type === 'vlan') throw notImplemented('The linuxbridge driver does not wire networks of type vlan')
  if (network.network_type === 'vxlan' && !validVni(network.segmentation_id)) throw invalid(`Network ${network.id} has no VNI`, { field: 'segmentation_id' })
  if (network.network_type === 'flat' && host.options.physical_networks[network.physical_network ?? ''] === undefined) {
    throw invalid(`This host has no physical network '${network.physical_network}'`, { field: 'physical_network' })
  }
  if (!Number.isInteger(network.mtu) || network.mtu < 68 || network.mtu > 65535) throw invalid(`Network ${network.id} has an impossible MTU`, { field: 'mtu' })
}

function validVni(vni: number | null): boolean {
  return vni !== null && Number.isInteger(vni) && vni > 0 && vni < 2 ** 24
}

/** A VXLAN network gets its device when this host has an address for tunnels. */
function vxlanOf(host: Host, network: NetworkPlan): string | undefined {
  return network.network_type === 'vxlan' && host.options.local_ip !== undefined ? vxlanName(network.segmentation_id!) : undefined
}

/** The commands for the fabric; composed together with those of a port. */
export function networkLinks(host: Host, network: NetworkPlan, links: Links): Command[] {
  const bridge = bridgeName(network.id)
  const commands = linkChanges(links, {
    ifname: bridge,
    kind: 'bridge',
    create: [['link', 'add', bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0', 'mcast_snooping', '0']],
    ifalias: `network ${network.id}`,
    mtu: network.mtu,
    up: true,
  })
  const vxlan = vxlanOf(host, network)
  if (vxlan !== undefined) commands.push(...linkChanges(links, { ifname: vxlan, kind: 'vxlan', create: [], master: bridge, mtu: network.mtu, up: true }))
  if (network.network_type === 'flat') {
    const cable = physicalName(network.physical_network!)
    commands.push(...linkChanges(links, { ifname: cable, kind: 'veth', create: [], master: bridge, mtu: network.mtu, up: true }))
  }
  return commands
}

/** What must be made outside of the fabric before `networkLinks` may run: devices whose other side is in the host's namespace. */
export async function ensureUplinks(host: Host, network: NetworkPlan): Promise<void> {
  const { options, fabric, tools } = host
  const vxlan = vxlanOf(host, network)
  if (vxlan !== undefined && !fabric.links.has(vxlan)) {
    // Made in the host's namespace and put into the fabric at once: the tunnel's socket stays with the host's addresses.
    await tools.ip.batch(
      [['link', 'add', vxlan, 'netns', fabric.netns, 'type', 'vxlan', 'id', String(network.segmentation_id), 'local', parseAddress(options.local_ip!), 'dstport', String(options.vxlan_port ?? 4789), 'nolearning']],
      options.host_netns,
    )
    await fabric.refresh()
  }
  if (network.network_type === 'flat') await ensureExternalEnd(host, network)
}

/** The text of the zone rule, or nothing when it stands. */
export function zoneChange(host: Host, network: NetworkPlan): string {
  const { fabric } = host
  if (fabric.zoned.has(network.id)) return ''
  return zoneText(fabric.table, network.id, fabric.zones.of(bridgeName(network.id)))
}

export interface KnownEnds {
  digest: string
  reading: number
}

/** Remote tunnel ends, one change of a network at a time; `known` remembers what was done, so that nothing is read when nothing changed. */
export async function ensureRemotes(host: Host, network: NetworkPlan, known: Map<string, KnownEnds>): Promise<void> {
  const vxlan = vxlanOf(host, network)
  if (vxlan === undefined) return
  const ends = network.vteps.map(({ ip }) => parseAddress(ip)).filter((ip) => ip !== host.options.local_ip)
  const wanted = new Set([...ends.map((ip) => `${NOBODY} ${ip}`), ...network.fdb.filter(({ ip }) => ends.includes(parseAddress(ip))).map(({ mac_address, ip }) => `${parseMac(mac_address)} ${parseAddress(ip)}`)])
  const digest = [...wanted].sort().join('\n')
  const before = known.get(network.id)
  const { reading = before?.reading ?? 0 } = network
  if (before && (before.digest === digest || reading < before.reading)) return
  const have = new Set((await host.tools.bridge.fdb(vxlan, host.fabric.netns)).flatMap(({ mac, dst }) => (dst === undefined ? [] : [`${mac} ${dst}`])))
  const command = (verb: string, entry: string): Command => ['fdb', verb, entry.split(' ')[0]!, 'dev', vxlan, 'dst', entry.split(' ')[1]!]
  await host.tools.bridge.batch(
    [...[...have].filter((entry) => !wanted.has(entry)).map((entry) => command('del', entry)), ...[...wanted].filter((entry) => !have.has(entry)).map((entry) => command(entry.startsWith(NOBODY) ? 'append' : 'add', entry))],
    host.fabric.netns,
  )
  known.set(network.id, { digest, reading })
}

/** Takes the bridge and what belongs to it alone away. Ports still on it are left without a bridge. */
export async function removeNetwork(host: Host, networkId: string): Promise<void> {
  const { fabric } = host
  const bridge = bridgeName(networkId)
  const own = [...fabric.links.values()].filter((link) => link.master === bridge && link.kind === 'vxlan').map((link) => link.ifname)
  if (fabric.links.has(bridge)) await fabric.change((links) => [...own, bridge].flatMap((ifname) => linkRemoval(links, ifname)))
  const zone = fabric.zones.get(bridge)
  if (zone !== undefined) {
    await fabric.rules(noZoneText(fabric.table, networkId, zone))
    fabric.zones.release(bridge)
    fabric.zoned.delete(networkId)
  }
}
