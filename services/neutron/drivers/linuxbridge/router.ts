/**
 * A router: a namespace with a cable to the bridge of each of its networks. Floating IPs are addresses of its gateway device.
 * What a plan no longer names is found by looking: addresses on our devices, routes marked `static`, devices `qr-` and `qg-`.
 */
import { join } from 'node:path'
import { asFault, invalid } from '#base/fault.ts'
import { runInNamespace, setSysctls } from '#host/namespace.ts'
import type { Command, LinkWithAddresses } from '#host/ip.ts'
import type { AdvertisedInterface } from '#host/radvd.ts'
import { addressInSubnet, familyOf, parseAddress, parseMac, parsePrefix, prefixText } from '../address.ts'
import type { RouterReport } from '../interface.ts'
import type { ConntrackHelperPlan, RouterInterfacePlan, RouterPlan, SubnetPlan } from '../plan.ts'
import type { Host } from './host.ts'
import { linkChanges, linkRemoval } from './links.ts'
import { bridgeName, gatewayEnd, routerEnd, routerFabricEnd } from './names.ts'
import { networkLinks } from './network.ts'
import { helperText, routerText } from './router-rules.ts'

const SYSCTLS = {
  'net.ipv4.ip_forward': 1,
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.default.rp_filter': 0,
  'net.ipv4.conf.all.arp_ignore': 1,
  'net.ipv4.conf.all.arp_announce': 2,
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.conf.default.send_redirects': 0,
  'net.ipv6.conf.all.forwarding': 1,
  'net.ipv6.conf.default.forwarding': 1,
  'net.ipv6.conf.all.accept_ra': 0,
  'net.ipv6.conf.default.accept_ra': 0,
  // Addresses come from the plan and are nobody else's.
  'net.ipv6.conf.default.accept_dad': 0,
  // Only for the addresses that are named one by one.
  'net.ipv6.conf.all.proxy_ndp': 1,
}

export const radvdDirectory = (host: Host, routerId: string): string => join(host.options.state_directory, 'radvd', routerId)

interface Leg {
  plan: RouterInterfacePlan
  device: string
  addresses: string[]
}

/** The networks of the plan must have been ensured. Throws when the router cannot be made. */
export async function ensureRouterHere(host: Host, router: RouterPlan, fresh: boolean, metadata: boolean): Promise<RouterReport> {
  const { fabric, tools, names } = host
  const netns = names.router(router.id)
  const legs = legsOf(router)
  const rules = routerText(names.table, router, metadata)
  if (fresh) await tools.ip.batch([['netns', 'add', netns]])
  const before = fresh ? [] : await tools.ip.addresses(netns)
  // The loopback device comes up last: while it is down, nobody came to the end of this before.
  if (!before.some(({ ifname, up }) => ifname === 'lo' && up)) await setSysctls(tools.run, netns, SYSCTLS)
  await plugLegs(host, netns, legs, before)
  const added = await ensureAddresses(host, netns, legs, fresh ? [] : before)
  const [helpless, silent] = await Promise.all([tools.nft.apply(rules, netns).then(() => ensureHelpers(host, router, netns, fresh)), ensureAdvertising(host, router, netns, legs).catch((thrown: unknown) => `IPv6 is not advertised: ${asFault(thrown).message}`)])
  const failed = [helpless, silent, await ensureRoutes(host, netns, router, fresh)].filter((reason) => reason !== undefined).join('; ')
  await ensureProxies(host, router, netns, fresh)
  await forgetFloating(host, netns, legs, before)
  announce(host, netns, legs, added)
  const reason = failed === '' ? {} : { reason: failed }
  return { id: router.id, status: 'ACTIVE', ...reason, ports: legs.map(({ plan, device }) => ({ id: plan.port_id, status: 'ACTIVE', device, netns })) }
}

