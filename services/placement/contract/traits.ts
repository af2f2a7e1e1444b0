/** Traits: what a provider is, beside what it has. Standard ones are fixed; custom ones are made by users. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import names from './standard-traits.json' with { type: 'json' }
import { query } from './query.ts'

/** The names of os-traits. */
export const STANDARD_TRAITS: readonly string[] = names
const standard = new Set(names)

export function isStandardTrait(name: string): boolean {
  return standard.has(name)
}

export interface Traits {
  traits: string[]
}

export type ProviderTraits = Traits & { resource_provider_generation: number }

export const providerTraitsUpdate: Schema = {
  type: 'object',
  properties: { traits: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 255 } }, resource_provider_generation: { type: 'integer' } },
  required: ['traits', 'resource_provider_generation'],
  additionalProperties: false,
}

export const traitQuery = query({ name: { type: 'string' }, associated: { type: 'string' } })

const VERSION = 'placement 1.39'
type Of = { params: { uuid: string } }
type One = { params: { name: string } }

/** `name` is `in:A,B` or `startswith:CUSTOM_`. */
export const listTraits = operation<{ query?: { name?: string; associated?: boolean } }, Traits>('GET', '/traits', VERSION)
/** A `not_found` when there is none. */
export const showTrait = operation<One>('GET', '/traits/{name}', VERSION)
/** May be repeated. */
export const ensureTrait = operation<One>('PUT', '/traits/{name}', VERSION)
export const deleteTrait = operation<One>('DELETE', '/traits/{name}', VERSION)
export const listProviderTraits = operation<Of, ProviderTraits>('GET', '/resource_providers/{uuid}/traits', VERSION)
/** A trait that does not exist is `invalid`; ensure custom ones first. */
export const replaceProviderTraits = operation<Of & { body: ProviderTraits }, ProviderTraits>('PUT', '/resource_providers/{uuid}/traits', VERSION)
export const clearProviderTraits = operation<Of>('DELETE', '/resource_providers/{uuid}/traits', VERSION)
