/** Rows of the swift house. `metadata` is JSON of header names (lower case) to values; instants are milliseconds. */
export interface AccountRow { account: string; metadata: string; created_at: number; deleted_at: number | null }
export interface ContainerRow { id: string; account: string; name: string; metadata: string; policy: string; object_count: number; bytes_used: number; created_at: number; changed_at: number }

/** What an object is, whether it stands now or is an old version of itself. */
export interface Stored {
  container_id: string
  name: string
  /** Where the driver has the bytes; empty when there are none. */
  bytes_id: string
  /** Bytes as listings and totals count them: of a static large object, all of its segments. */
  size: number
  /** Bytes that lie under `bytes_id`. */
  stored: number
  /** MD5 of what lies there. */
  etag: string
  content_type: string
  metadata: string
  /** JSON of what a listing says beside name, size and time; null when nothing. */
  listing: string | null
  /** JSON array of `{bytes_id, size}`: the object is these one after another, and `bytes_id` is empty. */
  parts: string | null
  /** Id of the root secret with which the bytes are encrypted; null: as they came. */
  secret_id: string | null
  created_at: number
  delete_at: number | null
  /** Microseconds; null: made before versions were kept. */
  version_id: string | null
}
export type ObjectRow = Stored
/** What an object was, and what says that it was deleted. `rank` sorts the newest first. */
export interface VersionRow extends Stored { rank: string; deleted: number }
/** An upload in parts that is under way; `headers` is JSON of what the object is to have. */
export interface UploadRow { id: string; container_id: string; name: string; headers: string; created_at: number }
/** `checksum`: `CRC32:` and base64, as the client sent it. */
export interface UploadPartRow { upload_id: string; number: number; bytes_id: string; size: number; etag: string; secret_id: string | null; checksum: string | null; created_at: number }
/** A bucket's name, in the whole cloud, and the container that has it. */
export interface BucketRow { name: string; container_id: string; claimed_at: number }
/** A name that changed in a container which is copied elsewhere; the empty name is all of it. */
export interface SyncRow { container_id: string; name: string; changed_at: number }
/** Bytes that no object holds once `due_at` has come: of what was replaced or deleted. */
export interface CleanupRow { bytes_id: string; due_at: number }
/** Bytes that are not what was stored. */
export interface QuarantineRow { bytes_id: string; reason: string; found_at: number }

export interface SwiftTables {
  swift_accounts: AccountRow
  swift_containers: ContainerRow
  swift_objects: ObjectRow
  swift_versions: VersionRow
  swift_uploads: UploadRow
  swift_upload_parts: UploadPartRow
  swift_buckets: BucketRow
  swift_cleanup: CleanupRow
  swift_sync: SyncRow
  swift_quarantine: QuarantineRow
}