function legsOf(router: RouterPlan): Leg[] {
  const leg = (plan: RouterInterfacePlan, device: string, more: string[]): Leg => ({
    plan,
    device,
    addresses: [...plan.fixed_ips.map(({ subnet_id, ip_address }) => addressInSubnet(ip_address, subnetOf(plan, subnet_id).cidr)), ...more],
  })
  const legs = router.interfaces.map((plan) => leg(plan, routerEnd(plan.port_id), []))
  if (router.gateway) {
    const floating = [...router.floating_ips, ...router.port_forwardings].map(({ floating_ip_address }) => `${parseAddress(floating_ip_address)}/32`)
    legs.push(leg(router.gateway, gatewayEnd(router.gateway.port_id), [...new Set(floating)]))
  }
  return legs
}

function subnetOf(plan: RouterInterfacePlan, subnetId: string): SubnetPlan {
  const subnet = plan.network.subnets.find(({ id }) => id === subnetId)
  if (!subnet) throw invalid(`Port ${plan.port_id} has an address of a subnet that its network does not have`, { field: 'subnet_id' })
  return subnet
}

async function plugLegs(host: Host, netns: string, legs: readonly Leg[], before: readonly LinkWithAddresses[]): Promise<void> {
  const wanted = new Set(legs.map(({ device }) => device))
  const gone = before.filter(({ ifname }) => /^q[rg]-/.test(ifname) && !wanted.has(ifname)).map(({ ifname }) => `rp-${ifname.slice(3)}`)
  const there = new Set(before.map(({ ifname }) => ifname))
  await host.fabric.change((links) => {
    const commands: Command[] = gone.flatMap((ifname) => linkRemoval(links, ifname))
    for (const { plan, device } of legs) {
      const ifname = routerFabricEnd(plan.port_id)
      // A cable whose other end is not here (the port was a gateway, or another router's) is made anew.
      if (links.has(ifname) && !there.has(device)) commands.push(...linkRemoval(links, ifname))
      commands.push(...networkLinks(host, plan.network, links))
      commands.push(
        ...linkChanges(links, {
          ifname,
          kind: 'veth',
          create: [['link', 'add', ifname, 'type', 'veth', 'peer', 'name', device, 'address', parseMac(plan.mac_address), 'netns', netns]],
          ifalias: `router port ${plan.port_id}`,
          master: bridgeName(plan.network.id),
          mtu: plan.network.mtu,
          up: true,
        }),
      )
    }
    return commands
  })
}

/** The addresses that were not there before, by device. */
async function ensureAddresses(host: Host, netns: string, legs: readonly Leg[], before: readonly LinkWithAddresses[]): Promise<{ device: string; address: string }[]> {
  const commands: Command[] = before.some(({ ifname, up }) => ifname === 'lo' && up) ? [] : [['link', 'set', 'lo', 'up']]
  const added: { device: string; address: string }[] = []
  for (const { plan, device, addresses } of legs) {
    const have = before.find(({ ifname }) => ifname === device)
    const mac = parseMac(plan.mac_address)
    if (have && have.address !== mac) commands.push(['link', 'set', 'dev', device, 'down'], ['link', 'set', 'dev', device, 'address', mac])
    if (!have?.up || have.mtu !== plan.network.mtu || have.address !== mac) commands.push(['link', 'set', 'dev', device, 'mtu', String(plan.network.mtu), 'up'])
    const present = (have?.addresses ?? []).filter((address) => !address.startsWith('fe80:'))
    for (const address of present) if (!addresses.includes(address)) commands.push(['addr', 'del', address, 'dev', device])
    for (const address of addresses) {
      if (present.includes(address)) continue
      commands.push(['addr', 'replace', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : [])])
      added.push({ device, address })
    }
  }
  await host.tools.ip.batch(commands, netns)
  return added
}

