/** What stands under `nova:` in ondol.yaml. Durations are milliseconds unless a key says otherwise. */
import type { Schema } from '#stack/schema.ts'

export interface NovaConfig {
  scheduler: SchedulerConfig
  quota: Record<QuotaName, number>
  default_availability_zone: string
  cpu_allocation_ratio: number
  ram_allocation_ratio: number
  disk_allocation_ratio: number
  reserved_host_cpus: number
  reserved_host_memory_mb: number
  reserved_host_disk_mb: number
  build_deadline: number
  action_deadline: number
  agent_wait: number
  report_interval: number
  service_down_time: number
  vif_plugging_timeout: number
  /** Seconds, as in Nova; 0 deletes at once. */
  reclaim_instance_interval: number
  /** Seconds after which a shelved server leaves its host; 0 at once, -1 never. */
  shelved_offload_time: number
  allow_resize_to_same_host: boolean
  /** Seconds; 0 never confirms by itself. */
  resize_confirm_window: number
  sync_power_interval: number
  max_limit: number
  metadata_proxy_shared_secret: string
  vendordata: Record<string, unknown>
  dhcp_domain: string
  config_drive_always: boolean
  console_token_ttl: number
  /** Origins (`https://console.example.org`) whose pages may open consoles, beside the front door's own. */
  console_allowed_origins: string[]
  keep_deleted: number
  agent: AgentConfig
}

export interface SchedulerConfig {
  /** `filter` is Nova's; `chance` takes any host that fits; `simple` the one with most free memory. */
  kind: 'filter' | 'chance' | 'simple'
  enabled_filters: string[]
  weights: Record<string, number>
  host_subset_size: number
  max_attempts: number
  max_placement_results: number
  max_instances_per_host: number
  max_io_ops_per_host: number
}

export interface AgentConfig {
  driver: 'fake' | 'qemu'
  /** How many fake hosts one agent process plays. */
  hosts: number
  /** Size of each fake host. */
  fake: { vcpus: number; memory_mb: number; local_gb: number }
  /** Address under which other hosts reach this one. */
  host_ip: string
  /** Limits how many guests start at once on a host; 0 is no limit. */
  max_concurrent_builds: number
}

export type QuotaName =
  | 'instances' | 'cores' | 'ram' | 'metadata_items' | 'injected_files' | 'injected_file_content_bytes' | 'injected_file_path_bytes' | 'key_pairs' | 'server_groups' | 'server_group_members'

export const FILTERS = [
  'AvailabilityZoneFilter', 'ComputeFilter', 'ComputeCapabilitiesFilter', 'ImagePropertiesFilter', 'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter', 'SameHostFilter', 'DifferentHostFilter',
]

export const novaDefaults: NovaConfig = {
  scheduler: {
    kind: 'filter',
    enabled_filters: FILTERS,
    weights: { cpu: 1, ram: 1, disk: 1, io_ops: -1, num_instances: 0, build_failure: 1_000_000, soft_affinity: 1, soft_anti_affinity: 1 },
    host_subset_size: 1,
    max_attempts: 3,
    max_placement_results: 1_000,
    max_instances_per_host: 50,
    max_io_ops_per_host: 8,
  },
  quota: {
    instances: 10, cores: 20, ram: 51_200, metadata_items: 128, injected_files: 5, injected_file_content_bytes: 10_240, injected_file_path_bytes: 255, key_pairs: 100, server_groups: 10, server_group_members: 10,
  },
  default_availability_zone: 'nova',
  cpu_allocation_ratio: 16,
  ram_allocation_ratio: 1.5,
  disk_allocation_ratio: 1,
  reserved_host_cpus: 0,
  reserved_host_memory_mb: 512,
  reserved_host_disk_mb: 0,
  build_deadline: 1_800_000,
  action_deadline: 1_800_000,
  agent_wait: 30_000,
  report_interval: 10_000,
  service_down_time: 60_000,
  vif_plugging_timeout: 300_000,
  reclaim_instance_interval: 0,
  shelved_offload_time: 0,
  allow_resize_to_same_host: true,
  resize_confirm_window: 0,
  sync_power_interval: 60_000,
  max_limit: 1_000,
  metadata_proxy_shared_secret: '',
  vendordata: {},
  dhcp_domain: 'novalocal',
  config_drive_always: false,
  console_token_ttl: 600_000,
  console_allowed_origins: [],
  keep_deleted: 30 * 86_400_000,
  agent: { driver: 'fake', hosts: 1, fake: { vcpus: 64, memory_mb: 262_144, local_gb: 10_000 }, host_ip: '127.0.0.1', max_concurrent_builds: 0 },
}

