/**
 * The fake network driver, and what the others are measured by. It moves no packet but keeps the wish as a real host would: in a
 * `FakeHost` that outlives the driver, so that a restart finds what was there. It can be told to fail and to be slow, and it
 * can say who would reach whom. Nothing runs in the background: thousands of hosts cost their maps.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asFault, Fault, type FaultKind, invalid } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { parsePrefix } from '../address.ts'
import { checkDhcp, checkPort, checkRouter } from '../check.ts'
import type { DhcpAbility, HostReport, MetadataAbility, MetadataHandler, MetadataSource, NetworkDriver, ObjectReport, PortReport, RouterReport, RoutingAbility } from '../interface.ts'
import { type AddressSetPlan, type DhcpPlan, type HostPlan, type NetworkPlan, parentsFirst, type PortPlan, type RouterPlan, type SecurityRulePlan } from '../plan.ts'

/** What a host carries. */
export interface FakeHost {
  networks: Map<string, NetworkPlan>
  ports: Map<string, PortPlan>
  address_sets: Map<string, AddressSetPlan>
  dhcp: Map<string, DhcpPlan>
  routers: Map<string, RouterPlan>
}

export function fakeHost(): FakeHost {
  return { networks: new Map(), ports: new Map(), address_sets: new Map(), dhcp: new Map(), routers: new Map() }
}

export type FakeVerb = 'ensure' | 'ensureNetwork' | 'ensureNoNetwork' | 'ensurePort' | 'ensureNoPort' | 'ensureAddressSets' | 'ensureRouter' | 'ensureNoRouter' | 'ensureDhcp' | 'ensureNoDhcp'

/** A fault at will: of one verb or all, of one object or all, a number of times or always. */
export interface FakeFault {
  verb?: FakeVerb
  id?: string
  /** Milliseconds that the verb takes. */
  slow?: number
  /** Fails with this reason; without it, is only slow. */
  reason?: string
  kind?: FaultKind
  times?: number
}

export interface Packet {
  /** `tcp`, `udp`, `icmp`. */
  protocol: string
  port?: number
}

export class FakeNetworkDriver implements NetworkDriver, RoutingAbility, DhcpAbility, MetadataAbility {
  readonly name = 'fake'
  readonly network_types = ['local', 'flat', 'vlan', 'vxlan'] as const
  readonly host: FakeHost
  readonly faults: FakeFault[] = []
  /** Every call: verb and id. */
  readonly calls: { verb: FakeVerb; id: string }[] = []
  #handler: MetadataHandler | undefined
  readonly #world: World
  /** In a simulation, which is long: then no call is kept. */
  readonly #storm: ((verb: string) => { slow: number; fault?: Fault } | undefined) | undefined

  constructor(world: World, host: FakeHost = fakeHost(), storm?: (verb: string) => { slow: number; fault?: Fault } | undefined) {
    this.#world = world
    this.#storm = storm
    this.host = host
  }

  onMetadata(handler: MetadataHandler): void {
    this.#handler = handler
  }

  async ensure(wish: HostPlan | (() => Promise<HostPlan>)): Promise<HostReport> {
    await this.#meet('ensure', '')
    const plan = typeof wish === 'function' ? await wish() : wish
    keep(this.host.ports, plan.ports.map(({ id }) => id))
    keep(this.host.networks, plan.networks.map(({ id }) => id))
    keep(this.host.dhcp, plan.dhcp.map(({ network }) => network.id))
    keep(this.host.routers, plan.routers.map(({ id }) => id))
    keep(this.host.address_sets, plan.address_sets.map(({ id }) => id))
    await this.ensureAddressSets(plan.address_sets)
    const networks = new Map(plan.networks.map((network) => [network.id, network]))
    return {
      networks: await all(plan.networks, (network) => this.ensureNetwork(network)),
      ports: await all(parentsFirst(plan.ports), (port) => {
        const network = networks.get(port.network_id)
        return network ? this.ensurePort(port, network) : { id: port.id, status: 'DOWN', reason: 'Its network is not on this host' }
      }),
      dhcp: await all(plan.dhcp, (dhcp) => this.ensureDhcp(dhcp)),
      routers: await all(plan.routers, (router) => this.ensureRouter(router)),
    }
  }

