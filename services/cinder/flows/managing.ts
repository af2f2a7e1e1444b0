/** Taking over what is on a backend already, and giving it back. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { Fault } from '#base/fault.ts'
import type { Cinder } from '../house.ts'
import { deleteVolumeRows, moveVolume } from '../store/volumes.ts'
import { isPublished } from './create-volume.ts'
import { tell } from './tell.ts'

interface About {
  volume_id: string
  project_id: string
  host: string
}

export const unmanageVolume = (house: Cinder): Flow<About> =>
  defineFlow<About>(
    'unmanage-volume',
    {
      deadline: 600_000,
      failed: async (p, _fault, cancelled) => (cancelled ? undefined : moveVolume(house.db, p.volume_id, ['unmanaging'], { status: 'error', updated_at: house.world.clock.now() })),
    },
    async (f, p) => {
      await f.step('unmanage', (signal) => house.agentAt(p.host).unmanage({ volume_id: p.volume_id }, { signal }))
      await f.step('forget', () =>
        house.db.transaction(async (tx) => {
          await deleteVolumeRows(tx, p.volume_id)
          await f.conclude(tx)
        }),
      )
    },
  )

export interface ManageVolume extends About {
  source_name: string
}

export const manageVolume = (house: Cinder): Flow<ManageVolume> =>
  defineFlow<ManageVolume>(
    'manage-volume',
    {
      deadline: 600_000,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        // Nothing of it is ours: the size is unknown and counts as none.
        const done = await moveVolume(house.db, p.volume_id, ['managing', 'creating'], { status: 'error_managing', size: 0, updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: 'create', fault })
      },
    },
    async (f, p) => {
      const { size_gb } = await f.step(
        'manage',
        (signal) => house.agentAt(p.host).manage({ volume_id: p.volume_id, source_name: p.source_name }, { signal }),
        async () => {
          if (!(await isPublished(house, p.volume_id))) await house.agentAt(p.host).unmanage({ volume_id: p.volume_id })
        },
      )
      await f.step('publish', () =>
        house.db.transaction(async (tx) => {
          const now = house.world.clock.now()
          const done = await moveVolume(tx, p.volume_id, ['managing', 'creating'], { status: 'available', size: size_gb, launched_at: now, updated_at: now })
          if (!done) throw new Fault('gone', `Volume ${p.volume_id} is no longer being taken over.`)
          await f.conclude(tx)
        }),
      )
    },
  )
