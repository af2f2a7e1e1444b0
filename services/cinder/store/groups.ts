/** Queries on groups, their types and snapshots. */
import { sql } from 'kysely'
import type { Sql } from '#base/sql/database.ts'
import type { Narrow } from '#stack/resource/listing.ts'
import type { GroupRow, GroupSnapshotRow, GroupTypeRow } from './group-tables.ts'
import type { CinderTables } from './tables.ts'

type Db = Sql<CinderTables>

export async function groupById(db: Db, groupId: string): Promise<GroupRow | undefined> {
  return db.query.selectFrom('cinder_groups').selectAll().where('id', '=', groupId).executeTakeFirst()
}

export async function insertGroup(db: Db, row: GroupRow): Promise<void> {
  await db.query.insertInto('cinder_groups').values(row).execute()
}

export async function setGroup(db: Db, groupId: string, patch: Partial<GroupRow>): Promise<void> {
  await db.query.updateTable('cinder_groups').set(patch).where('id', '=', groupId).execute()
}

export async function moveGroup(db: Db, groupId: string, from: readonly string[], patch: Partial<GroupRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_groups').set(patch).where('id', '=', groupId).where('status', 'in', from).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function deleteGroupRow(db: Db, groupId: string): Promise<void> {
  await db.query.deleteFrom('cinder_groups').where('id', '=', groupId).execute()
}

export async function groupTypeBy(db: Db, by: 'id' | 'name', value: string): Promise<GroupTypeRow | undefined> {
  return db.query.selectFrom('cinder_group_types').selectAll().where(by, '=', value).executeTakeFirst()
}

export async function insertGroupType(db: Db, row: GroupTypeRow): Promise<void> {
  await db.query.insertInto('cinder_group_types').values(row).execute()
}

export async function setGroupType(db: Db, id: string, patch: Partial<GroupTypeRow>): Promise<void> {
  await db.query.updateTable('cinder_group_types').set(patch).where('id', '=', id).execute()
}

export async function deleteGroupType(db: Db, id: string): Promise<void> {
  await db.query.deleteFrom('cinder_group_types').where('id', '=', id).execute()
}

export async function groupsOfType(db: Db, typeId: string): Promise<number> {
  const row = await db.query.selectFrom('cinder_groups').select(sql<number>`count(*)`.as('count')).where('group_type_id', '=', typeId).executeTakeFirstOrThrow()
  return Number(row.count)
}

export async function groupSnapshotById(db: Db, id: string): Promise<GroupSnapshotRow | undefined> {
  return db.query.selectFrom('cinder_group_snapshots').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function groupSnapshotsOf(db: Db, groupId: string): Promise<GroupSnapshotRow[]> {
  return db.query.selectFrom('cinder_group_snapshots').selectAll().where('group_id', '=', groupId).execute()
}

export async function insertGroupSnapshot(db: Db, row: GroupSnapshotRow): Promise<void> {
  await db.query.insertInto('cinder_group_snapshots').values(row).execute()
}

export async function setGroupSnapshot(db: Db, id: string, patch: Partial<GroupSnapshotRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_group_snapshots').set(patch).where('id', '=', id).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function moveGroupSnapshot(db: Db, id: string, from: readonly string[], patch: Partial<GroupSnapshotRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_group_snapshots').set(patch).where('id', '=', id).where('status', 'in', from).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function deleteGroupSnapshotRow(db: Db, id: string): Promise<void> {
  await db.query.deleteFrom('cinder_group_snapshots').where('id', '=', id).execute()
}

/** Of a list of group types. */
export function groupTypesShown(which: 'all' | 'public' | 'private'): Narrow {
  return (query) => (which === 'all' ? query : query.where('is_public', '=', which === 'public' ? 1 : 0))
}

/** Of a list of groups: those of one type, named. */
export function groupsOfTypeNamed(name: string): Narrow {
  return (query) =>
    query.where((eb) =>
      eb.exists(eb.selectFrom('cinder_group_types').select('cinder_group_types.id').whereRef('cinder_group_types.id', '=', 'cinder_groups.group_type_id').where('cinder_group_types.name', '=', name)),
    )
}

/** The same of group snapshots. */
export function groupSnapshotsOfTypeNamed(name: string): Narrow {
  return (query) =>
    query.where((eb) =>
      eb.exists(eb.selectFrom('cinder_group_types').select('cinder_group_types.id').whereRef('cinder_group_types.id', '=', 'cinder_group_snapshots.group_type_id').where('cinder_group_types.name', '=', name)),
    )
}
