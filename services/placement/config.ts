/** Placement's part of ondol.yaml. */
import type { ConfigSchema } from '#base/config.ts'

export interface PlacementConfig {
  randomize_allocation_candidates: boolean
  max_allocation_candidates: number
  incomplete_consumer_project_id: string
  incomplete_consumer_user_id: string
}

const NOBODY = '00000000-0000-0000-0000-000000000000'

export const placementDefaults: PlacementConfig = {
  randomize_allocation_candidates: true,
  max_allocation_candidates: -1,
  incomplete_consumer_project_id: NOBODY,
  incomplete_consumer_user_id: NOBODY,
}

export const placementConfig: ConfigSchema = {
  type: 'object',
  properties: {
    randomize_allocation_candidates: {
      type: 'boolean',
      default: placementDefaults.randomize_allocation_candidates,
      description: 'Begin the search for fewer than 500 candidates at a random provider, so that limited answers do not always name the same ones.',
    },
    max_allocation_candidates: {
      type: 'integer',
      minimum: -1,
      default: placementDefaults.max_allocation_candidates,
      description: 'Most candidates in one answer, whatever the request says; -1 for no limit.',
    },
    incomplete_consumer_project_id: { type: 'string', maxLength: 255, default: NOBODY, description: 'Project of consumers written before 1.8, which name none.' },
    incomplete_consumer_user_id: { type: 'string', maxLength: 255, default: NOBODY, description: 'User of consumers written before 1.8, which name none.' },
  },
}
