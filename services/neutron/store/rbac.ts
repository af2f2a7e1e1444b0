/** Who shares what: the RBAC rows, and the copy of them in the column `shared_with` of what is shared. */
import type { Q, RbacRow, T } from './tables.ts'
import { changeRow } from './rows.ts'

/** Tables by `object_type`. */
export const SHARED: Readonly<Record<string, string>> = {
  network: 'neutron_networks',
  qos_policy: 'neutron_qos_policies',
  security_group: 'neutron_security_groups',
  address_scope: 'neutron_address_scopes',
  subnetpool: 'neutron_subnetpools',
  address_group: 'neutron_address_groups',
}

export async function insertRbac(tx: T, row: RbacRow): Promise<void> {
  await tx.query.insertInto('neutron_rbac_policies').values(row).execute()
}

export async function rbacOf(db: Q, objectType: string, objectId: string): Promise<RbacRow[]> {
  return db.query.selectFrom('neutron_rbac_policies').selectAll().where('object_type', '=', objectType).where('object_id', '=', objectId).execute()
}

/** Writes the copy anew after the rows changed. */
export async function refreshShared(tx: T, objectType: string, objectId: string): Promise<string[]> {
  const rows = await rbacOf(tx, objectType, objectId)
  const targets = rows.filter((row) => row.action === 'access_as_shared').map((row) => row.target_tenant)
  await changeRow(tx as never, SHARED[objectType]!, objectId, { shared_with: JSON.stringify(targets) })
  return targets
}

export async function removeRbacOf(tx: T, objectType: string, objectId: string): Promise<void> {
  await tx.query.deleteFrom('neutron_rbac_policies').where('object_type', '=', objectType).where('object_id', '=', objectId).execute()
}

export async function removeWildcard(tx: T, objectType: string, objectId: string, action: string): Promise<void> {
  await tx.query.deleteFrom('neutron_rbac_policies').where('object_type', '=', objectType).where('object_id', '=', objectId).where('target_tenant', '=', '*').where('action', '=', action).execute()
}
