/** Rows of the glance house. Booleans are 0 and 1, instants milliseconds, `properties` and `tags` JSON. */
export interface ImageRow {
  id: string
  name: string | null
  disk_format: string | null
  container_format: string | null
  visibility: string
  size: number | null
  virtual_size: number | null
  status: string
  checksum: string | null
  os_hash_algo: string | null
  os_hash_value: string | null
  protected: number
  min_ram: number
  min_disk: number
  owner: string | null
  os_hidden: number
  properties: string
  tags: string
  /** JSON: ids of the stores that have the bytes; then of those an import still writes to, and of those it could not (null until there was one). */
  stores: string
  importing_to: string | null
  failed_import: string | null
  created_at: number
  updated_at: number
}

/** An upload that a process is at; one whose heart stopped left a row that must not wait for it. */
export interface UploadRow {
  image_id: string
  owner: string
  beat_at: number
}

/** Tags and properties once more, for filters: `kind` is `tag` or `property`. */
export interface ImageFactRow {
  image_id: string
  kind: string
  name: string
  value: string
}

export interface MemberRow {
  image_id: string
  member: string
  status: string
  created_at: number
  updated_at: number
}

export interface TaskRow {
  id: string
  type: string
  status: string
  owner: string | null
  image_id: string | null
  user_id: string | null
  request_id: string | null
  input: string
  result: string | null
  message: string
  expires_at: number | null
  created_at: number
  updated_at: number
}

/** Namespaces, objects, properties, tags and resource type associations of the metadata catalogue; `body` is what the client gave. */
export interface MetadefRow {
  id: string
  kind: string
  namespace: string
  name: string
  owner: string | null
  visibility: string
  protected: number
  body: string
  created_at: number
  updated_at: number
}

export interface GlanceTables {
  glance_uploads: UploadRow
  glance_images: ImageRow
  glance_image_facts: ImageFactRow
  glance_members: MemberRow
  glance_tasks: TaskRow
  glance_metadefs: MetadefRow
}
