/** What `ondol.yaml` may say under `cinder`. */
import type { ConfigSchema } from '#base/config.ts'

export interface BackendConfig {
  name: string
  driver: 'fake' | 'file'
  /** `volume_backend_name` for extra specs; default the name. */
  volume_backend_name?: string
  /** Folder of a file backend; default below the data folder. */
  root?: string
  /** `host:port` to serve disks over TCP; default a unix socket, for guests of this host. */
  listen?: string
  /** Capacity of a fake backend, GiB. */
  total_gb?: number
  /** Percent that is kept free. */
  reserved_percentage?: number
  max_over_subscription_ratio?: number
}

export interface CinderConfig {
  backends: BackendConfig[]
  availability_zone: string
  default_volume_type: string
  backup_dir: string
  report_interval: number
  service_down_time: number
  agent_wait: number
  quota_volumes: number
  quota_snapshots: number
  quota_gigabytes: number
  quota_backups: number
  quota_backup_gigabytes: number
  quota_groups: number
  per_volume_size_limit: number
  no_snapshot_gb_quota: boolean
  message_ttl: number
  max_limit: number
}

const limit = (value: number, what: string) => ({ type: 'integer', minimum: -1, default: value, description: `${what} a project may have; -1: without limit.` })

export const cinderConfig: ConfigSchema = {
  type: 'object',
  properties: {
    backends: {
      type: 'array',
      default: [],
      description: 'Storage backends of this host: {name, driver: fake | file, volume_backend_name, root, listen, total_gb, reserved_percentage, max_over_subscription_ratio}. Empty: one file backend, or two fake ones.',
      items: {
        type: 'object',
        required: ['name', 'driver'],
        additionalProperties: false,
        properties: {
          name: { type: 'string', pattern: '^[\\w.-]+$' },
          driver: { enum: ['fake', 'file'] },
          volume_backend_name: { type: 'string' },
          root: { type: 'string' },
          listen: { type: 'string' },
          total_gb: { type: 'integer', minimum: 1 },
          reserved_percentage: { type: 'integer', minimum: 0, maximum: 100 },
          max_over_subscription_ratio: { type: 'number', minimum: 1 },
        },
      },
    },
    availability_zone: { type: 'string', default: 'nova', description: 'Zone of the backends of this host, and of volumes that name none.' },
    default_volume_type: { type: 'string', default: '__DEFAULT__', description: 'Type of volumes that name none.' },
    backup_dir: { type: 'string', default: '', description: 'Folder of backups; with several hosts a shared one. Empty: below the data folder.' },
    report_interval: { type: 'integer', minimum: 100, default: 10_000, description: 'Milliseconds between heartbeats.' },
    agent_wait: { type: 'integer', minimum: 0, default: 30_000, description: 'Milliseconds for which a flow waits for an agent that does not answer.' },
    service_down_time: { type: 'integer', minimum: 1000, default: 60_000, description: 'Milliseconds without a heartbeat after which a service counts as down.' },
    quota_volumes: limit(10, 'Volumes'),
    quota_snapshots: limit(10, 'Snapshots'),
    quota_gigabytes: limit(1000, 'GiB of volumes and snapshots'),
    quota_backups: limit(10, 'Backups'),
    quota_backup_gigabytes: limit(1000, 'GiB of backups'),
    quota_groups: limit(10, 'Groups'),
    per_volume_size_limit: limit(-1, 'GiB that one volume of'),
    no_snapshot_gb_quota: { type: 'boolean', default: false, description: 'Do not count snapshots against the gigabytes.' },
    message_ttl: { type: 'integer', default: 2_592_000, description: 'Seconds that messages to users are kept.' },
    max_limit: { type: 'integer', minimum: 1, default: 1000, description: 'Most items of one page of a list.' },
  },
}
