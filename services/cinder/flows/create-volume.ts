/** From a row in `creating` to a volume that is there: choose a backend, make it, say so. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { asFault, Fault } from '#base/fault.ts'
import type { WishedSource } from '../contract/volume-rpc.ts'
import type { Wish } from '../core/scheduler.ts'
import type { Cinder } from '../house.ts'
import { moveVolume, setVolume, volumeById } from '../store/volumes.ts'
import { choose } from './schedule.ts'
import { tell } from './tell.ts'

export interface CreateVolume {
  volume_id: string
  project_id: string
  size_gb: number
  source: WishedSource
  wish: Wish
}

const HOUR = 3_600_000

export const createVolume = (house: Cinder): Flow<CreateVolume> =>
  defineFlow<CreateVolume>(
    'create-volume',
    {
      deadline: 6 * HOUR,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        const done = await moveVolume(house.db, p.volume_id, ['creating', 'downloading', 'restoring-backup'], { status: 'error', updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: fault.code === 'scheduler.none' ? 'schedule' : 'create', fault })
      },
    },
    async (f, p) => {
      const hosts = await f.step('schedule', async () => {
        const found = await choose(house, p.wish)
        const downloading = p.source.from === 'image' ? { status: 'downloading' } : {}
        await setVolume(house.db, p.volume_id, { host: found[0]!, ...downloading })
        return found
      })
      const host = await f.step('create', (signal) => createOnOne(house, p, hosts, signal), (at) => undo(house, p.volume_id, at ? [at] : hosts))
      await f.step('publish', () =>
        house.db.transaction(async (tx) => {
          const now = house.world.clock.now()
          const done = await moveVolume(tx, p.volume_id, ['creating', 'downloading', 'restoring-backup'], { status: 'available', host, launched_at: now, updated_at: now })
          if (!done) throw new Fault('gone', `Volume ${p.volume_id} is no longer being created.`)
          await f.conclude(tx)
        }),
      )
    },
  )

/** A process may die after a volume was published and before that was on record; by then it may hold a user's data. */
export async function isPublished(house: Cinder, volumeId: string): Promise<boolean> {
  return ((await volumeById(house.db, volumeId))?.launched_at ?? null) !== null
}

async function undo(house: Cinder, volume_id: string, hosts: readonly string[]): Promise<void> {
  if (await isPublished(house, volume_id)) return
  for (const host of hosts) await house.agentAt(host).deleteVolume({ volume_id })
}

/** A backend that cannot is passed over for the next one; what the wish itself lacks is not asked of another. */
async function createOnOne(house: Cinder, p: CreateVolume, hosts: readonly string[], signal: AbortSignal): Promise<string> {
  let last: unknown
  for (const host of hosts) {
    try {
      await house.agentAt(host).createVolume({ volume_id: p.volume_id, size_gb: p.size_gb, source: p.source }, { signal })
      return host
    } catch (thrown) {
      signal.throwIfAborted()
      last = thrown
      if (['invalid', 'not_found', 'conflict'].includes(asFault(thrown).kind)) throw thrown
      house.world.log.module('cinder.flow').warn('Failed to make a volume on a backend', { volume_id: p.volume_id, host, error: thrown })
      await house.agentAt(host).deleteVolume({ volume_id: p.volume_id }).catch(() => {})
    }
  }
  throw last
}
