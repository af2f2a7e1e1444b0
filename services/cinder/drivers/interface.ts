/**
 * What Cinder asks of a storage backend. The core is small and every driver has it; everything else is an ability: a property that is
 * there or not, so that the type says what may be called.
 *
 *     if (!driver.revertable) throw notImplemented('This backend cannot revert volumes.')
 *     await driver.revertable.revertToSnapshot({ volume_id, snapshot_id })
 *
 * Rules that hold for every verb, and that `conformance.ts` judges:
 * - Everything may be asked twice, and after a kill at any line the same call again brings about what was asked. A volume or snapshot
 *   that is there is never made again; one that is gone is gone.
 * - What is connected stays connected without the driver: `close` and a crash of our process cut no guest off, and a new driver on the
 *   same backend serves on, even where the server of the disks has died in the meantime.
 * - Calls about one volume run one after the other; calls about different volumes do not wait for each other.
 * - A volume holds what its guests wrote and nothing else; no byte of it is ever taken for a description of a disk.
 * - Errors: `not_found` no such volume or snapshot; `conflict` not in this state (connected, has snapshots); `invalid` the wish is wrong
 *   (field named); `unavailable` try again; `internal` the backend refused.
 * - Sizes: `_gb` is GiB, `size` is bytes. Ids are UUIDs; a `connection_id` (an attachment's id) is a word of at most 64 characters.
 */

// --- the wish

export interface VolumeWish {
  volume_id: string
  /** Whole GiB, at least 1, and at least as large as what it is made from (`invalid`). */
  size_gb: number
  source: VolumeSource
}

/** What a new volume holds. It does not depend on its source afterwards. */
export type VolumeSource =
  | { from: 'blank' }
  | ({ from: 'snapshot' } & SnapshotRef)
  /** As it is at this moment; the source may be connected and written to. */
  | { from: 'volume'; volume_id: string }
  /** A file of this host that Glance has judged; the format is Glance's record, never a guess. */
  | { from: 'image'; path: string; format: ImageFormat }

/** `aki`, `ari`, `ami` and `iso` are raw. */
export type ImageFormat = 'raw' | 'qcow2' | 'vmdk' | 'vdi' | 'vhd' | 'vhdx' | 'ploop'

export interface SnapshotRef {
  snapshot_id: string
  /** The volume it was taken of. */
  volume_id: string
}

/** Who connects: the `connector` of an attachment. */
export interface Connector {
  /** The attachment's id: the same one again gets the same connection. */
  connection_id: string
  /** Name of the host that will use it. */
  host: string
  /** Default `rw`. */
  mode?: 'rw' | 'ro'
}

/** What Nova needs to use the volume; Cinder hands it on as it is. */
export interface ConnectionInfo {
  driver_volume_type: string
  data: Readonly<Record<string, unknown>>
}

// --- what is there

export interface PoolFacts {
  pool_name: string
  /** `nbd`, `fake`. */
  storage_protocol: string
  vendor_name: string
  driver_version: string
  total_capacity_gb: number
  free_capacity_gb: number
  /** Sum of the sizes that volumes were promised. */
  provisioned_capacity_gb: number
  thin_provisioning_support: boolean
  /** Several connections to one volume at a time. */
  multiattach: boolean
  /** Extending a connected volume. */
  online_extend_support: boolean
}

export interface VolumeOnBackend {
  volume_id: string
  /** Bytes. */
  size: number
  connection_ids: readonly string[]
}

// --- the core

export interface VolumeDriver {
  facts(): Promise<PoolFacts>
  list(): Promise<VolumeOnBackend[]>
  /** Of one volume, oldest first. */
  listSnapshots(volumeId: string): Promise<string[]>
  /** A volume that is there stays as it is, whatever the wish says. */
  ensureVolume(wish: VolumeWish): Promise<{ size: number }>
  /** `conflict` while it is connected or has snapshots. */
  ensureNoVolume(volumeId: string): Promise<void>
  /** At one moment, as after a power cut of the guest; connected volumes too. */
  ensureSnapshot(snapshot: SnapshotRef): Promise<void>
  ensureNoSnapshot(snapshot: SnapshotRef): Promise<void>
  /** Grows to `size_gb`; smaller than it is: `invalid`. Of a connected volume, the guest's host learns of it when it connects again. */
  extend(volumeId: string, sizeGb: number): Promise<{ size: number }>
  connect(volumeId: string, connector: Connector): Promise<ConnectionInfo>
  /** Cuts this connection off: when it returns, its holder can no longer write. Others stay. No such connection: nothing to do. */
  disconnect(volumeId: string, connectionId: string): Promise<void>
  /** Lets go of everything; what is connected stays so. */
  close(): Promise<void>

  readonly revertable?: Revertable
  readonly imageWritable?: ImageWritable
  readonly backupable?: Backupable
  readonly manageable?: Manageable
  readonly groupSnapshotable?: GroupSnapshotable
  readonly retypable?: Retypable
  readonly migratable?: Migratable
}

// --- abilities

export interface Revertable {
  /** The volume becomes what it was; it keeps its size when it has grown since. `conflict` while connected. */
  revertToSnapshot(snapshot: SnapshotRef): Promise<void>
}

/** Copying out. Copying in is `ensureVolume` with `from: 'image'`. */
export interface ImageWritable {
  /** Writes a stand-alone image file (absolute path, over what is there): of the volume at this moment, or of a snapshot. */
  writeImage(of: { volume_id: string; snapshot_id?: string }, target: { path: string; format: 'raw' | 'qcow2' }): Promise<{ size: number; virtual_size: number }>
}

export interface Backupable {
  /** The bytes from first to last, as they are at this moment; chunks of at most 4 MiB. Leaving the loop early is no error. */
  readVolume(of: { volume_id: string; snapshot_id?: string }): AsyncIterable<Uint8Array>
  /**
   * Replaces all that the volume holds; what is beyond the stream's end becomes zero. A stream larger than the volume is `invalid`, a
   * volume that is connected or has snapshots `conflict`; then, and when the stream fails, nothing has changed.
   */
  writeVolume(volumeId: string, bytes: AsyncIterable<Uint8Array>): Promise<void>
}

export interface ManageableVolume {
  /** As in `reference: {"source-name": …}`. */
  source_name: string
  size_gb: number
  safe_to_manage: boolean
  reason_not_safe?: string
}

/** Disks that are on the backend and not Cinder's, taken over and given back. */
export interface Manageable {
  listManageable(): Promise<ManageableVolume[]>
  /** Takes it over; its size is rounded up to whole GiB. */
  ensureManaged(volumeId: string, sourceName: string): Promise<{ size_gb: number }>
  /** Gives it back under a name of its own, with its bytes. `conflict` while connected or with snapshots. */
  ensureUnmanaged(volumeId: string): Promise<void>
}

export interface GroupSnapshotable {
  /** All at the same moment, or none. */
  ensureGroupSnapshot(snapshots: readonly SnapshotRef[]): Promise<void>
}

/** Changing what a volume type says of a volume (thin or thick, tier …) where it lies. Absent: only by moving the bytes elsewhere. */
export interface Retypable {
  retype(volumeId: string, specs: Readonly<Record<string, string>>): Promise<void>
}

/** Moving to another pool of the same backend by the backend's own means. Absent: Cinder copies through the host. */
export interface Migratable {
  migrate(volumeId: string, pool: string): Promise<void>
}
