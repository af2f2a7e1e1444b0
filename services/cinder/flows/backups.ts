/** Backing a volume up, restoring one, and forgetting a backup. */
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import type { WishedSource } from '../contract/volume-rpc.ts'
import type { Wish } from '../core/scheduler.ts'
import type { Cinder } from '../house.ts'
import { backupById, backupsWithData, deleteBackupRow, moveBackup } from '../store/backups.ts'
import { settleVolume } from '../store/holding.ts'
import { moveSnapshot } from '../store/snapshots.ts'
import { moveVolume, setVolume } from '../store/volumes.ts'
import { isPublished } from './create-volume.ts'
import { choose } from './schedule.ts'
import { tell } from './tell.ts'

const HOURS = 3_600_000

export interface CreateBackup {
  backup_id: string
  project_id: string
  volume_id: string
  snapshot_id: string | null
  /** Bytes of the backup that this one builds on. */
  parent_data_id: string | null
  host: string
  /** The volume's status before; null when only a snapshot is read. */
  was: string | null
}

export const createBackup = (house: Cinder): Flow<CreateBackup> => {
  const giveBack = (p: CreateBackup, made?: { object_count: number }, f?: FlowRun): Promise<void> =>
    house.db.transaction(async (tx) => {
      const now = house.world.clock.now()
      if (made) await moveBackup(tx, p.backup_id, ['creating'], { status: 'available', object_count: made.object_count, updated_at: now })
      if (p.snapshot_id !== null) await moveSnapshot(tx, p.snapshot_id, ['backing-up'], { status: 'available', updated_at: now })
      if (p.was !== null && (await moveVolume(tx, p.volume_id, ['backing-up'], { status: p.was, updated_at: now }))) await settleVolume(tx, p.volume_id, now)
      await f?.conclude(tx)
    })
  return defineFlow<CreateBackup>(
    'create-backup',
    {
      deadline: 12 * HOURS,
      async failed(p, fault, cancelled) {
        await giveBack(p)
        if (cancelled) return
        const done = await moveBackup(house.db, p.backup_id, ['creating'], { status: 'error', fail_reason: fault.message.slice(0, 255), updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'backup', id: p.backup_id, project_id: p.project_id, action: 'backup_create', fault })
      },
    },
    async (f, p) => {
      const wish = { backup_id: p.backup_id, volume_id: p.volume_id, ...(p.snapshot_id === null ? {} : { snapshot_id: p.snapshot_id }), ...(p.parent_data_id === null ? {} : { parent_id: p.parent_data_id }) }
      const made = await f.step('backup', (signal) => house.agentAt(p.host).backup(wish, { signal }), async () => {
        if ((await backupById(house.db, p.backup_id))?.status !== 'available') await house.agentAt(p.host).deleteBackup({ backup_id: p.backup_id })
      })
      await f.step('publish', () => giveBack(p, made, f))
    },
  )
}

export interface RestoreBackup {
  backup_id: string
  data_id: string
  project_id: string
  volume_id: string
  size_gb: number
  /** Where the volume is; null: it is made. */
  host: string | null
  wish: Wish
  bootable: boolean
}

export const restoreBackup = (house: Cinder): Flow<RestoreBackup> =>
  defineFlow<RestoreBackup>(
    'restore-backup',
    {
      deadline: 12 * HOURS,
      async failed(p, fault) {
        const updated_at = house.world.clock.now()
        await moveBackup(house.db, p.backup_id, ['restoring'], { status: 'available', updated_at })
        const done = await moveVolume(house.db, p.volume_id, ['restoring-backup', 'creating'], { status: p.host === null ? 'error' : 'error_restoring', updated_at })
        if (done) await tell(house, { kind: 'backup', id: p.backup_id, project_id: p.project_id, action: 'backup_restore', fault })
      },
    },
    async (f, p) => {
      let host = p.host
      if (host === null) {
        const source: WishedSource = { from: 'backup', backup_id: p.data_id }
        const made = await f.step('schedule', async () => {
          const [first] = await choose(house, p.wish)
          await setVolume(house.db, p.volume_id, { host: first! })
          return first!
        })
        await f.step('create', (signal) => house.agentAt(made).createVolume({ volume_id: p.volume_id, size_gb: p.size_gb, source }, { signal }), async () => {
          if (!(await isPublished(house, p.volume_id))) await house.agentAt(made).deleteVolume({ volume_id: p.volume_id })
        })
        host = made
      } else {
        const at = host
        await f.step('restore', (signal) => house.agentAt(at).restore({ volume_id: p.volume_id, backup_id: p.data_id }, { signal }))
      }
      await f.step('publish', () =>
        house.db.transaction(async (tx) => {
          const now = house.world.clock.now()
          await moveVolume(tx, p.volume_id, ['restoring-backup', 'creating'], { status: 'available', launched_at: now, updated_at: now, ...(p.bootable ? { bootable: 1 } : {}) })
          await moveBackup(tx, p.backup_id, ['restoring'], { status: 'available', updated_at: now })
          await f.conclude(tx)
        }),
      )
    },
  )

export interface DeleteBackup {
  backup_id: string
  data_id: string
  project_id: string
  host: string | null
}

export const deleteBackup = (house: Cinder): Flow<DeleteBackup> =>
  defineFlow<DeleteBackup>(
    'delete-backup',
    {
      deadline: HOURS,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        const done = await moveBackup(house.db, p.backup_id, ['deleting'], { status: 'error_deleting', fail_reason: fault.message.slice(0, 255), updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'backup', id: p.backup_id, project_id: p.project_id, action: 'backup_delete', fault })
      },
    },
    async (f, p) => {
      await f.step('end other work', async (signal) => {
        await house.engine.cancel(house.db as never, 'backup', p.backup_id, f.id)
        await house.engine.idle('backup', p.backup_id, f.id, signal)
      })
      await f.step('delete', async (signal) => {
        // The bytes go with the last record that names them.
        if (p.host !== null && (await backupsWithData(house.db, p.data_id)) <= 1) await house.agentAt(p.host).deleteBackup({ backup_id: p.data_id }, { signal })
      })
      await f.step('forget', () =>
        house.db.transaction(async (tx) => {
          await deleteBackupRow(tx, p.backup_id)
          await f.conclude(tx)
        }),
      )
    },
  )
