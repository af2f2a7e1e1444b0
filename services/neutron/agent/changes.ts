/** Ids that wait to be looked at: what arrives while a look is under way is looked at together, next. */
import type { ChangedIds } from '#neutron/contract/rpc.ts'

const KINDS = ['ports', 'networks', 'routers', 'sets'] as const

export interface ChangeQueue {
  add(ids: Partial<ChangedIds>): void
  /** Waits until nothing is waiting or under way. */
  idle(): Promise<void>
}

export function changeQueue(look: (ids: ChangedIds) => Promise<void>, failed: (thrown: unknown) => void): ChangeQueue {
  let waiting: Record<keyof ChangedIds, Set<string>> | undefined
  let running: Promise<void> | undefined
  const run = async (): Promise<void> => {
    while (waiting) {
      const ids = Object.fromEntries(KINDS.map((kind) => [kind, [...waiting![kind]]])) as unknown as ChangedIds
      waiting = undefined
      await look(ids).catch(failed)
    }
    running = undefined
  }
  return {
    add(ids) {
      if (KINDS.every((kind) => (ids[kind]?.length ?? 0) === 0)) return
      waiting ??= { ports: new Set(), networks: new Set(), routers: new Set(), sets: new Set() }
      for (const kind of KINDS) for (const id of ids[kind] ?? []) waiting[kind].add(id)
      running ??= Promise.resolve().then(run)
    },
    async idle() {
      await running
    },
  }
}
