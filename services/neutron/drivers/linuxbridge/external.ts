/**
 * The host's side of a flat network: a cable between the network's bridge in the fabric and the host. With `kind: 'host'` its end
 * carries the gateway addresses, so that a person on the host reaches floating IPs, and, with `masquerade`, tenants reach
 * whatever the host reaches.
 */
import { setSysctls } from '#host/namespace.ts'
import type { Command } from '#host/ip.ts'
import { addressInSubnet, parsePrefix, prefixText } from '../address.ts'
import type { NetworkPlan } from '../plan.ts'
import type { Host, PhysicalNetwork } from './host.ts'
import { physicalName } from './names.ts'

export async function ensureExternalEnd(host: Host, network: NetworkPlan): Promise<void> {
  const { fabric, tools, options, names } = host
  const physical = options.physical_networks[network.physical_network!]!
  const inside = physicalName(network.physical_network!)
  const outside = names.hostEnd(network.physical_network!)
  if (!fabric.links.has(inside)) {
    await tools.ip.batch([['link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', fabric.netns]], options.host_netns)
    await fabric.refresh()
  }
  const have = (await tools.ip.addresses(options.host_netns)).find((link) => link.ifname === outside)
  const wanted = physical.kind === 'host' ? gatewayAddresses(network) : []
  const commands: Command[] = []
  if (have === undefined || !have.up || have.mtu !== network.mtu) commands.push(['link', 'set', 'dev', outside, 'mtu', String(network.mtu), 'up'])
  if (physical.kind === 'bridge' && have?.master !== physical.bridge) commands.push(['link', 'set', 'dev', outside, 'master', physical.bridge])
  const present = (have?.addresses ?? []).filter((address) => !address.startsWith('fe80:'))
  for (const address of present) if (!wanted.includes(address)) commands.push(['addr', 'del', address, 'dev', outside])
  for (const address of wanted) if (!present.includes(address)) commands.push(['addr', 'replace', address, 'dev', outside, ...(address.includes(':') ? ['nodad'] : [])])
  await tools.ip.batch(commands, options.host_netns)
  await ensureMasquerade(host, network, physical, outside)
}

/** Takes the cable away; both ends go together. */
export async function removeExternalEnd(host: Host, inside: string): Promise<void> {
  await host.fabric.change((links) => (links.delete(inside) ? [['link', 'del', inside]] : []))
}

function gatewayAddresses(network: NetworkPlan): string[] {
  return network.subnets.flatMap(({ gateway_ip, cidr }) => (gateway_ip === null ? [] : [addressInSubnet(gateway_ip, cidr)]))
}

async function ensureMasquerade(host: Host, network: NetworkPlan, physical: PhysicalNetwork, outside: string): Promise<void> {
  if (physical.kind !== 'host' || !physical.masquerade) return
  const table = host.names.table
  const sources = network.subnets.filter((subnet) => subnet.ip_version === 4).map(({ cidr }) => prefixText(parsePrefix(cidr)))
  const chain = `out_${outside.replaceAll('-', '_')}`
  await setSysctls(host.tools.run, host.options.host_netns, { 'net.ipv4.ip_forward': 1 })
  await host.tools.nft.apply(
    `table ip ${table} {
 chain ${chain} {
  type nat hook postrouting priority srcnat; policy accept;
 }
}
flush chain ip ${table} ${chain}
${sources.map((source) => `add rule ip ${table} ${chain} ip saddr ${source} oifname != "${outside}" masquerade\n`).join('')}`,
    host.options.host_netns,
  )
}

/** The table that `masquerade` made on the host. */
export async function removeMasquerade(host: Host): Promise<void> {
  const { table } = host.names
  await host.tools.nft.apply(`table ip ${table} {\n}\ndelete table ip ${table}\n`, host.options.host_netns)
}
