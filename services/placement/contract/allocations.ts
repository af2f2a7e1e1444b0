/** Allocations: what a consumer (a server, a migration) has claimed of which providers. Always replaced whole, per consumer. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion } from '#stack/version.ts'
import { NAMED_SUFFIX, SYMBOL, UUID_KEY, uuidLike } from './names.ts'

/** Amounts by resource class. */
export type Resources = Record<string, number>

/** What is claimed of each provider, by its uuid. */
export type Allocations = Record<string, { generation?: number; resources: Resources }>

/** The wish for one consumer. Empty allocations release everything. */
export interface ConsumerWish {
  allocations: Allocations
  project_id: string
  user_id: string
  /** Null says: it has none yet. */
  consumer_generation: number | null
  /** `INSTANCE`, `MIGRATION`, … */
  consumer_type: string
  /** Which request group was satisfied by which providers; not kept. */
  mappings?: Record<string, string[]>
}

/** Without allocations only `allocations` is there. */
export interface ConsumerAllocations {
  allocations: Record<string, { generation: number; resources: Resources }>
  project_id?: string
  user_id?: string
  consumer_generation?: number
  /** `unknown` when it was written before 1.38. */
  consumer_type?: string
}

export interface ProviderAllocations {
  resource_provider_generation: number
  /** By consumer. */
  allocations: Record<string, { resources: Resources; consumer_generation?: number }>
}

const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[]): Schema => ({ type: 'object', properties, required, additionalProperties: false })
const keyed = (pattern: string, value: Schema, minProperties: number): Schema => ({ type: 'object', minProperties, patternProperties: { [pattern]: value }, additionalProperties: false })

const id: Schema = { type: 'string', minLength: 1, maxLength: 255 }
const resources = keyed(SYMBOL, { type: 'integer', minimum: 1 }, 1)
const list: Schema = {
  type: 'array',
  minItems: 1,
  items: object({ resource_provider: object({ uuid: uuidLike }, ['uuid']), resources }, ['resource_provider', 'resources']),
}
const byProvider = (minProperties: number): Schema => keyed(UUID_KEY, object({ generation: { type: 'integer' }, resources }, ['resources']), minProperties)

const owner = { project_id: id, user_id: id }
const may = { ...owner, allocations: byProvider(0) }
const generation = { consumer_generation: { type: ['integer', 'null'] } }
const mappings = {
  mappings: { type: 'object', minProperties: 1, patternProperties: { [`^(${NAMED_SUFFIX})?$`]: { type: 'array', minItems: 1, items: uuidLike } }, additionalProperties: false },
}
const type = { consumer_type: { type: 'string', pattern: SYMBOL, minLength: 1, maxLength: 255 } }
const base = ['allocations', 'project_id', 'user_id']

/** Bodies for one consumer, where all may be released, by version. */
const wish113 = object(may, base)
const wish128 = object({ ...may, ...generation }, [...base, 'consumer_generation'])
const wish134 = object({ ...may, ...generation, ...mappings }, [...base, 'consumer_generation'])
const wish138 = object({ ...may, ...generation, ...mappings, ...type }, [...base, 'consumer_generation', 'consumer_type'])

export const allocationsUpdate = byVersion<Schema>({
  '1.0': object({ allocations: list }, ['allocations']),
  '1.8': object({ ...owner, allocations: list }, base),
  '1.12': object({ ...owner, allocations: byProvider(1) }, base),
  '1.28': wish128,
  '1.34': wish134,
  '1.38': wish138,
})

/** Wishes by consumer. */
export const allocationsMany = (minProperties: number): Readonly<Record<'1.13' | '1.28' | '1.34' | '1.38', Schema>> => ({
  '1.13': keyed(UUID_KEY, wish113, minProperties),
  '1.28': keyed(UUID_KEY, wish128, minProperties),
  '1.34': keyed(UUID_KEY, wish134, minProperties),
  '1.38': keyed(UUID_KEY, wish138, minProperties),
})
export const allocationsCreate = byVersion(allocationsMany(1))

const VERSION = 'placement 1.39'
type Of = { params: { consumer_uuid: string } }

export const listAllocations = operation<Of, ConsumerAllocations>('GET', '/allocations/{consumer_uuid}', VERSION)
/**
 * Claims, or replaces a claim. Too little left is a `conflict` without a code of its own; a generation that changed meanwhile is a
 * `conflict` with `placement.concurrent_update` and worth another try.
 */
export const replaceAllocations = operation<Of & { body: ConsumerWish }>('PUT', '/allocations/{consumer_uuid}', VERSION)
/** A `not_found` when there is nothing to release. */
export const deleteAllocations = operation<Of>('DELETE', '/allocations/{consumer_uuid}', VERSION)
/** Several consumers at once or none: moves a claim from a server to its migration, for instance. */
export const replaceManyAllocations = operation<{ body: Record<string, ConsumerWish> }>('POST', '/allocations', VERSION)
export const listProviderAllocations = operation<{ params: { uuid: string } }, ProviderAllocations>('GET', '/resource_providers/{uuid}/allocations', VERSION)
