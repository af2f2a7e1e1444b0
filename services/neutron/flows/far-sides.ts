/**
 * Whom else a change on a network concerns: the host that serves its DHCP, and every host at the other end of a tunnel. They are told the network's
 * id and ask. Changes of the same moment are told at once; on one machine nobody else is there and nothing is asked.
 */
import type { Bus } from '#base/bus/interface.ts'
import { faultChain } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { agentTopic, type ChangedIds } from '#neutron/contract/rpc.ts'
import { dhcpHostsOf, hostsOnNetworks, sidesThere } from '#neutron/store/agents.ts'
import type { Q } from '#neutron/store/tables.ts'
import { untilTaken } from './until-taken.ts'

export interface FarSides {
  /** Something on these networks changed; `told` knows of it already. */
  changed(networkIds: readonly string[], told: string): void
}

/** Milliseconds for which it is believed who serves DHCP and has tunnels, and between two tellings. */
const BELIEVED = 5_000
const PAUSE = 50

export function farSides({ bus, world, db }: { bus: Bus; world: World; db: Q }): FarSides {
  let sides: { at: number; dhcp: ReadonlySet<string>; tunnels: ReadonlySet<string> } | undefined
  let waiting = new Map<string, Set<string>>()
  let running = false

  const known = async () => {
    if (!sides || world.clock.now() - sides.at > BELIEVED) sides = { at: world.clock.now(), ...(await sidesThere(db)) }
    return sides
  }

  const tell = async (networks: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> => {
    const { dhcp, tunnels } = await known()
    const elsewhere = (hosts: ReadonlySet<string>, told: ReadonlySet<string>): boolean => [...hosts].some((host) => !told.has(host))
    const ids = [...networks].flatMap(([id, told]) => (elsewhere(dhcp, told) || elsewhere(tunnels, told) ? [id] : []))
    if (ids.length === 0) return
    const found = [...(await dhcpHostsOf(db, ids)), ...(tunnels.size > 0 ? (await hostsOnNetworks(db, ids)).filter((one) => tunnels.has(one.host)) : [])]
    const byHost = new Map<string, Set<string>>()
    for (const { network_id, host } of found) {
      // Told of one change and not of another, it is told of both.
      const told = networks.get(network_id)!
      if (told.size === 1 && told.has(host)) continue
      byHost.set(host, (byHost.get(host) ?? new Set()).add(network_id))
    }
    for (const [host, ofHost] of byHost) await untilTaken(world, () => bus.cast(agentTopic(host), 'changed', { ports: [], networks: [...ofHost], routers: [], sets: [] } satisfies ChangedIds))
  }

  const run = async (): Promise<void> => {
    while (waiting.size > 0) {
      const networks = waiting
      waiting = new Map()
      // The slow clock of the agents finds what was not told.
      await tell(networks).catch((thrown: unknown) => world.log.module('neutron.notices').warn('Could not wake the far sides of networks', { error: faultChain(thrown) }))
      if (waiting.size > 0) await world.clock.sleep(PAUSE)
    }
    running = false
  }

  return {
    changed(networkIds, told) {
      for (const id of networkIds) waiting.set(id, (waiting.get(id) ?? new Set()).add(told))
      if (running || waiting.size === 0) return
      running = true
      void run()
    },
  }
}
