/** Work on several volumes as one. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { backendOf, type WishedSource } from '../contract/volume-rpc.ts'
import type { Wish } from '../core/scheduler.ts'
import type { Cinder } from '../house.ts'
import { deleteGroupRow, deleteGroupSnapshotRow, moveGroup, moveGroupSnapshot } from '../store/groups.ts'
import { deleteSnapshotRows, moveSnapshot, snapshotsOf, snapshotsOfGroup } from '../store/snapshots.ts'
import { deleteVolumeRows, moveVolume, volumesOfGroup } from '../store/volumes.ts'
import { isPublished } from './create-volume.ts'
import { choose } from './schedule.ts'

const HOUR = 3_600_000

interface About {
  group_id: string
  project_id: string
}

/** Chooses the one backend on which all of a group's volumes will be. */
export const createGroup = (house: Cinder): Flow<About & { wish: Wish }> =>
  defineFlow<About & { wish: Wish }>(
    'create-group',
    {
      deadline: 60_000,
      failed: async (p, _fault, cancelled) => (cancelled ? undefined : moveGroup(house.db, p.group_id, ['creating'], { status: 'error', updated_at: house.world.clock.now() })),
    },
    async (f, p) => {
      await f.step('schedule', async () => {
        const [host] = await choose(house, p.wish)
        await house.db.transaction(async (tx) => {
          await moveGroup(tx, p.group_id, ['creating'], { status: 'available', host: host!, updated_at: house.world.clock.now() })
          await f.conclude(tx)
        })
      })
    },
  )

export interface CloneGroup extends About {
  host: string
  volumes: readonly { volume_id: string; size_gb: number; source: WishedSource }[]
}

export const cloneGroup = (house: Cinder): Flow<CloneGroup> =>
  defineFlow<CloneGroup>(
    'clone-group',
    {
      deadline: 6 * HOUR,
      async failed(p, _fault, cancelled) {
        if (cancelled) return
        const updated_at = house.world.clock.now()
        for (const { volume_id } of p.volumes) await moveVolume(house.db, volume_id, ['creating'], { status: 'error', updated_at })
        await moveGroup(house.db, p.group_id, ['creating'], { status: 'error', updated_at })
      },
    },
    async (f, p) => {
      const agent = house.agentAt(p.host)
      for (const one of p.volumes) await f.step(`create ${one.volume_id}`, (signal) => agent.createVolume(one, { signal }), async () => {
        if (!(await isPublished(house, one.volume_id))) await agent.deleteVolume({ volume_id: one.volume_id })
      })
      await f.step('publish', () =>
        house.db.transaction(async (tx) => {
          const now = house.world.clock.now()
          for (const { volume_id } of p.volumes) await moveVolume(tx, volume_id, ['creating'], { status: 'available', launched_at: now, updated_at: now })
          await moveGroup(tx, p.group_id, ['creating'], { status: 'available', updated_at: now })
          await f.conclude(tx)
        }),
      )
    },
  )

export const deleteGroup = (house: Cinder): Flow<About> =>
  defineFlow<About>(
    'delete-group',
    {
      deadline: 6 * HOUR,
      async failed(p, _fault, cancelled) {
        if (cancelled) return
        const updated_at = house.world.clock.now()
        for (const { id } of await volumesOfGroup(house.db, p.group_id)) await moveVolume(house.db, id, ['deleting'], { status: 'error_deleting', updated_at })
        await moveGroup(house.db, p.group_id, ['deleting'], { status: 'error_deleting', updated_at })
      },
    },
    async (f, p) => {
      await f.step('end other work', async (signal) => {
        await house.engine.cancel(house.db as never, 'group', p.group_id, f.id)
        await house.engine.idle('group', p.group_id, f.id, signal)
      })
      await f.step('delete volumes', async (signal) => {
        for (const { id, host } of await volumesOfGroup(house.db, p.group_id)) {
          for (const snapshot of await snapshotsOf(house.db, id)) {
            if (host !== null) await house.agentAt(host).deleteSnapshot({ volume_id: id, snapshot_id: snapshot.id }, { signal })
            await house.db.transaction((tx) => deleteSnapshotRows(tx, snapshot.id))
          }
          if (host !== null) await house.agentAt(host).deleteVolume({ volume_id: id }, { signal })
          await house.db.transaction((tx) => deleteVolumeRows(tx, id))
        }
      })
      await f.step('forget', () =>
        house.db.transaction(async (tx) => {
          await deleteGroupRow(tx, p.group_id)
          await f.conclude(tx)
        }),
      )
    },
  )

