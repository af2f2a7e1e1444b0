/** Takes a volume away, and with `cascade` its snapshots. What else is under way for it ends first. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import type { Cinder } from '../house.ts'
import { deleteSnapshotRows, snapshotsOf } from '../store/snapshots.ts'
import { deleteVolumeRows, moveVolume, volumeById } from '../store/volumes.ts'
import { tell } from './tell.ts'

export interface DeleteVolume {
  volume_id: string
  project_id: string
  cascade: boolean
  /** Whatever it is doing, and whoever is connected. */
  force: boolean
}

export const deleteVolume = (house: Cinder): Flow<DeleteVolume> =>
  defineFlow<DeleteVolume>(
    'delete-volume',
    {
      deadline: 3_600_000,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        const done = await moveVolume(house.db, p.volume_id, ['deleting'], { status: 'error_deleting', updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: 'delete', fault })
      },
    },
    async (f, p) => {
      if (p.force) {
        await f.step('end other work', async (signal) => {
          await house.engine.cancel(house.db as never, 'volume', p.volume_id, f.id)
          await house.engine.idle('volume', p.volume_id, f.id, signal)
        })
      }
      const host = await f.step('find', async () => (await volumeById(house.db, p.volume_id))?.host ?? null)
      if (p.cascade || p.force) {
        await f.step('delete snapshots', async (signal) => {
          for (const { id } of await snapshotsOf(house.db, p.volume_id)) {
            if (host !== null) await house.agentAt(host).deleteSnapshot({ volume_id: p.volume_id, snapshot_id: id }, { signal })
            await house.db.transaction((tx) => deleteSnapshotRows(tx, id))
          }
        })
      }
      if (host !== null) await f.step('delete', (signal) => house.agentAt(host).deleteVolume({ volume_id: p.volume_id }, { signal }))
      await f.step('forget', () =>
        house.db.transaction(async (tx) => {
          await deleteVolumeRows(tx, p.volume_id)
          await f.conclude(tx)
        }),
      )
    },
  )
