/**
 * Keeps one host as the rows say: a whole round at the start and on a slow clock, and at once what a wake-up names. The plan comes from
 * control with every look; the agent keeps nothing but which routers and DHCP services it has seen here.
 */
import type { Bus } from '#base/bus/interface.ts'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import type { World } from '#base/world.ts'
import { type ChangedIds, CONTROL_TOPIC, type PortStatusReport, type Wishes } from '#neutron/contract/rpc.ts'
import { canRoute, canServeDhcp, type HostReport, type NetworkDriver, type PortReport, type RouterReport } from '#neutron/drivers/interface.ts'
import type { HostPlan, NetworkPlan, RouterPlan } from '#neutron/drivers/plan.ts'
import { type ChangeQueue, changeQueue } from './changes.ts'

export interface WiringParts {
  world: World
  bus: Bus
  host: string
  driver: NetworkDriver
  /** Milliseconds between whole rounds. */
  every: number
}

export interface Wiring {
  changed(ids: Partial<ChangedIds>): void
  wake(): void
  /** A whole round now. */
  round(): Promise<void>
  /** Waits for what was woken. */
  idle(): Promise<void>
  close(): Promise<void>
}

type RouterNews = NonNullable<PortStatusReport['routers']>[number]

const newsOf = (seen: readonly RouterReport[], plans: readonly RouterPlan[]): RouterNews[] =>
  seen.map(({ id, status }) => ({ id, status, floating_ips: plans.find((plan) => plan.id === id)?.floating_ips.map((one) => one.floating_ip_address) ?? [] }))

const networksOf = (routers: readonly RouterPlan[]): NetworkPlan[] => routers.flatMap((router) => [...router.interfaces, ...(router.gateway ? [router.gateway] : [])].map((side) => side.network))

/** Ports reported in one message at most. */
const BATCH = 500