  ensureNetwork(network: NetworkPlan): Promise<ObjectReport> {
    return this.#report('ensureNetwork', network.id, () => this.#network(network))
  }

  async ensureNoNetwork(networkId: string): Promise<void> {
    await this.#meet('ensureNoNetwork', networkId)
    this.host.networks.delete(networkId)
  }

  async ensurePort(port: PortPlan, network: NetworkPlan): Promise<PortReport> {
    const report = await this.#report('ensurePort', port.id, () => {
      checkPort(port, network)
      for (const { remote_set } of port.security_rules) if (remote_set !== undefined && !this.host.address_sets.has(remote_set)) throw invalid(`Address set ${remote_set} is not on this host`)
      if (port.vif?.kind === 'vlan' && !this.host.ports.has(port.vif.parent_port_id)) throw invalid('The parent port of its trunk is not on this host')
      this.#network(network)
      this.host.ports.set(port.id, port)
    })
    if (report.status === 'DOWN') return report
    const where = { device: `tap${port.id.slice(0, 11)}`, netns: 'fake' }
    return port.admin_state_up ? { ...report, ...where } : { id: port.id, status: 'DOWN', reason: 'The port is administratively down', ...where }
  }

  async ensureNoPort(portId: string): Promise<void> {
    await this.#meet('ensureNoPort', portId)
    this.host.ports.delete(portId)
  }

  async ensureAddressSets(sets: readonly AddressSetPlan[]): Promise<void> {
    await this.#meet('ensureAddressSets', '')
    for (const set of sets) {
      for (const prefix of set.prefixes) checkPrefix(prefix)
      this.host.address_sets.set(set.id, set)
    }
  }

  async ensureRouter(router: RouterPlan): Promise<RouterReport> {
    const report = await this.#report('ensureRouter', router.id, () => {
      checkRouter(router)
      this.host.routers.delete(router.id)
      if (!router.admin_state_up) throw invalid('The router is administratively down')
      for (const { network } of legs(router)) this.#network(network)
      this.host.routers.set(router.id, router)
    })
    return { ...report, ports: legs(router).map(({ port_id }) => ({ ...report, id: port_id })) }
  }

  async ensureNoRouter(routerId: string): Promise<void> {
    await this.#meet('ensureNoRouter', routerId)
    this.host.routers.delete(routerId)
  }

  ensureDhcp(dhcp: DhcpPlan): Promise<ObjectReport> {
    return this.#report('ensureDhcp', dhcp.network.id, () => {
      checkDhcp(dhcp)
      this.#network(dhcp.network)
      this.host.dhcp.set(dhcp.network.id, dhcp)
    })
  }

  async ensureNoDhcp(networkId: string): Promise<void> {
    await this.#meet('ensureNoDhcp', networkId)
    this.host.dhcp.delete(networkId)
  }

  async close(): Promise<void> {
    this.#handler = undefined
  }

  /** A guest asks for metadata, through what its network offers. Throws when there is no way to it. */
  askMetadata(source: MetadataSource, request: IncomingMessage, response: ServerResponse): void {
    const way = source.router_id === undefined ? this.host.dhcp.has(source.network_id) : this.host.routers.has(source.router_id)
    if (!way || !this.#handler) throw new Fault('unavailable', 'Nothing answers on 169.254.169.254')
    this.#handler(source, request, response)
  }

  /** The address that DHCP gives a MAC on a network, if any. */
  lease(networkId: string, mac: string): string | undefined {
    const plan = this.host.dhcp.get(networkId)
    const fixed = plan?.reservations.find(({ mac_address }) => mac_address === mac)?.fixed_ips ?? []
    return fixed.find(({ subnet_id }) => plan?.network.subnets.some(({ id, enable_dhcp, ip_version }) => id === subnet_id && enable_dhcp && ip_version === 4))?.ip_address
  }

  /** Whether a first packet goes from one port to another on the same network, over IPv4. */
  reaches(fromId: string, toId: string, packet: Packet): boolean {
    const from = this.host.ports.get(fromId)
    const to = this.host.ports.get(toId)
    if (!from?.admin_state_up || !to?.admin_state_up || from.network_id !== to.network_id) return false
    return this.#allows(from, 'egress', to, packet) && this.#allows(to, 'ingress', from, packet)
  }

  #allows(port: PortPlan, direction: 'ingress' | 'egress', peer: PortPlan, packet: Packet): boolean {
    if (!port.port_security_enabled) return true
    const addresses = peer.fixed_ips.map(({ ip_address }) => ip_address).filter((address) => !address.includes(':'))
    return port.security_rules.some((rule) => rule.direction === direction && rule.ethertype === 'IPv4' && this.#matches(rule, addresses, packet))
  }

  #matches(rule: SecurityRulePlan, addresses: readonly string[], packet: Packet): boolean {
    if (rule.protocol !== null && rule.protocol !== 'any' && rule.protocol !== packet.protocol) return false
    if (packet.port !== undefined && rule.port_range_min !== null && packet.port < rule.port_range_min) return false
    if (packet.port !== undefined && rule.port_range_max !== null && packet.port > rule.port_range_max) return false
    const remotes = rule.remote_set === undefined ? rule.remote_prefixes : (this.host.address_sets.get(rule.remote_set)?.prefixes ?? [])
    return remotes === undefined || addresses.some((address) => remotes.some((prefix) => within(address, prefix)))
  }

  #network(network: NetworkPlan): void {
    if ((network.network_type === 'vxlan' || network.network_type === 'vlan') && network.segmentation_id === null) throw invalid(`Network ${network.id} has no segmentation id`, { field: 'segmentation_id' })
    if (!Number.isInteger(network.mtu) || network.mtu < 68 || network.mtu > 65535) throw invalid(`Network ${network.id} has an impossible MTU`, { field: 'mtu' })
    this.host.networks.set(network.id, network)
  }

  async #report(verb: FakeVerb, id: string, work: () => void): Promise<ObjectReport> {
    try {
      await this.#meet(verb, id)
      work()
      return { id, status: 'ACTIVE' }
    } catch (thrown) {
      return { id, status: 'DOWN', reason: asFault(thrown).message }
    }
  }

  /** Meets the faults that wait for this call. */
  async #meet(verb: FakeVerb, id: string): Promise<void> {
    const storm = this.#storm?.(verb)
    if (!this.#storm) this.calls.push({ verb, id })
    if (storm && storm.slow > 0) await this.#world.clock.sleep(storm.slow)
    if (storm?.fault) throw storm.fault
    for (const fault of [...this.faults]) {
      if ((fault.verb !== undefined && fault.verb !== verb) || (fault.id !== undefined && fault.id !== id)) continue
      if (fault.times !== undefined && --fault.times <= 0) this.faults.splice(this.faults.indexOf(fault), 1)
      if (fault.slow !== undefined) await this.#world.clock.sleep(fault.slow)
      if (fault.reason !== undefined) throw new Fault(fault.kind ?? 'unavailable', fault.reason)
    }
  }
}

function legs(router: RouterPlan): RouterPlan['interfaces'] {
  return [...router.interfaces, ...(router.gateway ? [router.gateway] : [])]
}

function keep(map: Map<string, unknown>, ids: readonly string[]): void {
  const wanted = new Set(ids)
  for (const id of map.keys()) if (!wanted.has(id)) map.delete(id)
}

async function all<T, R>(items: readonly T[], work: (item: T) => Promise<R> | R): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await work(item))
  return results
}

function within(address: string, prefix: string): boolean {
  const inner = parsePrefix(address)
  const outer = parsePrefix(prefix)
  const bits = BigInt((outer.family === 4 ? 32 : 128) - outer.length)
  return inner.family === outer.family && inner.first >> bits === outer.first >> bits
}

/** Hundreds of pretended hosts are told the same thousand addresses again and again. */
const wellFormed = new Set<string>()

function checkPrefix(text: string): void {
  if (wellFormed.has(text)) return
  parsePrefix(text)
  if (wellFormed.size > 100_000) wellFormed.clear()
  wellFormed.add(text)
}
