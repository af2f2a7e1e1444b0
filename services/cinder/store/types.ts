/** Queries on volume types, who may use them, their encryption and quality of service. */
import { rowsBy } from '#base/sql/prepared.ts'
import { sql } from 'kysely'
import type { Sql, Tx } from '#base/sql/database.ts'
import type { Narrow } from '#stack/resource/listing.ts'
import type { CinderTables, EncryptionRow, QosRow, TypeAccessRow, TypeRow } from './tables.ts'

type Db = Sql<CinderTables>

export async function typeById(db: Db, typeId: string): Promise<TypeRow | undefined> {
  return (await rowsBy<TypeRow>(db as never, 'cinder_types', { id: typeId }))[0]
}

export async function typeByName(db: Db, name: string): Promise<TypeRow | undefined> {
  return db.query.selectFrom('cinder_types').selectAll().where('name', '=', name).executeTakeFirst()
}

export async function typesByIds(db: Db, ids: readonly string[]): Promise<TypeRow[]> {
  if (ids.length === 1) return rowsBy<TypeRow>(db as never, 'cinder_types', { id: ids[0] })
  return ids.length === 0 ? [] : db.query.selectFrom('cinder_types').selectAll().where('id', 'in', ids).execute()
}

export async function allTypes(db: Db): Promise<TypeRow[]> {
  return db.query.selectFrom('cinder_types').selectAll().orderBy('name').execute()
}

export async function insertType(db: Db, row: TypeRow): Promise<void> {
  await db.query.insertInto('cinder_types').values(row).execute()
}

export async function setType(db: Db, typeId: string, patch: Partial<TypeRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_types').set(patch).where('id', '=', typeId).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function deleteTypeRows(tx: Tx<CinderTables>, typeId: string): Promise<void> {
  await tx.query.deleteFrom('cinder_types').where('id', '=', typeId).execute()
  await tx.query.deleteFrom('cinder_type_access').where('volume_type_id', '=', typeId).execute()
  await tx.query.deleteFrom('cinder_encryptions').where('volume_type_id', '=', typeId).execute()
  await tx.query.deleteFrom('cinder_default_types').where('volume_type_id', '=', typeId).execute()
}

export async function volumesOfType(db: Db, typeId: string): Promise<number> {
  const row = await db.query.selectFrom('cinder_volumes').select(sql<number>`count(*)`.as('count')).where('volume_type_id', '=', typeId).executeTakeFirstOrThrow()
  return Number(row.count)
}

export async function accessTo(db: Db, typeId: string): Promise<TypeAccessRow[]> {
  return db.query.selectFrom('cinder_type_access').selectAll().where('volume_type_id', '=', typeId).orderBy('project_id').execute()
}

export async function hasAccess(db: Db, typeId: string, projectId: string): Promise<boolean> {
  return (await db.query.selectFrom('cinder_type_access').selectAll().where('volume_type_id', '=', typeId).where('project_id', '=', projectId).executeTakeFirst()) !== undefined
}

export async function insertAccess(db: Db, row: TypeAccessRow): Promise<void> {
  await db.query.insertInto('cinder_type_access').values(row).execute()
}

export async function deleteAccess(db: Db, row: TypeAccessRow): Promise<boolean> {
  const done = await db.query.deleteFrom('cinder_type_access').where('volume_type_id', '=', row.volume_type_id).where('project_id', '=', row.project_id).executeTakeFirst()
  return done.numDeletedRows === 1n
}

export async function encryptionOf(db: Db, typeId: string): Promise<EncryptionRow | undefined> {
  return db.query.selectFrom('cinder_encryptions').selectAll().where('volume_type_id', '=', typeId).executeTakeFirst()
}

export async function insertEncryption(db: Db, row: EncryptionRow): Promise<void> {
  await db.query.insertInto('cinder_encryptions').values(row).execute()
}

export async function setEncryption(db: Db, typeId: string, patch: Partial<EncryptionRow>): Promise<void> {
  await db.query.updateTable('cinder_encryptions').set(patch).where('volume_type_id', '=', typeId).execute()
}

export async function deleteEncryption(db: Db, typeId: string): Promise<boolean> {
  const done = await db.query.deleteFrom('cinder_encryptions').where('volume_type_id', '=', typeId).executeTakeFirst()
  return done.numDeletedRows === 1n
}

export async function qosById(db: Db, qosId: string): Promise<QosRow | undefined> {
  return db.query.selectFrom('cinder_qos').selectAll().where('id', '=', qosId).executeTakeFirst()
}

export async function insertQos(db: Db, row: QosRow): Promise<void> {
  await db.query.insertInto('cinder_qos').values(row).execute()
}

export async function setQos(db: Db, qosId: string, patch: Partial<QosRow>): Promise<void> {
  await db.query.updateTable('cinder_qos').set(patch).where('id', '=', qosId).execute()
}

export async function deleteQosRows(tx: Tx<CinderTables>, qosId: string): Promise<void> {
  await tx.query.updateTable('cinder_types').set({ qos_specs_id: null }).where('qos_specs_id', '=', qosId).execute()
  await tx.query.deleteFrom('cinder_qos').where('id', '=', qosId).execute()
}

export async function typesWithQos(db: Db, qosId: string): Promise<TypeRow[]> {
  return db.query.selectFrom('cinder_types').selectAll().where('qos_specs_id', '=', qosId).orderBy('name').execute()
}

export async function defaultTypeOf(db: Db, projectId: string): Promise<string | undefined> {
  return (await db.query.selectFrom('cinder_default_types').selectAll().where('project_id', '=', projectId).executeTakeFirst())?.volume_type_id
}

export async function allDefaultTypes(db: Db): Promise<{ project_id: string; volume_type_id: string }[]> {
  return db.query.selectFrom('cinder_default_types').selectAll().orderBy('project_id').execute()
}

export async function setDefaultType(tx: Tx<CinderTables>, project_id: string, volume_type_id: string | null): Promise<void> {
  await tx.query.deleteFrom('cinder_default_types').where('project_id', '=', project_id).execute()
  if (volume_type_id !== null) await tx.query.insertInto('cinder_default_types').values({ project_id, volume_type_id }).execute()
}

/** Of a list: all types, only public or private ones, or (`mine`) the public ones and those that a project has access to. */
export function typesShown(which: 'all' | 'public' | 'private' | { mine: string }): Narrow {
  return (query) => {
    if (which === 'all') return query
    if (typeof which === 'string') return query.where('is_public', '=', which === 'public' ? 1 : 0)
    return query.where((eb) =>
      eb.or([
        eb('is_public', '=', 1),
        eb.exists(eb.selectFrom('cinder_type_access').select('cinder_type_access.project_id').whereRef('cinder_type_access.volume_type_id', '=', 'cinder_types.id').where('cinder_type_access.project_id', '=', which.mine)),
      ]),
    )
  }
}
