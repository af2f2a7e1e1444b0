/**
 * Writes of concurrent requests, committed together: what comes while a commit is under way waits for the next one, and one sync to the disk
 * serves them all. Each write is judged alone; what one refuses does not touch its neighbours, so it must refuse before it writes.
 */
import { sql } from 'kysely'
import { conflict, Fault } from '#base/fault.ts'
import type { Database, Tx } from '#base/sql/database.ts'
import { noteChange } from './sync.ts'
import type { SwiftTables } from './tables.ts'

export interface Commit {
  readonly tx: Tx<SwiftTables>
  /** Holds the container until the commit; `conflict` when it is gone. Counts are added up and written once. */
  hold(containerId: string): Promise<{ count(objects: number, bytes: number): void }>
  /** An object of this name changed: other clouds must hear of it. Absent where there are none. */
  note?: ((containerId: string, name: string) => Promise<void>) | undefined
}

type Work<T> = (commit: Commit) => Promise<T>
interface Waiting { work: Work<unknown>; resolve: (value: unknown) => void; reject: (thrown: unknown) => void }

/** Whether a container's changes are to be told elsewhere. */
const SYNCS = '%x-container-sync-to%'

export interface Commits {
  run<T>(work: Work<T>): Promise<T>
}

const MOST = 256

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
    const results = await db.transaction(async (tx) => {
      const held = new Map<string, { objects: number; bytes: number }>()
      const commit: Commit = {
        tx,
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
        try {
          out.push({ value: await one.work(commit) })
        } catch (thrown) {
          if (!(thrown instanceof Fault) || ['internal', 'unavailable', 'insufficient_storage'].includes(thrown.kind)) throw thrown
          out.push({ fault: thrown })
        }
      }
      for (const [id, { objects, bytes }] of held) {
        if (objects === 0 && bytes === 0) continue
        await tx.query.updateTable('swift_containers').set({ object_count: sql`object_count + ${objects}`, bytes_used: sql`bytes_used + ${bytes}` }).where('id', '=', id).execute()
      }
      return out
    })
    for (const [i, result] of results.entries()) {
      if ('fault' in result) batch[i]!.reject(result.fault)
      else batch[i]!.resolve(result.value)
    }
  } catch (thrown) {
    // One that the engine refuses must not take the others with it.
    if (batch.length > 1) for (const one of batch) await together(db, [one], now, syncing)
    else batch[0]!.reject(thrown)
  }
}
