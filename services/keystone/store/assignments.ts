/** Who holds which role where. */
import type { AssignmentRow, KeystoneTables } from './tables.ts'
import type { Db } from './rows.ts'

export interface Target {
  kind: AssignmentRow['target_kind']
  id: string
}

export async function groupIdsOf(db: Db, user_id: string): Promise<string[]> {
  const rows = await db.query.selectFrom('keystone_memberships').select('group_id').where('user_id', '=', user_id).execute()
  return rows.map((row) => row.group_id)
}

/** Rows of these actors (a user and groups; ids of both are unique) at these targets. */
export async function assignmentsAt(db: Db, actors: readonly string[], targets: readonly string[]): Promise<AssignmentRow[]> {
  return db.query.selectFrom('keystone_assignments').selectAll().where('actor_id', 'in', actors).where('target_id', 'in', targets).execute()
}

export async function assignmentsOf(db: Db, actors: readonly string[]): Promise<AssignmentRow[]> {
  return actors.length === 0 ? [] : db.query.selectFrom('keystone_assignments').selectAll().where('actor_id', 'in', actors).execute()
}

export async function listAssignments(db: Db, filter: Partial<Pick<AssignmentRow, 'actor_kind' | 'target_kind' | 'role_id' | 'inherited'>> & { actor_ids?: readonly string[]; target_ids?: readonly string[] }): Promise<AssignmentRow[]> {
  let query = db.query.selectFrom('keystone_assignments').selectAll()
  if (filter.actor_ids) query = query.where('actor_id', 'in', filter.actor_ids)
  if (filter.target_ids) query = query.where('target_id', 'in', filter.target_ids)
  for (const key of ['actor_kind', 'target_kind', 'role_id', 'inherited'] as const) {
    const value = filter[key]
    if (value !== undefined) query = query.where(key, '=', value as never)
  }
  return query.orderBy('actor_id').orderBy('target_id').orderBy('role_id').execute()
}

/** Everything that hangs on an actor, a target or a role that is going away. */
export async function dropAssignments(db: Db, column: keyof Pick<KeystoneTables['keystone_assignments'], 'actor_id' | 'target_id' | 'role_id'>, id: string): Promise<void> {
  await db.query.deleteFrom('keystone_assignments').where(column, '=', id).execute()
}
