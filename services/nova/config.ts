/** What stands under `nova:` in ondol.yaml: the schema is the documentation. Durations are milliseconds unless a key says otherwise. */
import { type ConfigNode, type ConfigSchema, withDefaults } from '#base/config.ts'

export type SchedulerKind = 'filter' | 'chance' | 'simple'

export interface SchedulingConfig {
  enabled_filters: string[]
  weights: Record<string, number>
  host_subset_size: number
  max_attempts: number
  placement_sample: number
  max_placement_results: number
  max_instances_per_host: number
  max_io_ops_per_host: number
}

export type QuotaName =
  | 'instances' | 'cores' | 'ram' | 'metadata_items' | 'injected_files' | 'injected_file_content_bytes' | 'injected_file_path_bytes' | 'key_pairs' | 'server_groups' | 'server_group_members'

export interface NovaConfig {
  scheduler: SchedulerKind
  scheduling: SchedulingConfig
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
  reclaim_instance_interval: number
  shelved_offload_time: number
  allow_resize_to_same_host: boolean
  resize_confirm_window: number
  sync_power_interval: number
  max_limit: number
  metadata_proxy_shared_secret: string
  vendordata: Record<string, unknown>
  vendordata_targets: Record<string, string>
  vendordata_timeout: number
  dhcp_domain: string
  config_drive_always: boolean
  console_token_ttl: number
  console_allowed_origins: string[]
  keep_deleted: number
  agent: { hosts: number; fake: { vcpus: number; memory_mb: number; local_gb: number; slow: Record<string, number> }; host_ip: string; tunnel_ports: { min: number; max: number }; accelerator: 'auto' | 'kvm' | 'tcg' }
}

const ms = (value: number, description: string): ConfigNode => ({ type: 'integer', minimum: 0, default: value, description: `${description} Milliseconds.` })
const whole = (value: number, description: string, minimum = -1): ConfigNode => ({ type: 'integer', minimum, default: value, description })
const ratio = (value: number, description: string): ConfigNode => ({ type: 'number', exclusiveMinimum: 0, default: value, description })
const text = (value: string, description: string): ConfigNode => ({ type: 'string', default: value, description })
const flag = (value: boolean, description: string): ConfigNode => ({ type: 'boolean', default: value, description })
const texts = (value: readonly string[], description: string): ConfigNode => ({ type: 'array', items: { type: 'string' }, default: value, description })
const weight = (value: number, of: string): ConfigNode => ({ type: 'number', default: value, description: `Multiplier for ${of}; 0 leaves it out.` })

export const DEFAULT_FILTERS = [
  'AvailabilityZoneFilter', 'ComputeFilter', 'ComputeCapabilitiesFilter', 'ImagePropertiesFilter', 'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter', 'SameHostFilter', 'DifferentHostFilter',
]

