/** Conditions that lists are asked for: by value, by tag, by what belongs to a row, and by what the caller may see. */
import { sql, type SqlBool } from 'kysely'
import type { Where } from './rows.ts'

export const equals =
  (column: string, values: readonly (string | number | null)[]): Where =>
  (eb) => {
    if (values.length === 1) return values[0] === null ? eb(column, 'is', null) : eb(column, '=', values[0] as never)
    const real = values.filter((one) => one !== null)
    return values.includes(null) ? eb.or([eb(column, 'is', null), eb(column, 'in', real as never)]) : eb(column, 'in', real as never)
  }

export const nothing: Where = () => sql<SqlBool>`1 = 0`
export const anyOf =
  (...wheres: readonly Where[]): Where =>
  (eb) =>
    eb.or(wheres.map((one) => one(eb)))
export const allOf =
  (...wheres: readonly Where[]): Where =>
  (eb) =>
    eb.and(wheres.map((one) => one(eb)))
export const not =
  (where: Where): Where =>
  (eb) =>
    eb.not(where(eb))

const literal = (text: string): string => text.replaceAll(/[\\%_]/g, String.raw`\$&`)

/** Text anywhere in a column. */
export const includes =
  (column: string, text: string): Where =>
  () =>
    sql<SqlBool>`${sql.ref(column)} like ${`%${literal(text)}%`} escape '\\'`

/** An element of a JSON list of strings. */
export const hasElement = (column: string, element: string): Where => includes(column, JSON.stringify(element))

export const since =
  (column: string, at: number): Where =>
  (eb) =>
    eb(column, '>=', at as never)

/** Rows of a noun with `shared_with` that this project may see without owning them. */
export const sharedWith =
  (objectType: string, project: string | undefined): Where =>
  (eb) =>
    eb('id', 'in', eb.selectFrom('neutron_rbac_policies').select('object_id').where('object_type', '=', objectType).where('target_tenant', 'in', project === undefined ? ['*'] : ['*', project]))

export const owned = (project: string | undefined): Where => (project === undefined ? nothing : equals('project_id', [project]))

/** Rows whose parent in another table meets a condition: `network_id` of networks that are mine. */
export const parentIn =
  (column: string, table: string, wheres: readonly Where[], key = 'id'): Where =>
  (eb) => {
    let query = eb.selectFrom(table).select(key)
    for (const one of wheres) query = query.where(one as never)
    return eb(column, 'in', query)
  }

/** Ports that have an allocation like this. */
export const withAllocation = (wheres: readonly Where[]): Where => parentIn('id', 'neutron_ip_allocations', wheres, 'port_id')
export const inGroups = (groups: readonly string[]): Where => parentIn('id', 'neutron_port_security_groups', [equals('security_group_id', groups)], 'port_id')

/** Rows that a project shares in through one kind of RBAC row. */
export const sharedVia =
  (objectType: string, project: string | undefined, action: string): Where =>
  (eb) =>
    eb('id', 'in', eb.selectFrom('neutron_rbac_policies').select('object_id').where('object_type', '=', objectType).where('action', '=', action).where('target_tenant', 'in', project === undefined ? ['*'] : ['*', project]))
