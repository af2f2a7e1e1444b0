/**
 * The network driver for Linux bridges, VXLAN and nftables. One object wires the parts of this room together: `fabric.ts` holds the
 * namespace and what is known of it, `network.ts`, `port.ts`, `router.ts` and `dhcp.ts` move one kind of thing each.
 */
import { asFault, faultChain, isFault, unavailable } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import type { DhcpAbility, HostReport, MetadataAbility, MetadataHandler, NetworkDriver, ObjectReport, PortReport, RouterReport, RoutingAbility } from '../interface.ts'
import type { AddressSetPlan, DhcpPlan, HostPlan, NetworkPlan, PortPlan, QosPlan, RouterPlan } from '../plan.ts'
import { disjoint, familyOf } from '../address.ts'
import { checkDhcp, checkPort, checkRouter } from '../check.ts'
import { ensureDhcpHere, removeDhcp } from './dhcp.ts'
import { METADATA_ADDRESS } from './dhcp-files.ts'
import { removeExternalEnd, removeMasquerade } from './external.ts'
import { Fabric } from './fabric.ts'
import { addressSetText } from './firewall.ts'
import type { Host, HostTools, LinuxbridgeOptions } from './host.ts'
import { ensureLimits } from './limits.ts'
import { linkRemoval } from './links.ts'
import { Locks } from './locks.ts'
import { Metadata } from './metadata.ts'
import { bridgeName, dhcpFabricEnd, ifbName, names, physicalName, routerFabricEnd, tapName, vxlanName } from './names.ts'
import { checkNetwork, ensureRemotes, ensureUplinks, type KnownEnds, NETWORK_TYPES, networkLinks, removeNetwork, zoneChange } from './network.ts'
import { forgetConnections, portLinks, portReport, portRules, Remembered, removePort } from './port.ts'
import { ensureRouterHere, removeRouter } from './router.ts'
import { METADATA_PORT } from './router-rules.ts'
import { WholeRules } from './rules.ts'

/** More changes of a set than this, and all connections of a family are looked at anew. */
const MANY = 16

export class LinuxbridgeDriver implements NetworkDriver, RoutingAbility, DhcpAbility, MetadataAbility {
  readonly name = 'linuxbridge'
  readonly network_types = NETWORK_TYPES
  readonly #host: Host
  readonly #locks = new Locks()
  readonly #uplinks = new Locks()
  readonly #farEnds = new Locks()
  readonly #metadata: Metadata
  readonly #whole: WholeRules
  readonly #remembered = new Remembered()
  readonly #limits = new Map<string, QosPlan>()
  readonly #sets = new Map<string, AddressSetPlan>()
  /** What this process did last, so that it is not read again: remote ends and flat networks by network, devices of DHCP. */
  readonly #remotes = new Map<string, KnownEnds>()
  readonly #flat = new Map<string, string>()
  readonly #dhcp = new Map<string, string>()
  /** Subports of trunks by the port whose device they lie in: the kernel takes them away with it. */
  readonly #inside = new Map<string, string>()
  #namespaces: Set<string> | undefined

  constructor(options: LinuxbridgeOptions, tools: HostTools, world: World) {
    const own = names(options.prefix)
    this.#host = { options, tools, names: own, fabric: new Fabric(own, tools), log: world.log.module('neutron.linuxbridge') }
    this.#metadata = new Metadata(tools.serve)
    this.#whole = new WholeRules(this.#host)
  }

  /** The namespace in which a hypervisor finds the taps. */
  get netns(): string {
    return this.#host.fabric.netns
  }

  onMetadata(handler: MetadataHandler): void {
    this.#metadata.handler = handler
  }

  ensure(plan: HostPlan | (() => Promise<HostPlan>)): Promise<HostReport> {
    return this.#locks.all(async () => this.#ensure(typeof plan === 'function' ? await plan() : plan))
  }

