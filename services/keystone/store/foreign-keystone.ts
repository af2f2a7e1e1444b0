/** The tables of another Keystone (the schema of Zed and its neighbours), read as they are, on any engine. */
import { invalid } from '#base/fault.ts'
import type { Database } from '#base/sql/database.ts'
import type { Kysely } from 'kysely'

export type ForeignRow = Readonly<Record<string, unknown>>

/** Without these it is no Keystone. */
const NEEDED = ['user', 'local_user', 'password', 'project', 'role', 'assignment'] as const
const OPTIONAL = [
  'nonlocal_user', 'federated_user', 'user_option', 'project_option', 'project_tag', 'role_option', 'group', 'user_group_membership', 'implied_role', 'system_assignment', 'region', 'service', 'endpoint',
  'credential', 'application_credential', 'application_credential_role', 'application_credential_access_rule', 'access_rule', 'trust', 'trust_role', 'registered_limit', 'limit', 'policy', 'policy_association',
  'endpoint_group', 'project_endpoint', 'project_endpoint_group', 'whitelisted_config', 'sensitive_config', 'consumer', 'access_token', 'identity_provider', 'idp_remote_ids', 'federation_protocol', 'mapping', 'service_provider',
  'expiring_user_group_membership', 'revocation_event',
] as const

export type ForeignTable = (typeof NEEDED)[number] | (typeof OPTIONAL)[number]
export type ForeignKeystone = Readonly<Record<ForeignTable, readonly ForeignRow[]>>

/** Throws `invalid` when a table is missing that every Keystone has. Of the others, an absent one is empty. */
export async function readForeign(db: Database): Promise<ForeignKeystone> {
  const query = db.query as unknown as Kysely<Record<string, ForeignRow>>
  const read = async (table: ForeignTable, needed: boolean): Promise<readonly ForeignRow[]> => {
    try {
      return await query.selectFrom(table).selectAll().execute()
    } catch (thrown) {
      const words = thrown instanceof Error ? `${thrown.message} ${thrown.cause instanceof Error ? thrown.cause.message : ''}` : ''
      if (!/doesn't exist|does not exist|no such table/i.test(words)) throw thrown
      if (needed) throw invalid(`This is no database of Keystone: it has no table ${table}.`, { field: 'from', cause: thrown })
      return []
    }
  }
  const found: Partial<Record<ForeignTable, readonly ForeignRow[]>> = {}
  for (const table of NEEDED) found[table] = await read(table, true)
  for (const table of OPTIONAL) found[table] = await read(table, false)
  return found as ForeignKeystone
}

export const words = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))
export const word = (value: unknown): string => words(value) ?? ''
export const flagOf = (value: unknown, absent = 0): number => (value === null || value === undefined ? absent : value === true || Number(value) === 1 ? 1 : 0)
export const count = (value: unknown, absent = 0): number => (value === null || value === undefined ? absent : Number(value))

/** JSON text as it stands in a column; `{}` for what is none. */
export function blob(value: unknown): Record<string, unknown> {
  const parsed: unknown = typeof value === 'string' && value !== '' ? JSON.parse(value) : value
  return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {}
}

/** What a column of JSON text says. Keystone stores some texts of JSON as JSON once more: then it is text. */
export function plain(value: unknown): unknown {
  return typeof value === 'string' ? (JSON.parse(value) as unknown) : value
}

/** Milliseconds of microseconds (`created_at_int`); null for none. */
export function micros(value: unknown): number | null {
  return value === null || value === undefined ? null : Math.floor(Number(value) / 1000)
}

/** Milliseconds of a DATETIME, which Keystone writes in UTC and clients read as local time. */
export function naive(value: unknown): number | null {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return Date.UTC(value.getFullYear(), value.getMonth(), value.getDate(), value.getHours(), value.getMinutes(), value.getSeconds(), value.getMilliseconds())
  const at = Date.parse(`${String(value).replace(' ', 'T').replace(/Z$/, '').slice(0, 23)}${String(value).includes(':') ? 'Z' : ''}`)
  return Number.isNaN(at) ? null : at
}
