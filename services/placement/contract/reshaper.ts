/** The reshaper: inventories and allocations changed together or not at all, to move both from one provider to another. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion } from '#stack/version.ts'
import { allocationsMany, type ConsumerWish } from './allocations.ts'
import { inventoriesUpdate, type InventoriesWish } from './inventories.ts'
import { UUID_KEY } from './names.ts'

export interface Reshape {
  /** The inventories that each provider is to have in the end, by its uuid. */
  inventories: Record<string, InventoriesWish>
  /** By consumer. */
  allocations: Record<string, ConsumerWish>
}

const body = (allocations: Schema): Schema => ({
  type: 'object',
  properties: {
    inventories: { type: 'object', patternProperties: { [UUID_KEY]: inventoriesUpdate }, minProperties: 1, additionalProperties: false },
    allocations,
  },
  required: ['inventories', 'allocations'],
  additionalProperties: false,
})

const many = allocationsMany(0)
export const reshapeBody = byVersion({ '1.30': body(many['1.28']), '1.34': body(many['1.34']), '1.38': body(many['1.38']) })

export const reshape = operation<{ body: Reshape }>('POST', '/reshaper', 'placement 1.39')
