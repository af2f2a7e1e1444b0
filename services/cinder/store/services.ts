/** Queries on services: what runs where, when it was last heard of, and what its backend reports. */
import type { Sql } from '#base/sql/database.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { CinderTables, ServiceRow } from './tables.ts'

type Db = Sql<CinderTables>

export async function allServices(db: Db, binary?: string): Promise<ServiceRow[]> {
  let query = db.query.selectFrom('cinder_services').selectAll().orderBy('binary').orderBy('host')
  if (binary !== undefined) query = query.where('binary', '=', binary)
  return query.execute()
}

export async function serviceAt(db: Db, host: string, binary: string): Promise<ServiceRow | undefined> {
  return db.query.selectFrom('cinder_services').selectAll().where('host', '=', host).where('binary', '=', binary).executeTakeFirst()
}

export async function setService(db: Db, serviceId: string, patch: Partial<ServiceRow>): Promise<void> {
  await db.query.updateTable('cinder_services').set(patch).where('id', '=', serviceId).execute()
}

/** A heartbeat; the first one makes the row. */
export async function beat(db: Db, row: ServiceRow): Promise<void> {
  const { host, binary, availability_zone, facts, beat_at } = row
  const heard = async (): Promise<boolean> => {
    const done = await db.query.updateTable('cinder_services').set({ availability_zone, facts, beat_at, updated_at: beat_at }).where('host', '=', host).where('binary', '=', binary).executeTakeFirst()
    return done.numUpdatedRows > 0n
  }
  if (await heard()) return
  try {
    await db.query.insertInto('cinder_services').values(row).execute()
  } catch (thrown) {
    if (!isDuplicate(db.engine, thrown)) throw thrown
    await heard()
  }
}
