/** Allocation candidates: claims that would succeed now, for a request in groups. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion } from '#stack/version.ts'
import type { Resources } from './allocations.ts'
import { NAMED_SUFFIX, NUMBERED_SUFFIX } from './names.ts'
import { patternQuery, query } from './query.ts'

/**
 * `resources`, `required`, `member_of`, `in_tree`, each also with a suffix (`resources1`, `required_COMPUTE`) for a group that one
 * provider must satisfy alone; and for the whole request `limit`, `group_policy`, `root_required`, `same_subtree`.
 */
export type CandidateQuery = Record<string, string | number | readonly string[] | undefined>

export interface AllocationRequest {
  /** Ready to be the `allocations` of a claim. */
  allocations: Record<string, { resources: Resources }>
  /** Providers by suffix of the group they satisfy (since 1.34). */
  mappings: Record<string, string[]>
}

export interface ProviderSummary {
  resources: Record<string, { capacity: number; used: number }>
  /** Since 1.17. */
  traits: string[]
  /** Both since 1.29. */
  parent_provider_uuid: string | null
  root_provider_uuid: string
}

export interface AllocationCandidates {
  allocation_requests: AllocationRequest[]
  /** By uuid, every provider of every tree that a request touches. */
  provider_summaries: Record<string, ProviderSummary>
}

const text: Schema = { type: 'string' }
const limit: Schema = { type: 'string', pattern: '^[1-9][0-9]*$' }
const wide = { limit, group_policy: { enum: ['none', 'isolate'] } }
const grouped = (names: readonly string[], suffix: string): string[] => names.map((name) => `^${name}(${suffix})?$`)
const TO_125 = ['resources', 'required', 'member_of']
const TO_131 = [...TO_125, 'in_tree']

export const candidateQuery = byVersion({
  '1.10': query({ resources: text }, ['resources']),
  '1.16': query({ resources: text, limit }, ['resources']),
  '1.17': query({ resources: text, limit, required: text }, ['resources']),
  '1.21': query({ resources: text, limit, required: text, member_of: text }, ['resources']),
  '1.25': patternQuery(wide, grouped(TO_125, NUMBERED_SUFFIX)),
  '1.31': patternQuery(wide, grouped(TO_131, NUMBERED_SUFFIX)),
  '1.33': patternQuery(wide, grouped(TO_131, NAMED_SUFFIX)),
  '1.35': patternQuery({ ...wide, root_required: text }, grouped(TO_131, NAMED_SUFFIX)),
  '1.36': patternQuery({ ...wide, root_required: text, same_subtree: text }, grouped(TO_131, NAMED_SUFFIX)),
})

export const listAllocationCandidates = operation<{ query: CandidateQuery }, AllocationCandidates>('GET', '/allocation_candidates', 'placement 1.39')
