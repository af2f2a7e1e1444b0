/** Rows of the cinder house. Booleans are 0 and 1, instants milliseconds; `metadata`, `specs` and the like are JSON text. */
import type { MessageRow, TransferRow, BackupRow } from './more-tables.ts'
import type { GroupRow, GroupSnapshotRow, GroupTypeRow } from './group-tables.ts'

export interface VolumeRow {
  id: string
  project_id: string
  user_id: string
  name: string | null
  description: string | null
  /** GiB. */
  size: number
  status: string
  /** What `status` goes back to when work that borrowed the volume ends. */
  previous_status: string | null
  attach_status: string
  migration_status: string | null
  availability_zone: string
  /** `host@backend#pool`; null until it is scheduled. */
  host: string | null
  volume_type_id: string | null
  snapshot_id: string | null
  source_volid: string | null
  backup_id: string | null
  group_id: string | null
  bootable: number
  multiattach: number
  /** Null until somebody says. */
  readonly: number | null
  encryption_key_id: string | null
  consumes_quota: number
  replication_status: string | null
  metadata: string
  /** Null for a volume that was not made from an image. */
  image_metadata: string | null
  created_at: number
  updated_at: number | null
  launched_at: number | null
}

export interface SnapshotRow {
  id: string
  volume_id: string
  project_id: string
  user_id: string
  name: string | null
  description: string | null
  status: string
  progress: string
  volume_size: number
  volume_type_id: string | null
  group_snapshot_id: string | null
  consumes_quota: number
  metadata: string
  created_at: number
  updated_at: number | null
}

export interface AttachmentRow {
  id: string
  volume_id: string
  project_id: string
  instance_uuid: string | null
  attached_host: string | null
  mountpoint: string | null
  attach_mode: string | null
  attach_status: string
  /** What the host said of itself; null until it did. */
  connector: string | null
  /** As the driver gave it: `{driver_volume_type, data}`. */
  connection_info: string | null
  attach_time: number | null
  created_at: number
  updated_at: number | null
}

/** Metadata once more, for filters: `kind` is `volume`, `snapshot` or `image` (of the volume). */
export interface FactRow {
  owner_id: string
  kind: string
  name: string
  value: string
}

export interface TypeRow {
  id: string
  name: string
  description: string | null
  is_public: number
  extra_specs: string
  qos_specs_id: string | null
  created_at: number
  updated_at: number | null
}

export interface TypeAccessRow {
  volume_type_id: string
  project_id: string
}

export interface EncryptionRow {
  volume_type_id: string
  encryption_id: string
  provider: string
  control_location: string
  cipher: string | null
  key_size: number | null
  created_at: number
  updated_at: number | null
}

export interface QosRow {
  id: string
  name: string
  consumer: string
  specs: string
  created_at: number
}

/** A limit that was set: of a project, or (`scope` class) of everybody without one of their own. */
export interface QuotaRow {
  scope: string
  owner: string
  resource: string
  hard_limit: number
}

export interface QuotaLockRow {
  project_id: string
  turn: number
}

export interface ServiceRow {
  id: string
  host: string
  binary: string
  availability_zone: string
  disabled: number
  disabled_reason: string | null
  frozen: number
  /** JSON of `PoolFacts` for cinder-volume. */
  facts: string
  /** Last heartbeat. */
  beat_at: number
  created_at: number
  updated_at: number | null
}

export interface DefaultTypeRow {
  project_id: string
  volume_type_id: string
}

export interface CinderTables {
  cinder_volumes: VolumeRow
  cinder_snapshots: SnapshotRow
  cinder_attachments: AttachmentRow
  cinder_facts: FactRow
  cinder_types: TypeRow
  cinder_type_access: TypeAccessRow
  cinder_encryptions: EncryptionRow
  cinder_qos: QosRow
  cinder_quotas: QuotaRow
  cinder_quota_locks: QuotaLockRow
  cinder_services: ServiceRow
  cinder_default_types: DefaultTypeRow
  cinder_transfers: TransferRow
  cinder_backups: BackupRow
  cinder_messages: MessageRow
  cinder_groups: GroupRow
  cinder_group_types: GroupTypeRow
  cinder_group_snapshots: GroupSnapshotRow
}
