/**
 * Writes of concurrent requests, committed together: what comes while a commit is under way waits for the next one, and one sync to the disk
 * serves them all. Each write is judged alone; what one refuses does not touch its neighbours. One that refuses when it has written already takes the
 * whole batch back, and each is tried by itself.
 */
import { type Kysely, sql } from 'kysely'
import { conflict, Fault } from '#base/fault.ts'
import type { Database, Tx } from '#base/sql/database.ts'
import { noteChange } from './sync.ts'
import type { SwiftTables } from './tables.ts'

export interface Commit {
  readonly tx: Tx<SwiftTables>
  /** Holds the container until the commit; `conflict` when it is gone. Counts are added up and written once. */
  hold(containerId: string): Promise<{ count(objects: number, bytes: number): void }>
  /** Writes what was counted up to here, for who must know what stands in containers now. */
  settle(): Promise<void>
  /** An object of this name changed: other clouds must hear of it. Absent where there are none. */
  note?: ((containerId: string, name: string) => Promise<void>) | undefined
}

type Work<T> = (commit: Commit) => Promise<T>
interface Waiting { work: Work<unknown>; resolve: (value: unknown) => void; reject: (thrown: unknown) => void }

/** Whether a container's changes are to be told elsewhere. */
const SYNCS = '%x-container-sync-to%'

export interface Commits {
  /** `unavailable`, or something that is no Fault: nobody knows whether it was done. Every other Fault: nothing was. */
  run<T>(work: Work<T>): Promise<T>
}

/** Whether bytes that a commit was to give a row may go, now that it failed so. */
export const wasRefused = (thrown: unknown): boolean => thrown instanceof Fault && !['internal', 'unavailable'].includes(thrown.kind)

const MOST = 256

/** Refused after it had written. */
class Torn extends Error {}

const WRITES: ReadonlySet<string | symbol> = new Set(['insertInto', 'updateTable', 'deleteFrom'])

/** The same queries; told of each that writes. */
function watched<Schema>(query: Kysely<Schema>, wrote: () => void): Kysely<Schema> {
  return new Proxy(query, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      if (WRITES.has(name)) wrote()
      return value.bind(target) as unknown
    },
  })
}

/** `syncing`: containers may be copied to other clouds. */
export function commitsOf(db: Database<SwiftTables>, now: () => number, syncing = false): Commits {
  let waiting: Waiting[] = []
  let busy = false
  const drain = async (): Promise<void> => {
    busy = true
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MOST)
      waiting = waiting.slice(MOST)
      await together(db, batch, now, syncing)
    }
    busy = false
  }
  return {
    run: (work) =>
      new Promise((resolve, reject) => {
        waiting.push({ work, resolve: resolve as (value: unknown) => void, reject })
        if (!busy) void drain()
      }),
  }
}

async function together(db: Database<SwiftTables>, batch: Waiting[], now: () => number, syncing: boolean): Promise<void> {
  try {
    // What is decided is decided under the lock of the container, or by a condition in the update itself.
    const results = await db.transaction(async (tx) => {
      const held = new Map<string, { objects: number; bytes: number }>()
      let writes = 0
      const settle = async (): Promise<void> => {
        for (const [id, sums] of held) {
          const { objects, bytes } = sums
          if (objects === 0 && bytes === 0) continue
          sums.objects = sums.bytes = 0
          await tx.query.updateTable('swift_containers').set({ object_count: sql`object_count + ${objects}`, bytes_used: sql`bytes_used + ${bytes}` }).where('id', '=', id).execute()
        }
      }
      const commit: Commit = {
        tx: { ...tx, query: watched(tx.query, () => writes++) },
        settle,
        async hold(id) {
          let sums = held.get(id)
          if (!sums) {
            const done = await tx.query.updateTable('swift_containers').set({ changed_at: now() }).where('id', '=', id).executeTakeFirst()
            if (done.numUpdatedRows !== 1n) throw conflict('The container was deleted.', { code: 'swift.no_container' })
            held.set(id, (sums = { objects: 0, bytes: 0 }))
          }
          const own = sums
          return {
            count(objects, bytes) {
              own.objects += objects
              own.bytes += bytes
            },
          }
        },
      }
      const syncs = new Map<string, boolean>()
      if (syncing) {
        commit.note = async (container_id, name) => {
          await commit.hold(container_id)
          if (!syncs.has(container_id)) syncs.set(container_id, (await tx.query.selectFrom('swift_containers').select('id').where('id', '=', container_id).where('metadata', 'like', SYNCS).executeTakeFirst()) !== undefined)
          if (syncs.get(container_id)) await noteChange(tx, { container_id, name, changed_at: now() })
        }
      }
      const out: ({ value: unknown } | { fault: Fault })[] = []
      for (const one of batch) {
        const before = writes
        try {
          out.push({ value: await one.work(commit) })
        } catch (thrown) {
          if (!(thrown instanceof Fault) || ['internal', 'unavailable', 'insufficient_storage'].includes(thrown.kind)) throw thrown
          if (writes > before) throw batch.length > 1 ? new Torn('A write was refused half way', { cause: thrown }) : thrown
          out.push({ fault: thrown })
        }
      }
      await settle()
      return out
    }, { guarded: true })
    for (const [i, result] of results.entries()) {
      if ('fault' in result) batch[i]!.reject(result.fault)
      else batch[i]!.resolve(result.value)
    }
  } catch (thrown) {
    // A server that is lost may have committed: nobody is told that it was done, and nothing is done twice.
    if (thrown instanceof Fault && thrown.kind === 'unavailable') for (const one of batch) one.reject(thrown)
    // One that the engine refuses must not take the others with it.
    else if (batch.length > 1) for (const one of batch) await together(db, [one], now, syncing)
    else batch[0]!.reject(thrown)
  }
}
