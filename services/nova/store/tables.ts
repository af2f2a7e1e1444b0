/** Nova's rows. Instants are milliseconds, flags 0/1; columns named in `…Json` types below hold JSON text. */
import type { FlowTables } from '#base/flow/journal.ts'

export interface ServerRow {
  id: string
  project_id: string
  user_id: string
  name: string
  description: string | null
  hostname: string
  vm_state: string
  task_state: string | null
  power_state: number
  progress: number
  /** Name of the service's host, of the hypervisor, and the stored id of the machine. */
  host: string | null
  node: string | null
  host_id: string | null
  /** Zone of the host; the zone that was asked for. */
  availability_zone: string | null
  pinned_az: string | null
  flavor_id: string
  /** `FlavorSnapshot`. */
  flavor: string
  vcpus: number
  memory_mb: number
  /** Empty for a server that boots from a volume. */
  image_id: string
  /** `ImageSnapshot`. */
  image: string
  key_name: string | null
  /** `{type, public_key}`. */
  key_data: string | null
  user_data: string | null
  /** `''` or `True`, as the wire has it. */
  config_drive: string
  auto_disk_config: number
  /** `Record<string, string>`. */
  metadata: string
  /** `NicInfo[]`. */
  network_info: string
  /** Names, `string[]`. */
  security_groups: string
  /** What was asked of the scheduler. */
  scheduler_hints: string
  group_id: string | null
  /** `FaultInfo`, or null. */
  fault: string | null
  /** `owner`, `admin`. */
  locked_by: string | null
  locked_reason: string | null
  reservation_id: string
  launch_index: number
  access_ip_v4: string | null
  access_ip_v6: string | null
  root_device_name: string
  /** `ServerPrivate`: what long work must remember. */
  private: string
  created_at: number
  updated_at: number
  launched_at: number | null
  terminated_at: number | null
  deleted: number
  /** 1 when no guest of this server can be left on a host: nothing to bury. */
  buried: number
}

export interface FlavorSnapshot {
  flavorid: string
  name: string
  vcpus: number
  memory_mb: number
  root_gb: number
  ephemeral_gb: number
  swap: number
  rxtx_factor: number
  extra_specs: Record<string, string>
}

export interface ImageSnapshot {
  min_disk: number
  min_ram: number
  /** Bytes. */
  size: number
  disk_format: string | null
  container_format: string | null
  kernel_id: string
  ramdisk_id: string
  properties: Record<string, unknown>
}

export interface NicInfo {
  port_id: string
  network_id: string
  network_name: string
  mac: string
  fixed_ips: { ip: string; version: 4 | 6; subnet_id: string; floating?: string[] }[]
  mtu?: number
  tap?: string
  tag?: string
  /** Nova made the port and deletes it. */
  own: boolean
}

export interface FaultInfo {
  code: number
  message: string
  details?: string
  created: number
}

export interface ServerPrivate {
  old_vm_state?: string
  shelved_image_id?: string
  shelved_at?: number
  soft_deleted_at?: number
  rescue_image_id?: string
  /** Encrypted by the guest for its owner; kept as it came. */
  password?: string
  injected_files?: { path: string; contents: string }[]
  /** Cinder attachments on the host that a moved server may go back to: block device → attachment. */
  old_attachments?: Record<string, string>
  /** Groups asked for, as ids. */
  security_group_ids?: string[]
}

export interface ServerTagRow {
  server_id: string
  tag: string
}

/** A block device that is more than the image's own root disk. */
export interface BlockDeviceRow {
  id: string
  server_id: string
  source_type: 'image' | 'volume' | 'snapshot' | 'blank'
  destination_type: 'local' | 'volume'
  device_type: string | null
  disk_bus: string | null
  guest_format: string | null
  /** -1: not for booting. */
  boot_index: number
  device_name: string | null
  image_id: string | null
  snapshot_id: string | null
  volume_id: string | null
  volume_size: number | null
  volume_type: string | null
  delete_on_termination: number
  attachment_id: string | null
  /** Of the host where the server is; null until connected. */
  connection_info: string | null
  tag: string | null
  created_at: number
}