  ensureNetwork(network: NetworkPlan): Promise<ObjectReport> {
    return this.#locks.one(network.id, () => this.#report(network.id, () => this.#network(network)))
  }

  ensureNoNetwork(networkId: string): Promise<void> {
    return this.#locks.one(networkId, async () => {
      await this.#host.fabric.ready()
      await removeNetwork(this.#host, networkId)
      this.#remotes.delete(networkId)
      this.#flat.delete(networkId)
    })
  }

  ensurePort(port: PortPlan, network: NetworkPlan): Promise<PortReport> {
    return this.#locks.one(port.id, async () => {
      try {
        await this.#port(port, network)
        return portReport(this.#host, port)
      } catch (thrown) {
        return this.#down(port.id, thrown)
      }
    })
  }

  ensureNoPort(portId: string): Promise<void> {
    return this.#locks.one(portId, async () => {
      await this.#host.fabric.ready()
      await this.#removePort(portId)
    })
  }

  ensureAddressSets(sets: readonly AddressSetPlan[]): Promise<void> {
    return this.#locks.one('address sets', async () => {
      const { fabric } = this.#host
      await fabric.ready()
      await fabric.rules(sets.map((set) => addressSetText(fabric.table, set)).join(''))
      await this.#forgetMembers(sets)
    })
  }

  ensureRouter(router: RouterPlan): Promise<RouterReport> {
    return this.#locks.one(router.id, () => this.#router(router))
  }

  ensureNoRouter(routerId: string): Promise<void> {
    return this.#locks.one(routerId, async () => {
      await this.#host.fabric.ready()
      await this.#removeRouter(routerId)
    })
  }

  ensureDhcp(dhcp: DhcpPlan): Promise<ObjectReport> {
    return this.#locks.one(`dhcp ${dhcp.network.id}`, () => this.#report(dhcp.network.id, () => this.#serveDhcp(dhcp)))
  }

  ensureNoDhcp(networkId: string): Promise<void> {
    return this.#locks.one(`dhcp ${networkId}`, async () => {
      await this.#host.fabric.ready()
      await this.#removeDhcp(networkId)
    })
  }

  close(): Promise<void> {
    return this.#locks.all(() => this.#metadata.close())
  }

  /** Takes all away that this driver ever made on the host, the fabric included: every guest loses its network. */
  destroy(): Promise<void> {
    return this.#locks.all(async () => {
      const { tools, names: own } = this.#host
      await this.#ensure({ networks: [], ports: [], address_sets: [], dhcp: [], routers: [] })
      await this.#metadata.close()
      await removeMasquerade(this.#host)
      await tools.ip.batch([['netns', 'del', own.fabric]])
    })
  }

  // -- the whole host

  async #ensure(plan: HostPlan): Promise<HostReport> {
    const { fabric, tools } = this.#host
    this.#namespaces = new Set(await tools.ip.namespaces())
    if (!this.#namespaces.has(fabric.netns)) fabric.forget()
    await fabric.ready()
    await fabric.refresh()
    for (const memory of [this.#remotes, this.#flat, this.#dhcp]) memory.clear()
    const routers = plan.routers.filter((router) => router.admin_state_up)
    await this.#removeNamespaces(new Set(routers.map(({ id }) => id)), new Set(plan.dhcp.map(({ network }) => network.id)))
    await this.#removeDevices(plan, routers)

    const networks = new Map<string, NetworkPlan>()
    const networkReports: ObjectReport[] = []
    for (const network of plan.networks) {
      const report = await this.#report(network.id, async () => {
        checkNetwork(this.#host, network)
        await ensureUplinks(this.#host, network)
      })
      if (report.status === 'ACTIVE') networks.set(network.id, network)
      networkReports.push(report)
    }
    const wired = plan.ports.filter((port) => networks.has(port.network_id))
    const failed = await this.#whole.ensure(plan, [...networks.values()], wired)
    for (const set of plan.address_sets) this.#sets.set(set.id, set)

    const finished = await Promise.all(networkReports.map((report) => (report.status === 'ACTIVE' ? this.#report(report.id, () => this.#network(networks.get(report.id)!)) : report)))
    const wire = async (port: PortPlan): Promise<PortReport> => {
      const network = networks.get(port.network_id)
      if (!network) return { id: port.id, status: 'DOWN', reason: networkReports.find(({ id }) => id === port.network_id)?.reason ?? 'Its network is not on this host' }
      const why = failed.get(port.id)
      if (why !== undefined) return { id: port.id, status: 'DOWN', reason: why }
      return this.#port(port, network).then(
        () => portReport(this.#host, port),
        (thrown: unknown) => this.#down(port.id, thrown),
      )
    }
    const ports = await Promise.all(plan.ports.filter(({ vif }) => vif?.kind !== 'vlan').map(wire))
    // What lies inside another port's device comes after it.
    ports.push(...(await Promise.all(plan.ports.filter(({ vif }) => vif?.kind === 'vlan').map(wire))))
    const dhcp = await inTurn(plan.dhcp, (one) => this.#report(one.network.id, () => this.#serveDhcp(one)))
    return { networks: finished, ports, dhcp, routers: await inTurn(plan.routers, (router) => this.#router(router)) }
  }

  async #removeNamespaces(routers: ReadonlySet<string>, dhcp: ReadonlySet<string>): Promise<void> {
    for (const netns of this.#namespaces ?? []) {
      const owner = this.#host.names.owner(netns)
      if (owner?.kind === 'router' && !routers.has(owner.id)) await this.#removeRouter(owner.id)
      if (owner?.kind === 'dhcp' && !dhcp.has(owner.id)) await this.#removeDhcp(owner.id)
    }
  }

  /** Devices of the fabric that belong to nothing in the plan, and the numbers of things that are gone. */
  async #removeDevices(plan: HostPlan, routers: readonly RouterPlan[]): Promise<void> {
    const { fabric } = this.#host
    const ports = new Set(plan.ports.map(({ id }) => id))
    const networks = new Set(plan.networks.map(({ id }) => bridgeName(id)))
    const wanted = new Set([
      ...[...ports].flatMap((id) => [tapName(id), ifbName(id)]),
      ...networks,
      ...plan.networks.flatMap(({ network_type, segmentation_id, physical_network }) => (network_type === 'vxlan' && segmentation_id !== null ? [vxlanName(segmentation_id)] : network_type === 'flat' && physical_network !== null ? [physicalName(physical_network)] : [])),
      ...routers.flatMap((router) => [...router.interfaces, ...(router.gateway ? [router.gateway] : [])].map(({ port_id }) => routerFabricEnd(port_id))),
      ...plan.dhcp.map(({ port }) => dhcpFabricEnd(port.id)),
    ])
    const stale = [...fabric.links.keys()].filter((ifname) => /^(tap|ifb|brq|vxlan-|rp-|dp-|phy-)/.test(ifname) && !wanted.has(ifname))
    for (const cable of stale.filter((ifname) => ifname.startsWith('phy-'))) await removeExternalEnd(this.#host, cable)
    // What lies inside another device first: it would go with it, and not be found.
    const inner = stale.filter((ifname) => fabric.links.get(ifname)?.kind === 'vlan')
    await fabric.change((links) => [...inner, ...stale].flatMap((ifname) => linkRemoval(links, ifname)))
    for (const id of fabric.portNumbers.keys()) if (!ports.has(id)) this.#forgetPort(id)
    for (const bridge of fabric.zones.keys()) if (!networks.has(bridge)) fabric.zones.release(bridge)
  }

  #forgetPort(id: string): void {
    this.#host.fabric.portNumbers.release(id)
    this.#remembered.drop(id)
    this.#limits.delete(id)
  }

  // -- one thing

  /** Nothing is run when nothing changed. */
  async #network(network: NetworkPlan): Promise<void> {
    const { fabric } = this.#host
    checkNetwork(this.#host, network)
    await fabric.ready()
    await this.#prepare(network)
    const zone = zoneChange(this.#host, network)
    await Promise.all([zone === '' ? undefined : fabric.rules(zone).then(() => fabric.zoned.add(network.id)), fabric.change((links) => networkLinks(this.#host, network, links))])
    await this.#ends(network)
  }

  /** One at a time: each reads what there is and adds what is missing. */
  #ends(network: NetworkPlan): Promise<void> {
    return this.#farEnds.one(network.id, () => ensureRemotes(this.#host, network, this.#remotes))
  }

  /** One at a time for each network: two ports of a new network come together. */
  #prepare(network: NetworkPlan): Promise<void> {
    return this.#uplinks.one(network.network_type === 'flat' ? `flat ${network.physical_network}` : network.id, async () => {
      const digest = network.network_type === 'flat' ? JSON.stringify(network) : ''
      if (digest !== '' && this.#flat.get(network.id) === digest) return
      await ensureUplinks(this.#host, network)
      if (digest !== '') this.#flat.set(network.id, digest)
    })
  }

  async #port(port: PortPlan, network: NetworkPlan): Promise<void> {
    const { fabric } = this.#host
    checkPort(port, network)
    checkNetwork(this.#host, network)
    await fabric.ready()
    await this.#prepare(network)
    const text = portRules(this.#host, port)
    const rules = (fabric.portTexts.get(port.id) === text ? '' : text) + zoneChange(this.#host, network)
    const wire = async (): Promise<void> => {
      if (rules === '') return
      await fabric.rules(rules)
      fabric.portTexts.set(port.id, text)
      fabric.zoned.add(network.id)
    }
    await both(wire(), fabric.change((links) => [...networkLinks(this.#host, network, links), ...portLinks(this.#host, port, network, links)]).catch((thrown: unknown) => noVlans(port, thrown)))
    if (port.vif?.kind === 'vlan') this.#inside.set(port.id, port.vif.parent_port_id)
    if (this.#remembered.update(port)) await forgetConnections(this.#host, network.id, port.fixed_ips.map(({ ip_address }) => ip_address))
    await this.#ends(network)
    await this.#limit(port)
  }

  async #limit(port: PortPlan): Promise<void> {
    const before = this.#limits.get(port.id)
    if (JSON.stringify(before) === JSON.stringify(port.qos)) return
    await ensureLimits(this.#host, port.id, port.qos, before)
    if (port.qos) this.#limits.set(port.id, port.qos)
    else this.#limits.delete(port.id)
  }

  async #removePort(portId: string): Promise<void> {
    for (const [inner, parent] of this.#inside) if (parent === portId) await this.#removePort(inner)
    this.#inside.delete(portId)
    const known = this.#remembered.get(portId)
    await removePort(this.#host, portId)
    this.#forgetPort(portId)
    // The addresses may be another port's next.
    if (known) await forgetConnections(this.#host, known.network_id, known.fixed_ips.map(({ ip_address }) => ip_address))
  }

  async #forgetMembers(sets: readonly AddressSetPlan[]): Promise<void> {
    const { tools, fabric } = this.#host
    const gone = sets.flatMap((set) => {
      const now = new Set(set.prefixes)
      return (this.#sets.get(set.id)?.prefixes ?? []).filter((prefix) => !now.has(prefix))
    })
    for (const set of sets) this.#sets.set(set.id, set)
    const matches = ([4, 6] as const).flatMap((family) => {
      const all = disjoint(gone, family)
      return all.length > MANY ? [{ family }] : all.flatMap((address) => [{ family: familyOf(address), orig_src: address }, { family: familyOf(address), orig_dst: address }])
    })
    for (const match of matches) await tools.conntrack.forget(match, fabric.netns)
  }

  async #router(router: RouterPlan): Promise<RouterReport> {
    const all = [...router.interfaces, ...(router.gateway ? [router.gateway] : [])]
    const down = (reason: string): RouterReport => ({ id: router.id, status: 'DOWN', reason, ports: all.map(({ port_id }) => ({ id: port_id, status: 'DOWN', reason })) })
    try {
      checkRouter(router)
      await this.#host.fabric.ready()
      if (!router.admin_state_up) {
        await this.#removeRouter(router.id)
        return down('The router is administratively down')
      }
      for (const { network } of all) await this.#network(network)
      const netns = this.#host.names.router(router.id)
      const known = await this.#known()
      const report = await ensureRouterHere(this.#host, router, !known.has(netns), this.#metadata.wanted)
      known.add(netns)
      await this.#metadata.ensure({ netns, address: '0.0.0.0', port: METADATA_PORT }, { router_id: router.id })
      return report
    } catch (thrown) {
      // Perhaps half of the namespace is there: the next time looks instead of remembering.
      this.#namespaces = undefined
      return down(this.#down(router.id, thrown).reason!)
    }
  }

  async #removeRouter(routerId: string): Promise<void> {
    const netns = this.#host.names.router(routerId)
    const known = await this.#known()
    await this.#metadata.ensureNone(netns)
    await removeRouter(this.#host, routerId, known.has(netns))
    known.delete(netns)
  }

  async #serveDhcp(dhcp: DhcpPlan): Promise<void> {
    checkDhcp(dhcp)
    await this.#network(dhcp.network)
    const netns = this.#host.names.dhcp(dhcp.network.id)
    const known = await this.#known()
    const digest = JSON.stringify([dhcp.network.subnets, dhcp.network.mtu, dhcp.port, this.#metadata.wanted])
    const before = this.#dhcp.get(dhcp.network.id)
    this.#dhcp.delete(dhcp.network.id)
    try {
      await ensureDhcpHere(this.#host, dhcp, { fresh: !known.has(netns), known: before === digest }, this.#metadata.wanted)
    } catch (thrown) {
      this.#namespaces = undefined
      throw thrown
    }
    known.add(netns)
    this.#dhcp.set(dhcp.network.id, digest)
    await this.#metadata.ensure({ netns, address: METADATA_ADDRESS, port: 80 }, { network_id: dhcp.network.id })
  }

  async #removeDhcp(networkId: string): Promise<void> {
    const netns = this.#host.names.dhcp(networkId)
    const known = await this.#known()
    await this.#metadata.ensureNone(netns)
    await removeDhcp(this.#host, networkId, known.has(netns))
    known.delete(netns)
    this.#dhcp.delete(networkId)
  }

  async #known(): Promise<Set<string>> {
    this.#namespaces ??= new Set(await this.#host.tools.ip.namespaces())
    return this.#namespaces
  }

  async #report(id: string, work: () => Promise<void>): Promise<ObjectReport> {
    try {
      await work()
      return { id, status: 'ACTIVE' }
    } catch (thrown) {
      return this.#down(id, thrown)
    }
  }

  #down(id: string, thrown: unknown): ObjectReport & { status: 'DOWN' } {
    if (isFault(thrown, 'internal') || !isFault(thrown)) this.#host.log.warn('Could not wire a network object', { id, error: faultChain(thrown) })
    return { id, status: 'DOWN', reason: asFault(thrown).message }
  }
}

/** Waits for both, also when one fails: nothing may go on behind a report. */
async function both(...work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
}

async function inTurn<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const one of all) results.push(await work(one))
  return results
}

/** Says what is missing when a subport's device cannot be made. */
function noVlans(port: PortPlan, thrown: unknown): never {
  if (port.vif?.kind === 'vlan' && /Unknown device type/.test(`${faultChain(thrown)} ${String(asFault(thrown).data.stderr ?? '')}`)) throw unavailable('This kernel has no VLAN (802.1Q) devices, so subports of trunks cannot be wired', { cause: thrown })
  throw thrown
}
