/** What `ondol.yaml` may say under `glance`. */
import type { ConfigSchema } from '#base/config.ts'

export interface StoreConfig {
  id: string
  /** Default `file`; `memory` forgets everything with the process. */
  driver?: 'file' | 'memory'
  /** Folder of a `file` store; default below the data folder. */
  path?: string
  description?: string
}

export interface GlanceConfig {
  stores: StoreConfig[]
  image_size_cap: number
  max_virtual_size: number
  max_members: number
  max_tags: number
  max_properties: number
  web_download_allow_private: string[]
  task_time_to_live: number
  upload_lease: number
  sweep_interval: number
  cache_max_size: number
}

export const glanceConfig: ConfigSchema = {
  type: 'object',
  properties: {
    stores: {
      type: 'array',
      default: [{ id: 'file' }],
      description: 'Where image bytes lie: {id, driver, path, description}; drivers are file and memory (gone with the process); the first is the default. Several let images be copied from one to another.',
      items: { type: 'object', required: ['id'], additionalProperties: false, properties: { id: { type: 'string', pattern: '^[\\w-]+$' }, driver: { enum: ['file', 'memory'] }, path: { type: 'string' }, description: { type: 'string' } } },
    },
    image_size_cap: { type: 'integer', default: 1_099_511_627_776, description: 'Most bytes an upload may have.' },
    max_virtual_size: { type: 'integer', default: 17_592_186_044_416, description: 'Most bytes a guest may see of one image.' },
    max_members: { type: 'integer', default: 128, description: 'Members an image may be shared with.' },
    max_tags: { type: 'integer', default: 128, description: 'Tags an image may have.' },
    max_properties: { type: 'integer', default: 128, description: 'Custom properties an image may have.' },
    web_download_allow_private: { type: 'array', items: { type: 'string' }, default: [], description: 'host:port pairs that web-download may reach although their address is private.' },
    task_time_to_live: { type: 'integer', minimum: 1, default: 172_800, description: 'Seconds that a finished task is kept.' },
    upload_lease: { type: 'integer', minimum: 1000, default: 60_000, description: 'Milliseconds without a sign of life after which an upload counts as broken off.' },
    sweep_interval: { type: 'integer', minimum: 1000, default: 60_000, description: 'Milliseconds between looks for what broken uploads left.' },
    cache_max_size: { type: 'integer', minimum: 0, default: 10_737_418_240, description: 'Bytes that pruning leaves in the cache.' },
  },
}