export interface ActionRow {
  id: string
  server_id: string
  action: string
  request_id: string
  user_id: string
  project_id: string
  message: string | null
  /** `ActionEvent[]`. */
  events: string
  started_at: number
  updated_at: number
}

export interface ActionEvent {
  event: string
  start: number
  finish: number | null
  result: 'Success' | 'Error' | null
  host?: string
  details?: string
}

export interface MigrationRow {
  id: number
  uuid: string
  server_id: string
  migration_type: 'migration' | 'resize' | 'live-migration' | 'evacuation'
  status: string
  source_compute: string
  source_node: string
  source_host_id: string
  dest_compute: string | null
  dest_node: string | null
  dest_host_id: string | null
  dest_host: string | null
  old_flavor: string | null
  new_flavor: string | null
  user_id: string
  project_id: string
  /**
   * 0 while something may be left: at the source of an evacuation the guest, of a move that failed the claim. Of a resize that is being settled: 1 once one
   * side has begun to go.
   */
  buried: number
  created_at: number
  updated_at: number
}

export interface ComputeNodeRow {
  /** The host's stored id; its resource provider has the same. */
  uuid: string
  /** For clients before 2.53. */
  id: number
  service_id: number
  host: string
  hypervisor_hostname: string
  host_ip: string
  /** `ComputeFacts`. */
  facts: string
  traits: string
  created_at: number
  updated_at: number
}

export interface ServiceRow {
  id: number
  uuid: string
  host: string
  binary: string
  topic: string
  disabled: number
  disabled_reason: string | null
  forced_down: number
  last_seen_at: number
  created_at: number
  updated_at: number
}

export interface FlavorRow {
  flavorid: string
  name: string
  description: string | null
  memory_mb: number
  vcpus: number
  root_gb: number
  ephemeral_gb: number
  swap: number
  rxtx_factor: number
  is_public: number
  disabled: number
  extra_specs: string
  created_at: number
  updated_at: number
}

export interface FlavorAccessRow {
  flavorid: string
  project_id: string
}

export interface KeypairRow {
  id: number
  user_id: string
  name: string
  type: 'ssh' | 'x509'
  fingerprint: string
  public_key: string
  created_at: number
}

export interface AggregateRow {
  id: number
  uuid: string
  name: string
  /** `Record<string, string>`, with `availability_zone`. */
  metadata: string
  created_at: number
  updated_at: number
}

export interface AggregateHostRow {
  aggregate_id: number
  host: string
}

export interface ServerGroupRow {
  id: string
  project_id: string
  user_id: string
  name: string
  policy: 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity'
  /** `{max_server_per_host?}`. */
  rules: string
  created_at: number
}

export interface QuotaRow {
  /** `class:default` for the class, else a project. */
  project_id: string
  user_id: string
  resource: string
  hard_limit: number
}

export interface ConsoleTokenRow {
  /** SHA-256 of the token, hex: the token itself is nowhere. */
  token_hash: string
  server_id: string
  console_type: string
  host_id: string
  expires_at: number
  used: number
}

/** An image that a request was about to make. */
export interface BegunImageRow {
  image_id: string
  server_id: string
  created_at: number
}

export interface NovaTables extends FlowTables {
  nova_servers: ServerRow
  nova_server_tags: ServerTagRow
  nova_block_devices: BlockDeviceRow
  nova_actions: ActionRow
  nova_migrations: MigrationRow
  nova_compute_nodes: ComputeNodeRow
  nova_services: ServiceRow
  nova_flavors: FlavorRow
  nova_flavor_access: FlavorAccessRow
  nova_keypairs: KeypairRow
  nova_aggregates: AggregateRow
  nova_aggregate_hosts: AggregateHostRow
  nova_server_groups: ServerGroupRow
  nova_quotas: QuotaRow
  nova_console_tokens: ConsoleTokenRow
  nova_begun_images: BegunImageRow
}