/** Default routes by the gateway's subnets, and the router's own. Says what could not be set; the others stand. */
async function ensureRoutes(host: Host, netns: string, router: RouterPlan, fresh: boolean): Promise<string | undefined> {
  const { ip } = host.tools
  const wanted = new Map<string, string>()
  for (const { subnet_id } of router.gateway?.fixed_ips ?? []) {
    const subnet = subnetOf(router.gateway!, subnet_id)
    if (subnet.gateway_ip !== null) wanted.set(subnet.ip_version === 4 ? 'default' : 'default6', parseAddress(subnet.gateway_ip))
  }
  for (const { destination, nexthop } of router.routes) wanted.set(routeKey(prefixText(parsePrefix(destination))), parseAddress(nexthop))
  const have = fresh ? [] : [...(await ip.routes(4, netns)), ...(await ip.routes(6, netns)).map((route) => (route.dst === 'default' ? { ...route, dst: 'default6' } : route))].filter(({ protocol }) => protocol === 'static')
  const device = router.gateway ? gatewayEnd(router.gateway.port_id) : undefined
  const words = (key: string): string[] => (key === 'default' ? ['default'] : key === 'default6' ? ['::/0'] : [key])
  const command = (key: string, nexthop: string): Command => ['route', 'replace', ...words(key), 'via', nexthop, ...(key.startsWith('default') && device !== undefined ? ['dev', device, 'onlink'] : []), 'proto', 'static']
  const stale = have.filter(({ dst }) => !wanted.has(dst)).map(({ dst }): Command => ['route', 'del', ...words(dst), 'proto', 'static'])
  const missing = [...wanted].filter(([key, nexthop]) => !have.some(({ dst, gateway }) => dst === key && gateway === nexthop)).map(([key, nexthop]) => command(key, nexthop))
  const commands = [...stale, ...missing]
  try {
    await ip.batch(commands, netns)
    return undefined
  } catch {
    const reasons: string[] = []
    for (const one of commands) await ip.batch([one], netns).catch((thrown: unknown) => reasons.push(`${one[2]}: ${asFault(thrown).message}`))
    return reasons.length === 0 ? undefined : `Not all routes could be set: ${reasons.join('; ')}`
  }
}

/** `0.0.0.0/0` among the extra routes is the default route. */
function routeKey(prefix: string): string {
  return prefix === '0.0.0.0/0' ? 'default' : prefix === '::/0' ? 'default6' : prefix
}

async function ensureAdvertising(host: Host, router: RouterPlan, netns: string, legs: readonly Leg[]): Promise<undefined> {
  const interfaces = legs.flatMap(({ plan, device }): AdvertisedInterface[] => {
    if (device.startsWith('qg-')) return []
    const subnets = plan.fixed_ips.map(({ subnet_id }) => subnetOf(plan, subnet_id)).filter((subnet) => subnet.ip_version === 6 && subnet.ipv6_ra_mode !== null)
    if (subnets.length === 0) return []
    const managed = subnets.some(({ ipv6_ra_mode }) => ipv6_ra_mode === 'dhcpv6-stateful')
    return [
      {
        device,
        mtu: plan.network.mtu,
        managed,
        other: managed || subnets.some(({ ipv6_ra_mode }) => ipv6_ra_mode === 'dhcpv6-stateless'),
        prefixes: subnets.map(({ cidr, ipv6_ra_mode }) => ({ prefix: prefixText(parsePrefix(cidr)), autonomous: ipv6_ra_mode !== 'dhcpv6-stateful' })),
        dns: subnets.flatMap(({ dns_nameservers }) => dns_nameservers.map(parseAddress)).filter((address) => familyOf(address) === 6),
      },
    ]
  })
  const directory = radvdDirectory(host, router.id)
  if (interfaces.length === 0) await host.tools.radvd.ensureNone(directory)
  else await host.tools.radvd.ensure({ netns, directory, interfaces })
  return undefined
}

