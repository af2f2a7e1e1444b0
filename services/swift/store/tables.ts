/** Rows of the swift house. `metadata` is JSON of header names (lower case) to values; instants are milliseconds. */
export interface AccountRow { account: string; metadata: string; created_at: number }
export interface ContainerRow { id: string; account: string; name: string; metadata: string; object_count: number; bytes_used: number; created_at: number }
export interface ObjectRow { container_id: string; name: string; bytes_id: string; size: number; etag: string; content_type: string; metadata: string; created_at: number; delete_at: number | null }
/** Bytes that no object holds once `due_at` has come: of uploads that never ended, of what was replaced or deleted. */
export interface CleanupRow { bytes_id: string; due_at: number }

export interface SwiftTables {
  swift_accounts: AccountRow
  swift_containers: ContainerRow
  swift_objects: ObjectRow
  swift_cleanup: CleanupRow
}
