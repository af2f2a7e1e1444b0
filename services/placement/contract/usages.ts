/** Usages: how much is claimed, of a provider or by a project. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion } from '#stack/version.ts'
import { query } from './query.ts'

export interface ProviderUsages {
  resource_provider_generation: number
  /** By resource class, every class that has an inventory. */
  usages: Record<string, number>
}

/** Since 1.38: by consumer type, then by resource class, with `consumer_count`. */
export interface ProjectUsages {
  usages: Record<string, Record<string, number>>
}

const id: Schema = { type: 'string', minLength: 1, maxLength: 255 }
const consumer_type: Schema = { type: 'string', pattern: '^[A-Z0-9_]+$|^all$|^unknown$', minLength: 1, maxLength: 255 }

export const usageQuery = byVersion({
  '1.9': query({ project_id: id, user_id: id }, ['project_id']),
  '1.38': query({ project_id: id, user_id: id, consumer_type }, ['project_id']),
})

const VERSION = 'placement 1.39'

export const listProviderUsages = operation<{ params: { uuid: string } }, ProviderUsages>('GET', '/resource_providers/{uuid}/usages', VERSION)
export const listProjectUsages = operation<{ query: { project_id: string; user_id?: string; consumer_type?: string } }, ProjectUsages>('GET', '/usages', VERSION)
