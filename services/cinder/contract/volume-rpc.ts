/**
 * What Cinder's workers ask of the agent that has a backend, at `<host>@<backend>`. Every method may be asked twice (law 3); errors are
 * those of `drivers/interface.ts`.
 */
import { defineTopic } from '#base/bus/topic.ts'
import type { ConnectionInfo, Connector, ImageFormat, PoolFacts, SnapshotRef } from '../drivers/interface.ts'

/** As `VolumeSource` of the drivers, but an image is named: the agent fetches it. */
export type WishedSource =
  | { from: 'blank' }
  | ({ from: 'snapshot' } & SnapshotRef)
  | { from: 'volume'; volume_id: string }
  | { from: 'image'; image_id: string; format: ImageFormat }
  | { from: 'backup'; backup_id: string }

interface One {
  volume_id: string
}

export interface BackupMade {
  object_count: number
}

export interface VolumeRpc {
  createVolume(payload: One & { size_gb: number; source: WishedSource }): Promise<{ size: number }>
  /** Nobody may use it any more: connections that are left are cut off. */
  deleteVolume(payload: One): Promise<void>
  createSnapshot(payload: SnapshotRef): Promise<void>
  createSnapshots(payload: { snapshots: readonly SnapshotRef[] }): Promise<void>
  deleteSnapshot(payload: SnapshotRef): Promise<void>
  extend(payload: One & { size_gb: number }): Promise<{ size: number }>
  connect(payload: One & { connector: Connector }): Promise<ConnectionInfo>
  disconnect(payload: One & { connection_id: string }): Promise<void>
  revert(payload: SnapshotRef): Promise<void>
  /** Replaces what the volume holds by an image. */
  reimage(payload: One & { image_id: string; format: ImageFormat; size_gb: number }): Promise<void>
  /** Writes an image file and uploads it to an image that is queued. */
  uploadImage(payload: One & { image_id: string; format: 'raw' | 'qcow2' }): Promise<void>
  retype(payload: One & { specs: Readonly<Record<string, string>> }): Promise<void>
  /** Takes the bytes over from another backend, `host@backend`. */
  migrateIn(payload: One & { size_gb: number; from: string }): Promise<void>
  /**
   * For `migrateIn` of another host: the `index`-th chunk of a copy that began with index 0. A chunk of nothing but zeros is only counted;
   * past the end both are empty.
   */
  readChunk(payload: One & { session: string; index: number }): Promise<{ base64: string; zeros: number }>
  listManageable(payload: null): Promise<{ volumes: readonly { source_name: string; size_gb: number; safe_to_manage: boolean; reason_not_safe?: string }[] }>
  manage(payload: One & { source_name: string }): Promise<{ size_gb: number }>
  unmanage(payload: One): Promise<void>
  listSnapshots(payload: One): Promise<{ snapshot_ids: readonly string[] }>
  backup(payload: { backup_id: string; volume_id: string; snapshot_id?: string; parent_id?: string }): Promise<BackupMade>
  restore(payload: One & { backup_id: string }): Promise<void>
  deleteBackup(payload: { backup_id: string }): Promise<void>
  /** Looks at the backend and reports at once. */
  report(payload: null): Promise<void>
}

const HOUR = 3_600_000
const short = { call: 120_000 } as const
const long = { call: 6 * HOUR } as const

export const volumeTopic = defineTopic<VolumeRpc>('cinder.volume', {
  createVolume: long,
  deleteVolume: short,
  createSnapshot: short,
  createSnapshots: short,
  deleteSnapshot: short,
  extend: short,
  connect: short,
  disconnect: short,
  revert: long,
  reimage: long,
  uploadImage: long,
  retype: long,
  migrateIn: long,
  readChunk: short,
  listManageable: short,
  manage: short,
  unmanage: short,
  listSnapshots: short,
  backup: long,
  restore: long,
  deleteBackup: short,
  report: 'cast',
})

/** A backend as its agent reports it. */
export interface BackendReport {
  /** `host@backend`. */
  host: string
  availability_zone: string
  facts: ReportedFacts
}

export interface ReportedFacts extends PoolFacts {
  volume_backend_name: string
  reserved_percentage: number
  max_over_subscription_ratio: number
  /** Abilities of the driver. */
  revertable: boolean
  manageable: boolean
  backupable: boolean
  group_snapshots: boolean
}

export interface ControlRpc {
  report(payload: { host: string; availability_zone: string; backends: readonly BackendReport[] }): Promise<void>
}

export const controlTopic = defineTopic<ControlRpc>('cinder.control', { report: 'call' })

/** The place of an agent from a volume's host: `h@b#pool` → `h@b`. */
export function backendOf(host: string): string {
  return host.split('#')[0]!
}
