/** The attribute `shared`: an RBAC row for everybody. */
import { conflict } from '#base/fault.ts'
import type { Neutron } from '#neutron/house.ts'
import { insertRbac, refreshShared, removeWildcard } from '#neutron/store/rbac.ts'
import type { T } from '#neutron/store/tables.ts'

export async function shareWithAll(house: Neutron, tx: T, objectType: string, row: { id: string; project_id: string }): Promise<void> {
  await insertRbac(tx, { id: house.world.random.uuid(), project_id: row.project_id, object_type: objectType, object_id: row.id, target_tenant: '*', action: 'access_as_shared' })
}

export async function setShared(house: Neutron, tx: T, objectType: string, row: { id: string; project_id: string; shared_with: string }, shared: boolean): Promise<string> {
  const now = (JSON.parse(row.shared_with) as string[]).includes('*')
  if (now === shared) return row.shared_with
  if (shared) await shareWithAll(house, tx, objectType, row)
  else await removeWildcard(tx, objectType, row.id, 'access_as_shared')
  return JSON.stringify(await refreshShared(tx, objectType, row.id))
}

export const stillShared = (what: string, id: string): Error => conflict(`Unable to reconfigure sharing settings for ${what} ${id}. It is in use by other projects.`, { code: 'InvalidSharedSetting' })
