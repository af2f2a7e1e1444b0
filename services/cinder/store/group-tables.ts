/** Rows of groups, their types and snapshots. */
export interface GroupRow {
  id: string
  project_id: string
  user_id: string
  name: string | null
  description: string | null
  status: string
  availability_zone: string
  host: string | null
  group_type_id: string
  /** JSON array of ids. */
  volume_types: string
  group_snapshot_id: string | null
  source_group_id: string | null
  replication_status: string
  created_at: number
  updated_at: number | null
}

export interface GroupTypeRow {
  id: string
  name: string
  description: string | null
  is_public: number
  group_specs: string
  created_at: number
  updated_at: number | null
}

export interface GroupSnapshotRow {
  id: string
  project_id: string
  user_id: string
  group_id: string
  group_type_id: string
  name: string | null
  description: string | null
  status: string
  created_at: number
  updated_at: number | null
}
