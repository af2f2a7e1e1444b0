/** Taking, removing and going back to snapshots. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import type { Cinder } from '../house.ts'
import { deleteSnapshotRows, moveSnapshot } from '../store/snapshots.ts'
import { moveVolume } from '../store/volumes.ts'
import { tell } from './tell.ts'

export interface SnapshotWork {
  snapshot_id: string
  volume_id: string
  project_id: string
  host: string
}

export const createSnapshot = (house: Cinder): Flow<SnapshotWork> =>
  defineFlow<SnapshotWork>(
    'create-snapshot',
    {
      deadline: 600_000,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        const done = await moveSnapshot(house.db, p.snapshot_id, ['creating'], { status: 'error', updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'snapshot', id: p.snapshot_id, project_id: p.project_id, action: 'snapshot_create', fault })
      },
    },
    async (f, p) => {
      const ref = { snapshot_id: p.snapshot_id, volume_id: p.volume_id }
      await f.step('create', (signal) => house.agentAt(p.host).createSnapshot(ref, { signal }), () => house.agentAt(p.host).deleteSnapshot(ref))
      await f.step('publish', () =>
        house.db.transaction(async (tx) => {
          await moveSnapshot(tx, p.snapshot_id, ['creating'], { status: 'available', progress: '100%', updated_at: house.world.clock.now() })
          await f.conclude(tx)
        }),
      )
    },
  )

export const deleteSnapshot = (house: Cinder): Flow<SnapshotWork & { host: string | null }> =>
  defineFlow<SnapshotWork & { host: string | null }>(
    'delete-snapshot',
    {
      deadline: 600_000,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        const done = await moveSnapshot(house.db, p.snapshot_id, ['deleting'], { status: 'error_deleting', updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'snapshot', id: p.snapshot_id, project_id: p.project_id, action: 'snapshot_delete', fault })
      },
    },
    async (f, p) => {
      await f.step('end other work', async (signal) => {
        await house.engine.cancel(house.db as never, 'snapshot', p.snapshot_id, f.id)
        await house.engine.idle('snapshot', p.snapshot_id, f.id, signal)
      })
      if (p.host !== null) await f.step('delete', (signal) => house.agentAt(p.host!).deleteSnapshot({ snapshot_id: p.snapshot_id, volume_id: p.volume_id }, { signal }))
      await f.step('forget', () =>
        house.db.transaction(async (tx) => {
          await deleteSnapshotRows(tx, p.snapshot_id)
          await f.conclude(tx)
        }),
      )
    },
  )

export const revertVolume = (house: Cinder): Flow<SnapshotWork> =>
  defineFlow<SnapshotWork>(
    'revert-volume',
    {
      deadline: 6 * 3_600_000,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        const updated_at = house.world.clock.now()
        await moveSnapshot(house.db, p.snapshot_id, ['restoring'], { status: 'available', updated_at })
        const status = fault.kind === 'conflict' || fault.kind === 'not_implemented' ? 'available' : 'error'
        const done = await moveVolume(house.db, p.volume_id, ['reverting'], { status, updated_at })
        if (done) await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: 'revert', fault })
      },
    },
    async (f, p) => {
      await f.step('revert', (signal) => house.agentAt(p.host).revert({ snapshot_id: p.snapshot_id, volume_id: p.volume_id }, { signal }))
      await f.step('publish', () =>
        house.db.transaction(async (tx) => {
          const updated_at = house.world.clock.now()
          await moveVolume(tx, p.volume_id, ['reverting'], { status: 'available', updated_at })
          await moveSnapshot(tx, p.snapshot_id, ['restoring'], { status: 'available', updated_at })
          await f.conclude(tx)
        }),
      )
    },
  )