export const novaConfig: ConfigSchema = {
  type: 'object',
  description: 'Compute: servers, their hosts and their lives.',
  properties: {
    scheduler: { enum: ['filter', 'chance', 'simple'], default: 'filter', description: 'How a host is chosen. `filter`: filters and weighers; `chance`: any that fits; `simple`: most free memory.' },
    scheduling: {
      type: 'object',
      properties: {
        enabled_filters: texts(DEFAULT_FILTERS, 'Filters by their Nova names, in order.'),
        weights: {
          type: 'object',
          properties: {
            cpu: weight(1, 'free processors'),
            ram: weight(1, 'free memory'),
            disk: weight(1, 'free disk'),
            io_ops: weight(-1, 'servers in the middle of something'),
            num_instances: weight(0, 'servers'),
            build_failure: weight(1_000_000, 'builds that did not fail lately'),
            soft_affinity: weight(1, 'members of a soft-affinity group'),
            soft_anti_affinity: weight(1, 'absence of members of a soft-anti-affinity group'),
          },
        },
        host_subset_size: whole(1, 'One of this many best hosts is taken by chance.', 1),
        max_attempts: whole(3, 'Hosts that are tried before a build fails.', 1),
        placement_sample: whole(100, 'Hosts with room, taken at random, that are weighed first when a request names nothing but a size; all are, when none of them will do. 0: always all.'),
        max_placement_results: whole(1_000, 'Candidates asked of Placement.', 1),
        max_instances_per_host: whole(50, 'For NumInstancesFilter.', 1),
        max_io_ops_per_host: whole(8, 'For IoOpsFilter.', 1),
      },
    },
    quota: {
      type: 'object',
      description: 'Limits of a project that has none of its own; -1 is no limit.',
      properties: {
        instances: whole(10, 'Servers.'),
        cores: whole(20, 'Processors.'),
        ram: whole(51_200, 'MiB of memory.'),
        metadata_items: whole(128, 'Items of metadata on a server.'),
        injected_files: whole(5, 'Files sent with a create.'),
        injected_file_content_bytes: whole(10_240, 'Bytes of each.'),
        injected_file_path_bytes: whole(255, 'Bytes of its path.'),
        key_pairs: whole(100, 'Keypairs of a user.'),
        server_groups: whole(10, 'Server groups.'),
        server_group_members: whole(10, 'Servers in a group.'),
      },
    },
    default_availability_zone: text('nova', 'Zone of hosts that stand in no aggregate with one.'),
    cpu_allocation_ratio: ratio(16, 'VCPU over physical processors of a new host.'),
    ram_allocation_ratio: ratio(1.5, 'Memory over physical memory of a new host.'),
    disk_allocation_ratio: ratio(1, 'Disk over physical disk of a new host.'),
    reserved_host_cpus: whole(0, 'Processors kept for the host.', 0),
    reserved_host_memory_mb: whole(512, 'MiB kept for the host.', 0),
    reserved_host_disk_mb: whole(0, 'MiB of disk kept for the host.', 0),
    build_deadline: ms(1_800_000, 'A server still in BUILD after this is in ERROR.'),
    action_deadline: ms(1_800_000, 'Any other action is undone after this.'),
    agent_wait: ms(30_000, 'How long a host that does not answer is asked again.'),
    report_interval: ms(10_000, 'Heartbeat of agents.'),
    service_down_time: ms(60_000, 'Silence after which a service counts as down.'),
    vif_plugging_timeout: ms(300_000, 'How long a port may take to be wired before its server starts.'),
    reclaim_instance_interval: whole(0, 'Seconds that a deleted server can be restored; 0: none.', 0),
    shelved_offload_time: whole(0, 'Seconds until a shelved server leaves its host; 0 at once, -1 never.'),
    allow_resize_to_same_host: flag(true, 'A resize may stay on its host.'),
    resize_confirm_window: whole(0, 'Seconds after which a resize is confirmed by itself; 0 never.', 0),
    sync_power_interval: ms(60_000, 'How often the power of guests is compared.'),
    max_limit: whole(1_000, 'Largest page of a list.', 1),
    metadata_proxy_shared_secret: text('', 'Shared with Neutron; empty: only services with a token may ask for metadata.'),
    vendordata: { type: 'object', default: {}, description: 'vendor_data.json of every server, and `static` of its vendor_data2.json.' },
    vendordata_targets: { type: 'object', default: {}, description: 'Services that are asked for each server, `{ name: url }`: what they answer to a POST of the server\'s facts stands under their name in vendor_data2.json.' },
    vendordata_timeout: ms(5_000, 'How long one of them may take; then its part is empty.'),
    dhcp_domain: text('novalocal', 'Appended to host names in metadata.'),
    config_drive_always: flag(false, 'Every server gets a config drive.'),
    console_token_ttl: ms(600_000, 'How long a console URL can be opened.'),
    console_allowed_origins: texts([], 'Origins such as `https://console.example.org` whose pages may open consoles, beside the front door.'),
    keep_deleted: ms(30 * 86_400_000, 'How long rows of deleted servers are kept.'),
    agent: {
      type: 'object',
      description: 'The compute agent on this machine.',
      properties: {
        hosts: whole(1, 'Fake hosts that one agent process plays.', 1),
        fake: { type: 'object', properties: { vcpus: whole(64, 'Processors of a fake host.', 1), memory_mb: whole(262_144, 'MiB of a fake host.', 1), local_gb: whole(10_000, 'GiB of disk of a fake host.', 1), slow: { type: 'object', default: {}, description: 'Milliseconds that verbs of the fake driver take: `{ snapshot: 300 }`. Those not named take none.' } } },
        host_ip: text('127.0.0.1', 'Address of this host for other hosts, on a network of the hosts alone: guests on their move, disks and consoles go over it.'),
        tunnel_ports: { type: 'object', properties: { min: whole(49_152, 'Smallest TCP port on which other hosts are let in.', 1), max: whole(49_215, 'Largest.', 1) } },
        accelerator: { enum: ['auto', 'kvm', 'tcg'], default: 'auto', description: 'How real guests run: KVM, QEMU\'s own TCG, or what works here.' },
      },
    },
  },
}

/** The configuration of someone who configured nothing. */
export const novaDefaults = withDefaults(novaConfig, {}) as NovaConfig
