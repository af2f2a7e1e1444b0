/** Rows of transfers, backups and messages. */
export interface TransferRow {
  id: string
  volume_id: string
  name: string | null
  salt: string
  /** HMAC-SHA-256 of the key that only the giver was told, with the salt. */
  crypt_hash: string
  no_snapshots: number
  source_project_id: string
  destination_project_id: string | null
  accepted: number
  created_at: number
}

export interface BackupRow {
  id: string
  project_id: string
  user_id: string
  volume_id: string
  snapshot_id: string | null
  /** The backup that this one builds on. */
  parent_id: string | null
  name: string | null
  description: string | null
  container: string | null
  status: string
  fail_reason: string | null
  size: number
  object_count: number
  availability_zone: string
  host: string | null
  metadata: string
  /** Folder of the bytes: this backup's own id, or of one that was imported another's. */
  data_id: string
  /** JSON of `VolumeFacts`: what a restored volume is told to be. */
  volume_facts: string
  encryption_key_id: string | null
  data_timestamp: number
  created_at: number
  updated_at: number | null
}

/** What went wrong, told to the user; kept until `expires_at`. */
export interface MessageRow {
  id: string
  project_id: string
  request_id: string
  resource_type: string
  resource_uuid: string | null
  event_id: string
  message_level: string
  user_message: string
  expires_at: number
  created_at: number
}

export interface VolumeFacts {
  name: string | null
  bootable: boolean
  metadata: Record<string, string>
  image_metadata: Record<string, string> | null
  volume_type_id: string | null
}