/** All of them, or as many as this kernel has. Says which it has not. */
async function ensureHelpers({ tools, names }: Host, router: RouterPlan, netns: string, fresh: boolean): Promise<string | undefined> {
  const helpers = router.conntrack_helpers ?? []
  if (fresh && helpers.length === 0) return undefined
  try {
    await tools.nft.apply(helperText(names.table, helpers), netns)
    return undefined
  } catch {
    const known: ConntrackHelperPlan[] = []
    const unknown: string[] = []
    for (const one of helpers) {
      await tools.nft.apply(helperText(names.table, [...known, one]), netns).then(
        () => known.push(one),
        () => unknown.push(`${one.helper} over ${one.protocol}`),
      )
    }
    return `This kernel has no conntrack helper for ${unknown.join(', ')}`
  }
}

/** The router answers outside for addresses behind it, and for no others. */
async function ensureProxies({ tools }: Host, router: RouterPlan, netns: string, fresh: boolean): Promise<void> {
  if (!router.gateway?.fixed_ips.some(({ ip_address }) => familyOf(ip_address) === 6)) return
  const device = gatewayEnd(router.gateway.port_id)
  const wanted = new Set((router.ndp_proxies ?? []).map(parseAddress))
  const said = fresh ? '' : (await runInNamespace(tools.run, netns)('ip', ['-6', 'neigh', 'show', 'proxy'])).stdout
  const have = new Set(said.split('\n').flatMap((line) => (line.includes(` dev ${device} `) ? [line.split(' ')[0]!] : [])))
  await tools.ip.batch(
    [
      ...[...have].filter((address) => !wanted.has(address)).map((address): Command => ['neigh', 'del', 'proxy', address, 'dev', device]),
      ...[...wanted].filter((address) => !have.has(address)).map((address): Command => ['neigh', 'add', 'proxy', address, 'dev', device]),
    ],
    netns,
  )
}

/** A floating IP that left takes its connections with it. */
async function forgetFloating(host: Host, netns: string, legs: readonly Leg[], before: readonly LinkWithAddresses[]): Promise<void> {
  const now = new Set(legs.flatMap(({ addresses }) => addresses))
  const gone = before
    .filter(({ ifname }) => ifname.startsWith('qg-'))
    .flatMap(({ addresses }) => addresses)
    .filter((address) => address.endsWith('/32') && !now.has(address))
    .map((address) => address.slice(0, -3))
  for (const address of gone) {
    await host.tools.conntrack.forget({ family: 4, orig_dst: address }, netns)
    await host.tools.conntrack.forget({ family: 4, reply_dst: address }, netns)
  }
}

/** Tells the neighbours that an address lives here now. Nobody waits for it, and without `arping` they find out by themselves. */
function announce(host: Host, netns: string, legs: readonly Leg[], added: readonly { device: string; address: string }[]): void {
  const run = runInNamespace(host.tools.run, netns)
  for (const { device, address } of added) {
    if (!device.startsWith('qg-') || address.includes(':') || !legs.some((leg) => leg.device === device)) continue
    run('arping', ['-A', '-c', '1', '-w', '1', '-I', device, address.split('/')[0]!], { okCodes: [0, 1] }).catch((thrown: unknown) => host.log.debug('Could not announce an address', { address, error: thrown }))
  }
}

/** Takes the namespace away, and with it all cables and addresses. */
export async function removeRouter(host: Host, routerId: string, there: boolean): Promise<void> {
  await host.tools.radvd.ensureNone(radvdDirectory(host, routerId))
  if (!there) return
  const netns = host.names.router(routerId)
  const ends = (await host.tools.ip.links(netns)).filter(({ ifname }) => /^q[rg]-/.test(ifname)).map(({ ifname }) => `rp-${ifname.slice(3)}`)
  // The kernel takes a namespace down in its own time; the cables must be gone when we say so.
  await host.fabric.change((links) => ends.flatMap((ifname) => linkRemoval(links, ifname)))
  await host.tools.ip.batch([['netns', 'del', netns]])
}
