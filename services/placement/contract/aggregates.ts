/** Aggregates: groups of providers, known by their UUID alone. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion } from '#stack/version.ts'
import { uuidLike } from './names.ts'

export interface Aggregates {
  aggregates: string[]
  /** Since 1.19. */
  resource_provider_generation?: number
}

/** Before 1.19 the bare list. */
export type AggregatesWish = string[] | { aggregates: string[]; resource_provider_generation: number }

const list: Schema = { type: 'array', items: uuidLike, uniqueItems: true }

export const aggregatesUpdate = byVersion<Schema>({
  '1.1': list,
  '1.19': {
    type: 'object',
    properties: { aggregates: list, resource_provider_generation: { type: 'integer' } },
    required: ['aggregates', 'resource_provider_generation'],
    additionalProperties: false,
  },
})

const VERSION = 'placement 1.39'
type Of = { params: { uuid: string } }

export const listAggregates = operation<Of, Required<Aggregates>>('GET', '/resource_providers/{uuid}/aggregates', VERSION)
export const replaceAggregates = operation<Of & { body: { aggregates: string[]; resource_provider_generation: number } }, Required<Aggregates>>('PUT', '/resource_providers/{uuid}/aggregates', VERSION)
