/** Resource providers: what has inventories, in trees. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion } from '#stack/version.ts'
import { uuidLike } from './names.ts'
import { query } from './query.ts'

export interface Link {
  rel: string
  href: string
}

export interface ResourceProvider {
  uuid: string
  name: string
  /** Grows with every change of what the provider offers or has given away; writers say which one they saw. */
  generation: number
  links: Link[]
  /** Both since 1.14. */
  parent_provider_uuid?: string | null
  root_provider_uuid?: string
}

export interface ProviderCreate {
  name: string
  uuid?: string
  parent_provider_uuid?: string | null
}

export interface ProviderUpdate {
  name: string
  /** Absent: as it is. Null un-parents (since 1.37). */
  parent_provider_uuid?: string | null
}

export interface ProviderQuery {
  name?: string
  uuid?: string
  /** `<uuid>`, `in:<uuid>,<uuid>`, `!…`; repeated ones must all hold. */
  member_of?: string | readonly string[]
  /** `VCPU:2,MEMORY_MB:512` */
  resources?: string
  in_tree?: string
  /** `A,!B` or `in:A,B`; repeated ones must all hold. */
  required?: string | readonly string[]
}

const name: Schema = { type: 'string', minLength: 1, maxLength: 200 }
const parent_provider_uuid: Schema = { anyOf: [uuidLike, { type: 'null' }] }
const body = (properties: Readonly<Record<string, Schema>>): Schema => ({ type: 'object', properties, required: ['name'], additionalProperties: false })

export const providerCreate = byVersion({ '1.0': body({ name, uuid: uuidLike }), '1.14': body({ name, uuid: uuidLike, parent_provider_uuid }) })
export const providerUpdate = byVersion({ '1.0': body({ name }), '1.14': body({ name, parent_provider_uuid }) })

const text: Schema = { type: 'string' }
const by10 = { name: text, uuid: uuidLike }
const by14 = { ...by10, member_of: text, resources: text }
const by114 = { ...by14, in_tree: uuidLike }
export const providerQuery = byVersion({
  '1.0': query(by10),
  '1.3': query({ ...by10, member_of: text }),
  '1.4': query(by14),
  '1.14': query(by114),
  '1.18': query({ ...by114, required: text }),
})

const VERSION = 'placement 1.39'
type One = { params: { uuid: string } }

export const listProviders = operation<{ query?: ProviderQuery & Record<string, string | readonly string[] | undefined> }, { resource_providers: ResourceProvider[] }>('GET', '/resource_providers', VERSION)
/** Answers the provider; a taken name or uuid is a `conflict` with code `placement.duplicate_name`. */
export const createProvider = operation<{ body: ProviderCreate }, ResourceProvider>('POST', '/resource_providers', VERSION)
export const showProvider = operation<One, ResourceProvider>('GET', '/resource_providers/{uuid}', VERSION)
export const updateProvider = operation<One & { body: ProviderUpdate }, ResourceProvider>('PUT', '/resource_providers/{uuid}', VERSION)
/** A provider with children or allocations is a `conflict`. */
export const deleteProvider = operation<One>('DELETE', '/resource_providers/{uuid}', VERSION)
