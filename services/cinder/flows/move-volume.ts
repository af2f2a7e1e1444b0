/** Retype and migrate: the volume keeps its id, its bytes may change their backend. */
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import { backendOf } from '../contract/volume-rpc.ts'
import type { Wish } from '../core/scheduler.ts'
import type { Cinder } from '../house.ts'
import { settleVolume } from '../store/holding.ts'
import { typeById } from '../store/types.ts'
import { moveVolume, setVolume, volumeById } from '../store/volumes.ts'
import { choose } from './schedule.ts'
import { tell } from './tell.ts'

export interface RetypeVolume {
  volume_id: string
  project_id: string
  host: string
  size_gb: number
  was: string
  new_type_id: string
  /** Where it may go; null: it stays. */
  wish: Wish | null
}

export const retypeVolume = (house: Cinder): Flow<RetypeVolume> =>
  defineFlow<RetypeVolume>(
    'retype-volume',
    {
      deadline: 6 * 3_600_000,
      async failed(p, fault) {
        if (!(await giveBack(house, p, {}))) return
        await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: 'migrate', fault })
      },
    },
    async (f, p) => {
      let host = p.host
      if (p.wish !== null) {
        const [target] = await f.step('schedule', () => choose(house, p.wish!))
        host = target!
        if (backendOf(host) !== backendOf(p.host)) await copy(house, f, p, host)
      } else {
        await f.step('retype', async (signal) => {
          const type = await typeById(house.db, p.new_type_id)
          await house.agentAt(p.host).retype({ volume_id: p.volume_id, specs: JSON.parse(type?.extra_specs ?? '{}') as Record<string, string> }, { signal })
        })
      }
      const moved = backendOf(host) !== backendOf(p.host)
      // Where the row says it is, it stays: the rest is only forward.
      await f.must('publish', () => giveBack(house, p, { volume_type_id: p.new_type_id, host, ...(moved ? { migration_status: 'success' } : {}) }))
      if (moved) await f.must('delete the old one', (signal) => deleteOld(house, p, signal))
    },
  )

export interface MigrateVolume {
  volume_id: string
  project_id: string
  host: string
  target: string
  size_gb: number
  was: string
}

export const migrateVolume = (house: Cinder): Flow<MigrateVolume> =>
  defineFlow<MigrateVolume>(
    'migrate-volume',
    {
      deadline: 6 * 3_600_000,
      async failed(p, fault) {
        if (!(await giveBack(house, p, { migration_status: 'error' }))) return
        await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: 'migrate', fault })
      },
    },
    async (f, p) => {
      await f.step('begin', () => setVolume(house.db, p.volume_id, { migration_status: 'migrating' }))
      await copy(house, f, p, p.target)
      await f.must('publish', () => giveBack(house, p, { host: p.target, migration_status: 'success' }))
      await f.must('delete the old one', (signal) => deleteOld(house, p, signal))
    },
  )

/** The volume is elsewhere and in use again; what is left of it here goes as soon as this backend answers. */
async function deleteOld(house: Cinder, p: { volume_id: string; host: string }, signal: AbortSignal): Promise<void> {
  for (let wait = 1000; ; wait = Math.min(wait * 2, 60_000)) {
    try {
      await house.agentAt(p.host).deleteVolume({ volume_id: p.volume_id }, { signal })
      return
    } catch (thrown) {
      signal.throwIfAborted()
      house.world.log.module('cinder.flow').warn('Failed to delete a volume where it no longer is', { volume_id: p.volume_id, host: p.host, error: thrown })
      await house.world.clock.sleep(wait, signal)
    }
  }
}

async function copy(house: Cinder, f: FlowRun, p: { volume_id: string; host: string; size_gb: number }, target: string): Promise<void> {
  // An earlier move may still wait to delete what it left, perhaps where this one goes.
  await f.step('end other work', async (signal) => {
    await house.engine.cancel(house.db as never, 'volume', p.volume_id, f.id)
    await house.engine.idle('volume', p.volume_id, f.id, signal)
  })
  await f.step(
    'copy',
    (signal) => house.agentAt(target).migrateIn({ volume_id: p.volume_id, size_gb: p.size_gb, from: backendOf(p.host) }, { signal }),
    // Once the row names the new place, the copy is the volume.
    async () => {
      if ((await volumeById(house.db, p.volume_id))?.host !== target) await house.agentAt(target).deleteVolume({ volume_id: p.volume_id })
    },
  )
}

/** The status it was borrowed with; `maintenance` and `retyping` are ours. False when it was given back already. */
async function giveBack(house: Cinder, p: { volume_id: string; was: string }, patch: Parameters<typeof moveVolume>[3]): Promise<boolean> {
  return house.db.transaction(async (tx) => {
    const now = house.world.clock.now()
    if (!(await moveVolume(tx, p.volume_id, ['retyping', 'maintenance'], { status: p.was, ...patch, updated_at: now }))) return false
    await settleVolume(tx, p.volume_id, now)
    return true
  })
}
