/** Telling agents and Nova, after the commit, what a transaction changed; what one transaction says is said at once. */
import type { Bus } from '#base/bus/interface.ts'
import { faultChain } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { AGENTS_TOPIC, agentTopic, type ChangedIds } from '#neutron/contract/rpc.ts'
import type { Changes, Notices } from '#neutron/house.ts'
import { type ExternalEvent, sendExternalEvents } from '#nova/contract/servers.ts'
import type { HouseParts } from '#stack/house.ts'
import type { Q, T } from '#neutron/store/tables.ts'
import { farSides } from './far-sides.ts'
import { untilTaken } from './until-taken.ts'

const EVERYONE = '*'

interface Saying {
  changed: Map<string, Record<keyof ChangedIds, Set<string>>>
  reasons: Set<string>
  events: ExternalEvent[]
}

export function notices(parts: Pick<HouseParts<unknown>, 'bus' | 'world' | 'client' | 'serviceCaller'> & { db: Q }): Notices {
  const far = farSides(parts)
  const sayings = new WeakMap<T, Saying>()
  const log = parts.world.log.module('neutron.notices')
  const saying = (tx: T): Saying => {
    let known = sayings.get(tx)
    if (!known) {
      const made: Saying = { changed: new Map(), reasons: new Set(), events: [] }
      sayings.set(tx, (known = made))
      tx.afterCommit(() => {
        void say(parts.bus, parts.world, made).then(() => tellNova(made.events))
        for (const [host, { networks }] of made.changed) if (host !== EVERYONE && networks.size > 0) far.changed([...networks], host)
      })
    }
    return known
  }
  const tellNova = async (events: ExternalEvent[]): Promise<void> => {
    if (events.length === 0) return
    try {
      await parts.client.call(await parts.serviceCaller(), 'nova', sendExternalEvents, { body: { events } })
    } catch (thrown) {
      log.info('Nova did not take an event; it will read the port', { error: faultChain(thrown) })
    }
  }
  return {
    changed(tx, changes: Changes, host = EVERYONE) {
      const { changed } = saying(tx)
      let ids = changed.get(host)
      if (!ids) changed.set(host, (ids = { ports: new Set(), networks: new Set(), routers: new Set(), sets: new Set() }))
      for (const kind of ['ports', 'networks', 'routers', 'sets'] as const) for (const id of changes[kind] ?? []) ids[kind].add(id)
    },
    everybody: (tx, reason) => void saying(tx).reasons.add(reason),
    nova(tx, name, port) {
      if (!port.device_owner.startsWith('compute:') || port.device_id === '') return
      saying(tx).events.push({ name, server_uuid: port.device_id, tag: port.id, status: 'completed' } as ExternalEvent)
    },
  }
}

async function say(bus: Bus, world: World, { changed, reasons }: Saying): Promise<void> {
  try {
    for (const [host, ids] of changed) {
      const payload: ChangedIds = { ports: [...ids.ports], networks: [...ids.networks], routers: [...ids.routers], sets: [...ids.sets] }
      await untilTaken(world, () => (host === EVERYONE ? bus.fanout(AGENTS_TOPIC, 'changed', payload) : bus.cast(agentTopic(host), 'changed', payload)))
    }
    for (const reason of reasons) await untilTaken(world, () => bus.fanout(AGENTS_TOPIC, 'wake', { reason }))
  } catch (thrown) {
    // The agents' slow clock finds it.
    world.log.module('neutron.notices').warn('Could not wake agents', { error: faultChain(thrown) })
  }
}
