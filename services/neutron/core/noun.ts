/** What every noun of this house is made of, and the parts that many share. */
import { type Attribute, computed, fact, instant, integer, text, uuid } from './attribute.ts'

export interface Noun {
  /** Envelope of one and of many: `network`, `networks`. */
  one: string
  many: string
  /** Path of the collection below the mount. */
  path: string
  /** Table of its rows; every attribute that is stored is a column of the same name. */
  table: string
  fields: Readonly<Record<string, Attribute>>
  /** Name in policy rules when it is not `one`: `get_<policy>`. */
  policy?: string
  /** Its key in quotas. */
  quota?: string
  /** `object_type` in RBAC policies; such rows have a column `shared_with`. */
  rbac?: string
  /** Strangers that may look at it hear that there is nothing to change. */
  coy?: boolean
  /** In messages: `Network`. */
  title: string
  /** Type of the error when there is none of that id; default `<title>NotFound`. */
  notFound?: string
}

/** 1–36 hex digits and dashes: ids are ours. */
export const id = (): Attribute => uuid({ sort: true })

/** The owner, under both of its names. */
export const project = (rules: { hidden?: boolean; filter?: boolean } = {}): Attribute => text(255, { post: 'optional', alias: 'tenant_id', ...rules })

export const standard = {
  created_at: instant(),
  updated_at: instant(),
  revision_number: integer({}, {}),
} as const

/** Instants and revision, description included. */
export const described = (max = 255): { description: Attribute; created_at: Attribute; updated_at: Attribute; revision_number: Attribute } => ({ description: text(max, { post: 'optional', put: true, default: '' }), ...standard })

/** Tags stand as a JSON list in the row. */
export const tags = { tags: { ...computed({}), stored: 'json' } as Attribute } as const

export { fact }