export function startWiring(parts: WiringParts): Wiring {
  const { world, bus, host, driver } = parts
  const log = world.log.module('neutron.agent')
  const carried = { dhcp: new Set<string>(), routers: new Set<string>() }
  const told = new Map<string, string>()

  const report = async (ports: PortReport[], routers: RouterNews[]): Promise<void> => {
    for (const port of ports) complain(port)
    for (let at = 0; at === 0 || at < ports.length; at += BATCH) {
      const part = ports.slice(at, at + BATCH).map(({ id, status, device, netns }) => ({ id, status, ...(device === undefined ? {} : { device }), ...(netns === undefined ? {} : { netns }) }))
      const message: PortStatusReport = { host, ports: part, ...(at === 0 && routers.length > 0 ? { routers } : {}) }
      if (part.length + routers.length > 0) await bus.call(CONTROL_TOPIC, 'reportPorts', message)
    }
  }

  /** Each reason is said once, and again when it changes. */
  const complain = ({ id, status, reason }: { id: string; status: string; reason?: string }): void => {
    if (status === 'ACTIVE') told.delete(id)
    else if (reason !== undefined && told.get(id) !== reason) {
      told.set(id, reason)
      log.warn('Not wired', { id, reason })
    }
  }

  let readings = 0
  /** What is asked later is told later: of two answers about a network that of the later question counts. */
  const numbered = (reading: number, networks: Iterable<NetworkPlan>): void => {
    for (const network of networks) if (network.network_type === 'vxlan') network.reading = reading
  }

  const wholeRound = async (): Promise<void> => {
    let plan: HostPlan | undefined
    const read = async (): Promise<HostPlan> => {
      const reading = ++readings
      const found = (await bus.call(CONTROL_TOPIC, 'planOf', { host })) as HostPlan
      numbered(reading, [...found.networks, ...found.dhcp.map((one) => one.network), ...networksOf(found.routers)])
      return (plan = found)
    }
    const seen: HostReport = await driver.ensure(read)
    carried.dhcp = new Set(plan!.dhcp.map((one) => one.network.id))
    carried.routers = new Set(plan!.routers.map((one) => one.id))
    const dhcpPorts = new Map(plan!.dhcp.map((one) => [one.network.id, one.port.id]))
    for (const one of [...seen.networks, ...seen.dhcp, ...seen.routers]) complain(one)
    await report([...seen.ports, ...seen.dhcp.map((one) => ({ ...one, id: dhcpPorts.get(one.id)! })), ...seen.routers.flatMap((one) => one.ports)], newsOf(seen.routers, plan!.routers))
  }

  const wishes = async (ids: Partial<ChangedIds>): Promise<Wishes> => {
    const reading = ++readings
    const found = (await bus.call(CONTROL_TOPIC, 'wishesOf', { host, ports: [], networks: [], routers: [], sets: [], ...ids })) as Wishes
    numbered(reading, [...found.networks, ...found.ports.map((one) => one.network), ...found.dhcp.map((one) => one.network), ...networksOf(found.routers)])
    return found
  }

  /** Ports and DHCP first, in one go, because guests wait for them. */
  const lookAtPorts = async (ids: ChangedIds): Promise<void> => {
    const wish = await wishes({ ports: ids.ports, networks: ids.networks, sets: ids.sets })
    if (wish.address_sets.length > 0) await driver.ensureAddressSets(wish.address_sets)
    const wanted = new Set(wish.ports.map((one) => one.port.id))
    const wire = (inside: boolean): Promise<PortReport[]> => Promise.all(wish.ports.filter(({ port }) => (port.vif?.kind === 'vlan') === inside).map(({ port, network }) => driver.ensurePort(port, network)))
    // What lies inside another port comes after it.
    const ports = wire(false).then(async (outer) => [...outer, ...(await wire(true))])
    const gone = ids.ports.filter((id) => !wanted.has(id)).map((id) => driver.ensureNoPort(id))
    const dhcp = canServeDhcp(driver) ? wish.dhcp.map(async (plan) => ({ ...(await driver.ensureDhcp(plan)), id: plan.port.id })) : []
    const served = new Set(wish.dhcp.map((one) => one.network.id))
    for (const id of served) carried.dhcp.add(id)
    const ended = ids.networks.filter((id) => !served.has(id) && carried.dhcp.delete(id))
    const endings = canServeDhcp(driver) ? ended.map((id) => driver.ensureNoDhcp(id)) : []
    const tunnels = wish.networks.map((network) => driver.ensureNetwork(network))
    const [wired, answering] = await Promise.all([ports, Promise.all(dhcp), Promise.all(tunnels), Promise.all(gone), Promise.all(endings)])
    await report([...wired, ...answering], [])
  }

  const lookAtRouters = async (ids: ChangedIds): Promise<void> => {
    if (!canRoute(driver)) return
    const wish = await wishes({ routers: ids.routers })
    const wanted = new Set(wish.routers.map((one) => one.id))
    const gone = ids.routers.filter((id) => !wanted.has(id) && carried.routers.delete(id))
    const seen: RouterReport[] = await Promise.all(wish.routers.map((one) => driver.ensureRouter(one)))
    for (const id of wanted) carried.routers.add(id)
    await Promise.all(gone.map((id) => driver.ensureNoRouter(id)))
    for (const one of seen) complain(one)
    await report(seen.flatMap((one) => one.ports), newsOf(seen, wish.routers))
  }

  const reconciler: Reconciler = startReconciler({ name: 'neutron.agent', every: parts.every, world, run: wholeRound })
  const failed = (thrown: unknown): void => {
    log.warn('Failed to look at what changed; a whole round follows', { error: thrown })
    reconciler.wake()
  }
  const ports: ChangeQueue = changeQueue(world.clock, lookAtPorts, failed)
  const routers: ChangeQueue = changeQueue(world.clock, lookAtRouters, failed)
  return {
    changed(ids) {
      ports.add({ ...ids, routers: [] })
      routers.add({ routers: ids.routers ?? [] })
    },
    wake: () => reconciler.wake(),
    round: () => reconciler.round(),
    async idle() {
      await Promise.all([ports.idle(), routers.idle()])
    },
    async close() {
      await reconciler.close()
      await Promise.all([ports.idle(), routers.idle()])
    },
  }
}
