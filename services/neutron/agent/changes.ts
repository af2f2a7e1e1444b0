/** Ids that wait to be looked at: what arrives while a look is under way is looked at together, next. */
import type { Clock } from '#base/clock.ts'
import type { ChangedIds } from '#neutron/contract/rpc.ts'

const KINDS = ['ports', 'networks', 'routers', 'sets'] as const

/**
 * A look at a network lists all its ports: what changes often in a big one is looked at again after so many times as long as the last look took.
 * So the work of one host grows with the ports that come, not with their square.
 */
const REST = 3

export interface ChangeQueue {
  add(ids: Partial<ChangedIds>): void
  /** Waits until nothing is waiting or under way. */
  idle(): Promise<void>
}

export function changeQueue(clock: Clock, look: (ids: ChangedIds) => Promise<void>, failed: (thrown: unknown) => void): ChangeQueue {
  let waiting: Record<keyof ChangedIds, Set<string>> | undefined
  let running: Promise<void> | undefined
  /** Networks that were looked at a moment ago, until then. */
  const resting = new Set<string>()
  let restsUntil = 0
  let rest: Promise<void> | undefined

  const run = async (): Promise<void> => {
    while (waiting) {
      const ids = Object.fromEntries(KINDS.map((kind) => [kind, [...waiting![kind]]])) as unknown as ChangedIds
      waiting = undefined
      const began = clock.now()
      await look(ids).catch(failed)
      if (ids.networks.length > 0) restsUntil = clock.now() + REST * (clock.now() - began)
      const again = [...((waiting as Record<keyof ChangedIds, Set<string>> | undefined)?.networks ?? [])]
      if (again.length > 0 && clock.now() < restsUntil) {
        waiting!.networks.clear()
        if (KINDS.every((kind) => waiting![kind].size === 0)) waiting = undefined
        hold(again)
      }
    }
    running = undefined
  }
  const hold = (networks: readonly string[]): void => {
    for (const id of networks) resting.add(id)
    rest ??= clock.sleep(restsUntil - clock.now()).then(() => {
      rest = undefined
      const ids = [...resting]
      resting.clear()
      add({ networks: ids })
    })
  }
  const add = (ids: Partial<ChangedIds>): void => {
    let news = ids
    if (ids.networks !== undefined && ids.networks.length > 0 && clock.now() < restsUntil) {
      hold(ids.networks)
      news = { ...ids, networks: [] }
    }
    if (KINDS.every((kind) => (news[kind]?.length ?? 0) === 0)) return
    waiting ??= { ports: new Set(), networks: new Set(), routers: new Set(), sets: new Set() }
    for (const kind of KINDS) for (const id of news[kind] ?? []) waiting[kind].add(id)
    running ??= Promise.resolve().then(run)
  }
  return {
    add,
    async idle() {
      while (running ?? rest) await (running ?? rest)
    },
  }
}