interface Snapshot extends About {
  group_snapshot_id: string
  snapshots: readonly { snapshot_id: string; volume_id: string; host: string }[]
}

export const createGroupSnapshot = (house: Cinder): Flow<Snapshot> =>
  defineFlow<Snapshot>(
    'create-group-snapshot',
    {
      deadline: HOUR,
      async failed(p, _fault, cancelled) {
        if (cancelled) return
        const updated_at = house.world.clock.now()
        for (const { snapshot_id } of p.snapshots) await moveSnapshot(house.db, snapshot_id, ['creating'], { status: 'error', updated_at })
        await moveGroupSnapshot(house.db, p.group_snapshot_id, ['creating'], { status: 'error', updated_at })
      },
    },
    async (f, p) => {
      for (const [at, all] of Map.groupBy(p.snapshots, (one) => backendOf(one.host))) {
        const snapshots = all.map(({ snapshot_id, volume_id }) => ({ snapshot_id, volume_id }))
        await f.step(
          `create at ${at}`,
          (signal) => house.agentAt(at).createSnapshots({ snapshots }, { signal }),
          async () => {
            for (const one of snapshots) await house.agentAt(at).deleteSnapshot(one)
          },
        )
      }
      await f.step('publish', () =>
        house.db.transaction(async (tx) => {
          const updated_at = house.world.clock.now()
          for (const { snapshot_id } of p.snapshots) await moveSnapshot(tx, snapshot_id, ['creating'], { status: 'available', progress: '100%', updated_at })
          await moveGroupSnapshot(tx, p.group_snapshot_id, ['creating'], { status: 'available', updated_at })
          await f.conclude(tx)
        }),
      )
    },
  )

export const deleteGroupSnapshot = (house: Cinder): Flow<{ group_snapshot_id: string; snapshots: readonly { snapshot_id: string; volume_id: string; host: string | null }[] }> =>
  defineFlow<{ group_snapshot_id: string; snapshots: readonly { snapshot_id: string; volume_id: string; host: string | null }[] }>(
    'delete-group-snapshot',
    {
      deadline: HOUR,
      async failed(p, _fault, cancelled) {
        if (cancelled) return
        const updated_at = house.world.clock.now()
        for (const { id } of await snapshotsOfGroup(house.db, p.group_snapshot_id)) await moveSnapshot(house.db, id, ['deleting'], { status: 'error_deleting', updated_at })
        await moveGroupSnapshot(house.db, p.group_snapshot_id, ['deleting'], { status: 'error_deleting', updated_at })
      },
    },
    async (f, p) => {
      await f.step('end other work', async (signal) => {
        await house.engine.cancel(house.db as never, 'group_snapshot', p.group_snapshot_id, f.id)
        await house.engine.idle('group_snapshot', p.group_snapshot_id, f.id, signal)
      })
      await f.step('delete', async (signal) => {
        for (const { snapshot_id, volume_id, host } of p.snapshots) {
          if (host !== null) await house.agentAt(host).deleteSnapshot({ snapshot_id, volume_id }, { signal })
          await house.db.transaction((tx) => deleteSnapshotRows(tx, snapshot_id))
        }
      })
      await f.step('forget', () =>
        house.db.transaction(async (tx) => {
          await deleteGroupSnapshotRow(tx, p.group_snapshot_id)
          await f.conclude(tx)
        }),
      )
    },
  )
