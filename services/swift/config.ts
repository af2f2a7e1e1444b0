/** What `ondol.yaml` may say under `swift`. */
import type { ConfigSchema } from '#base/config.ts'

export interface SwiftConfig {
  durability: 'safe' | 'fast'
  max_file_size: number
}

export const swiftConfig: ConfigSchema = {
  type: 'object',
  properties: {
    durability: { type: 'string', enum: ['safe', 'fast'], default: 'safe', description: 'safe: every object is synced to the disk before it is acknowledged; fast: left to the system.' },
    max_file_size: { type: 'integer', default: 5_368_709_122, description: 'Most bytes of one object.' },
  },
}
