/** Roles that a body names by id, or by name (and domain). */
import { conflict, notFound } from '#base/fault.ts'
import { findRow, findRows } from '../store/rows.ts'
import type { RoleRow } from '../store/tables.ts'
import type { Keystone } from './house.ts'

export async function rolesNamed(house: Keystone, asked: readonly { id?: string; name?: string; domain_id?: string }[]): Promise<RoleRow[]> {
  const found: RoleRow[] = []
  for (const { id, name, domain_id } of asked) {
    if (id !== undefined) {
      const row = await findRow(house.db, 'keystone_roles', { id })
      if (!row) throw notFound(`Could not find role: ${id}.`)
      found.push(row)
      continue
    }
    const rows = await findRows(house.db, 'keystone_roles', { name: name ?? '', domain_id: domain_id ?? '' })
    if (rows.length > 1) throw conflict(`More than one role exists with the name ${name}.`)
    if (rows.length === 0) throw notFound(`Could not find role: ${name}.`)
    found.push(rows[0]!)
  }
  return found
}
