/** What the scheduler decides from. All values: it reads nothing, waits for nothing, and the same question gets the same answer. */
export interface HostState {
  host_id: string
  host: string
  node: string
  host_ip: string
  up: boolean
  enabled: boolean
  zone: string
  /** Names and metadata of the aggregates it stands in. */
  aggregates: readonly { name: string; metadata: Readonly<Record<string, string>> }[]
  hypervisor_type: string
  hypervisor_version: number
  arch: string
  /** What `capabilities:` of an extra spec may ask: dotted names to values. */
  capabilities: Readonly<Record<string, string | number>>
  instances: number
  /** Servers on it that are in the middle of something. */
  busy: number
  failed_builds: number
}

/** One host with room, as Placement tells it. */
export interface Candidate {
  host: HostState
  free_vcpus: number
  free_ram_mb: number
  free_disk_gb: number
}

export interface GroupFacts {
  policy: 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity'
  max_server_per_host: number
  /** host_id → members there. */
  members: ReadonlyMap<string, number>
}

export interface ScheduleRequest {
  project_id: string
  flavor: { name: string; vcpus: number; memory_mb: number; root_gb: number; extra_specs: Readonly<Record<string, string>> }
  image_properties: Readonly<Record<string, unknown>>
  image_id: string
  zone?: string
  /** Only this host, and no other question asked (`zone:host:node`). */
  force_host?: string
  force_node?: string
  /** Only this host, filters asked. */
  requested_host?: string
  requested_node?: string
  ignore_host_ids: ReadonlySet<string>
  /** Hint `same_host` and `different_host`, resolved: host ids. */
  same_host_ids?: ReadonlySet<string>
  different_host_ids?: ReadonlySet<string>
  /** Hint `query`, parsed. */
  query?: unknown
  /** Hints `build_near_host_ip` and `cidr`. */
  near?: { ip: string; cidr: string }
  group?: GroupFacts
}

export interface SchedulerOptions {
  kind: 'filter' | 'chance' | 'simple'
  enabled_filters: readonly string[]
  weights: Readonly<Record<string, number>>
  host_subset_size: number
  max_instances_per_host: number
  max_io_ops_per_host: number
}

export type Test = (candidate: Candidate) => boolean
/** Looks at the request once; undefined when it has nothing to ask of any host. */
export type Filter = (request: ScheduleRequest, options: SchedulerOptions) => Test | undefined