const ms = (description: string): Schema => ({ type: 'integer', minimum: 0, description: `${description} Milliseconds.` })
const ratio = (description: string): Schema => ({ type: 'number', exclusiveMinimum: 0, description })
const count = (description: string): Schema => ({ type: 'integer', minimum: -1, description })

export const novaConfigSchema: Schema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    scheduler: {
      type: 'object',
      additionalProperties: false,
      description: 'How a host is chosen.',
      properties: {
        kind: { enum: ['filter', 'chance', 'simple'], description: '`filter`: filters and weighers; `chance`: any host that fits; `simple`: most free memory.' },
        enabled_filters: { type: 'array', items: { type: 'string' }, description: 'Filters by their Nova names, in order.' },
        weights: { type: 'object', additionalProperties: { type: 'number' }, description: 'Multiplier of each weigher; 0 leaves it out.' },
        host_subset_size: { type: 'integer', minimum: 1, description: 'One of this many best hosts is taken by chance.' },
        max_attempts: { type: 'integer', minimum: 1, description: 'Hosts that are tried before a build fails.' },
        max_placement_results: { type: 'integer', minimum: 1, description: 'Candidates asked of Placement.' },
        max_instances_per_host: { type: 'integer', minimum: 1, description: 'For NumInstancesFilter.' },
        max_io_ops_per_host: { type: 'integer', minimum: 1, description: 'For IoOpsFilter.' },
      },
    },
    quota: { type: 'object', additionalProperties: { type: 'integer', minimum: -1 }, description: 'Limits of a project that has none of its own; -1 is no limit.' },
    default_availability_zone: { type: 'string', description: 'Zone of hosts that stand in no aggregate with one.' },
    cpu_allocation_ratio: ratio('VCPU over physical processors of a new host.'),
    ram_allocation_ratio: ratio('Memory over physical memory of a new host.'),
    disk_allocation_ratio: ratio('Disk over physical disk of a new host.'),
    reserved_host_cpus: count('Processors kept for the host.'),
    reserved_host_memory_mb: count('MiB kept for the host.'),
    reserved_host_disk_mb: count('MiB of disk kept for the host.'),
    build_deadline: ms('A server still in BUILD after this is in ERROR.'),
    action_deadline: ms('Any other action is undone after this.'),
    agent_wait: ms('How long a host that does not answer is asked again.'),
    report_interval: ms('Heartbeat of agents.'),
    service_down_time: ms('Silence after which a service counts as down.'),
    vif_plugging_timeout: ms('How long a port may take to be wired before its server starts.'),
    reclaim_instance_interval: count('Seconds that a deleted server can be restored; 0: none.'),
    shelved_offload_time: count('Seconds until a shelved server leaves its host; 0 at once, -1 never.'),
    allow_resize_to_same_host: { type: 'boolean', description: 'A resize may stay on its host.' },
    resize_confirm_window: count('Seconds after which a resize is confirmed by itself; 0 never.'),
    sync_power_interval: ms('How often the power of guests is compared.'),
    max_limit: { type: 'integer', minimum: 1, description: 'Largest page of a list.' },
    metadata_proxy_shared_secret: { type: 'string', description: 'Shared with Neutron; empty: only services with a token may ask for metadata.' },
    vendordata: { type: 'object', description: 'vendor_data.json of every server.' },
    dhcp_domain: { type: 'string', description: 'Appended to host names in metadata.' },
    config_drive_always: { type: 'boolean', description: 'Every server gets a config drive.' },
    console_token_ttl: ms('How long a console URL can be opened.'),
    console_allowed_origins: { type: 'array', items: { type: 'string' }, description: 'Further origins whose pages may open consoles.' },
    keep_deleted: ms('How long rows of deleted servers are kept.'),
    agent: {
      type: 'object',
      additionalProperties: false,
      description: 'The compute agent on this machine.',
      properties: {
        driver: { enum: ['fake', 'qemu'], description: 'What runs guests.' },
        hosts: { type: 'integer', minimum: 1, description: 'Fake hosts in this process.' },
        fake: { type: 'object', additionalProperties: false, properties: { vcpus: { type: 'integer', minimum: 1 }, memory_mb: { type: 'integer', minimum: 1 }, local_gb: { type: 'integer', minimum: 1 } }, description: 'Size of a fake host.' },
        host_ip: { type: 'string', description: 'Address of this host for others.' },
        max_concurrent_builds: { type: 'integer', minimum: 0, description: 'Guests built at once; 0 is no limit.' },
      },
    },
  },
}
