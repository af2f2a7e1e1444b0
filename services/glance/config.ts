/** What `ondol.yaml` may say under `glance`. */
import type { ConfigSchema } from '#base/config.ts'

export interface GlanceConfig {
  image_size_cap: number
  max_virtual_size: number
  max_members: number
  max_tags: number
  max_properties: number
  web_download_allow_private: string[]
}

export const glanceConfig: ConfigSchema = {
  type: 'object',
  properties: {
    image_size_cap: { type: 'integer', default: 1_099_511_627_776, description: 'Most bytes an upload may have.' },
    max_virtual_size: { type: 'integer', default: 17_592_186_044_416, description: 'Most bytes a guest may see of one image.' },
    max_members: { type: 'integer', default: 128, description: 'Members an image may be shared with.' },
    max_tags: { type: 'integer', default: 128, description: 'Tags an image may have.' },
    max_properties: { type: 'integer', default: 128, description: 'Custom properties an image may have.' },
    web_download_allow_private: { type: 'array', items: { type: 'string' }, default: [], description: 'host:port pairs that web-download may reach although their address is private.' },
  },
}
