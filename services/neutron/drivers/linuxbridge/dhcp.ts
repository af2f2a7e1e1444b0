/** DHCP of a network: a namespace with one cable to the bridge, dnsmasq in it, and the metadata address on the same device. */
import { join } from 'node:path'
import { setSysctls } from '#host/namespace.ts'
import type { Command } from '#host/ip.ts'
import { addressInSubnet, parseMac } from '../address.ts'
import type { DhcpPlan } from '../plan.ts'
import { dhcpFiles, METADATA_ADDRESS } from './dhcp-files.ts'
import type { Host } from './host.ts'
import { linkChanges, linkRemoval } from './links.ts'
import { bridgeName, dhcpEnd, dhcpFabricEnd } from './names.ts'
import { networkLinks } from './network.ts'

const SYSCTLS = {
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.default.rp_filter': 0,
  'net.ipv6.conf.all.accept_ra': 0,
  'net.ipv6.conf.default.accept_ra': 0,
  'net.ipv6.conf.default.accept_dad': 0,
}

export const dnsmasqDirectory = (host: Host, networkId: string): string => join(host.options.state_directory, 'dhcp', networkId)

/** `fresh`: the namespace is not there. `known`: the devices are as this process left them, only dnsmasq's files may differ. */
export async function ensureDhcpHere(host: Host, plan: DhcpPlan, state: { fresh: boolean; known: boolean }, metadata: boolean): Promise<void> {
  const { tools, names, options } = host
  const netns = names.dhcp(plan.network.id)
  const domain = plan.dns_domain === undefined || plan.dns_domain === '' ? (options.dns_domain ?? 'openstacklocal') : plan.dns_domain.replace(/\.$/, '')
  const files = dhcpFiles(plan, domain, metadata)
  if (state.fresh) await tools.ip.batch([['netns', 'add', netns]])
  if (!state.known) await ensureDevice(host, plan, netns, metadata)
  await tools.dnsmasq.ensure({
    netns,
    device: dhcpEnd(plan.port.id),
    directory: dnsmasqDirectory(host, plan.network.id),
    ...files,
    domain,
    upstream: options.dns_upstream ?? [],
    lease_time: options.dhcp_lease_time ?? 86_400,
  })
}

async function ensureDevice(host: Host, { network, port }: DhcpPlan, netns: string, metadata: boolean): Promise<void> {
  const { fabric, tools } = host
  const inside = dhcpEnd(port.id)
  const outside = dhcpFabricEnd(port.id)
  const mac = parseMac(port.mac_address)
  const before = await tools.ip.addresses(netns)
  // The loopback device comes up last: while it is down, nobody came to the end of this before.
  if (!before.some(({ ifname, up }) => ifname === 'lo' && up)) await setSysctls(tools.run, netns, SYSCTLS)
  const stale = before.filter(({ ifname }) => ifname.startsWith('ns-') && ifname !== inside).map(({ ifname }) => `dp-${ifname.slice(3)}`)
  const have = before.find(({ ifname }) => ifname === inside)
  await fabric.change((links) => [
    ...stale.flatMap((ifname) => linkRemoval(links, ifname)),
    ...(have ? [] : linkRemoval(links, outside)),
    ...networkLinks(host, network, links),
    ...linkChanges(links, {
      ifname: outside,
      kind: 'veth',
      create: [['link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'address', mac, 'netns', netns]],
      ifalias: `dhcp port ${port.id}`,
      master: bridgeName(network.id),
      mtu: network.mtu,
      up: true,
    }),
  ])
  const commands: Command[] = before.some(({ ifname, up }) => ifname === 'lo' && up) ? [] : [['link', 'set', 'lo', 'up']]
  if (have && have.address !== mac) commands.push(['link', 'set', 'dev', inside, 'down'], ['link', 'set', 'dev', inside, 'address', mac])
  if (!have?.up || have.mtu !== network.mtu || have.address !== mac) commands.push(['link', 'set', 'dev', inside, 'mtu', String(network.mtu), 'up'])
  const wanted = [
    ...port.fixed_ips.flatMap(({ subnet_id, ip_address }) => {
      const subnet = network.subnets.find(({ id }) => id === subnet_id)
      return subnet ? [addressInSubnet(ip_address, subnet.cidr)] : []
    }),
    ...(metadata ? [`${METADATA_ADDRESS}/32`] : []),
  ]
  const present = (have?.addresses ?? []).filter((address) => !address.startsWith('fe80:'))
  for (const address of present) if (!wanted.includes(address)) commands.push(['addr', 'del', address, 'dev', inside])
  for (const address of wanted) if (!present.includes(address)) commands.push(['addr', 'replace', address, 'dev', inside, ...(address.includes(':') ? ['nodad'] : [])])
  await tools.ip.batch(commands, netns)
}

export async function removeDhcp(host: Host, networkId: string, there: boolean): Promise<void> {
  await host.tools.dnsmasq.ensureNone(dnsmasqDirectory(host, networkId))
  if (!there) return
  const netns = host.names.dhcp(networkId)
  const ends = (await host.tools.ip.links(netns)).filter(({ ifname }) => ifname.startsWith('ns-')).map(({ ifname }) => `dp-${ifname.slice(3)}`)
  await host.fabric.change((links) => ends.flatMap((ifname) => linkRemoval(links, ifname)))
  await host.tools.ip.batch([['netns', 'del', netns]])
}
