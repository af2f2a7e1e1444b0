/** Queries on accounts, containers, objects, and bytes to be removed. */
import { sql } from 'kysely'
import { conflict, unavailable } from '#base/fault.ts'
import type { Database, Sql, Tx } from '#base/sql/database.ts'
import type { Window } from '../core/listing.ts'
import type { AccountRow, ContainerRow, ObjectRow, SwiftTables } from './tables.ts'

type Db = Sql<SwiftTables>

export const accountOf = (db: Db, account: string): Promise<AccountRow | undefined> => db.query.selectFrom('swift_accounts').selectAll().where('account', '=', account).executeTakeFirst()
export const containerOf = (db: Db, account: string, name: string): Promise<ContainerRow | undefined> =>
  db.query.selectFrom('swift_containers').selectAll().where('account', '=', account).where('name', '=', name).executeTakeFirst()
export const objectOf = (db: Db, containerId: string, name: string): Promise<ObjectRow | undefined> =>
  db.query.selectFrom('swift_objects').selectAll().where('container_id', '=', containerId).where('name', '=', name).executeTakeFirst()

export async function saveAccount(db: Database<SwiftTables>, row: AccountRow): Promise<void> {
  await db.transaction(async (tx) => {
    if (await accountOf(tx, row.account)) await tx.query.updateTable('swift_accounts').set({ metadata: row.metadata }).where('account', '=', row.account).execute()
    else await tx.query.insertInto('swift_accounts').values(row).execute()
  })
}

export async function saveContainer(db: Database<SwiftTables>, row: ContainerRow, isNew: boolean): Promise<void> {
  if (isNew) await db.query.insertInto('swift_containers').values(row).execute()
  else await db.query.updateTable('swift_containers').set({ metadata: row.metadata }).where('id', '=', row.id).execute()
}

export async function removeContainer(db: Database<SwiftTables>, id: string): Promise<void> {
  const done = await db.query.deleteFrom('swift_containers').where('id', '=', id).where('object_count', '=', 0).executeTakeFirst()
  if (done.numDeletedRows !== 1n) throw conflict('There was a conflict when trying to complete your request.')
}

/** Announces bytes that are about to be written: should the process die, they are removed when `due_at` has come. */
export async function announceBytes(db: Db, bytes_id: string, due_at: number): Promise<void> {
  await db.query.insertInto('swift_cleanup').values({ bytes_id, due_at }).execute()
}

/** Puts an object in the place of what stood there, and its announced bytes out of reach of the cleanup. */
export async function putObject(db: Database<SwiftTables>, row: ObjectRow, now: number): Promise<void> {
  await db.transaction(async (tx) => {
    const kept = await tx.query.deleteFrom('swift_cleanup').where('bytes_id', '=', row.bytes_id).executeTakeFirst()
    if (kept.numDeletedRows !== 1n) throw unavailable('The upload took too long; send the object again.')
    // First the container: its row is the lock, so that counts and listing agree.
    const old = await objectUnderLock(tx, row.container_id, row.name, row.size)
    if (old) await discard(tx, old, now)
    await tx.query.insertInto('swift_objects').values(row).execute()
    await count(tx, row.container_id, old ? 0 : 1, -(old?.size ?? 0))
  })
}

export async function removeObject(db: Database<SwiftTables>, containerId: string, name: string, now: number): Promise<boolean> {
  return db.transaction(async (tx) => {
    const old = await objectUnderLock(tx, containerId, name, 0)
    if (!old) return false
    await discard(tx, old, now)
    await count(tx, containerId, -1, -old.size)
    return true
  })
}

export async function setObject(db: Db, row: ObjectRow, patch: Partial<ObjectRow>): Promise<boolean> {
  const done = await db.query.updateTable('swift_objects').set(patch).where('container_id', '=', row.container_id).where('name', '=', row.name).where('bytes_id', '=', row.bytes_id).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

async function objectUnderLock(tx: Tx<SwiftTables>, containerId: string, name: string, grow: number): Promise<ObjectRow | undefined> {
  if ((await count(tx, containerId, 0, grow)) !== 1n) throw conflict('The container was deleted.')
  return objectOf(tx, containerId, name)
}

async function discard(tx: Tx<SwiftTables>, row: ObjectRow, now: number): Promise<void> {
  await tx.query.deleteFrom('swift_objects').where('container_id', '=', row.container_id).where('name', '=', row.name).execute()
  await tx.query.insertInto('swift_cleanup').values({ bytes_id: row.bytes_id, due_at: now + 60_000 }).execute()
}

async function count(tx: Tx<SwiftTables>, id: string, objects: number, bytes: number): Promise<bigint> {
  const done = await tx.query.updateTable('swift_containers').set({ object_count: sql`object_count + ${objects}`, bytes_used: sql`bytes_used + ${bytes}` }).where('id', '=', id).executeTakeFirst()
  return done.numUpdatedRows
}

export async function dueBytes(db: Db, now: number): Promise<string[]> {
  return (await db.query.selectFrom('swift_cleanup').select('bytes_id').where('due_at', '<=', now).limit(500).execute()).map((row) => row.bytes_id)
}

/** Takes the bytes for removal; false when an upload has just claimed them. */
export async function forgetBytes(db: Db, id: string, now: number): Promise<boolean> {
  return (await db.query.deleteFrom('swift_cleanup').where('bytes_id', '=', id).where('due_at', '<=', now).executeTakeFirst()).numDeletedRows === 1n
}

export const expiredObjects = (db: Db, now: number): Promise<ObjectRow[]> => db.query.selectFrom('swift_objects').selectAll().where('delete_at', '<=', now).limit(500).execute()

export const accountTotals = (db: Db, account: string): Promise<{ containers: number; objects: number; bytes: number }> =>
  db.query.selectFrom('swift_containers').select((eb) => [eb.fn.countAll<number>().as('containers'), eb.fn.sum<number | null>('object_count').as('objects'), eb.fn.sum<number | null>('bytes_used').as('bytes')]).where('account', '=', account).executeTakeFirstOrThrow()
    .then((row) => ({ containers: Number(row.containers), objects: Number(row.objects ?? 0), bytes: Number(row.bytes ?? 0) }))

/** Names in `(after, before)`, from `from` on, with the prefix, in order of their bytes. */
export async function containersIn(db: Db, account: string, w: Window): Promise<ContainerRow[]> {
  let query = db.query.selectFrom('swift_containers').selectAll().where('account', '=', account).where('name', '>', w.after).where('name', '>=', w.from)
  if (w.before !== undefined) query = query.where('name', '<', w.before)
  return query.orderBy('name').limit(w.limit).execute()
}

export async function objectsIn(db: Db, containerId: string, w: Window): Promise<ObjectRow[]> {
  let query = db.query.selectFrom('swift_objects').selectAll().where('container_id', '=', containerId).where('name', '>', w.after).where('name', '>=', w.from)
  if (w.before !== undefined) query = query.where('name', '<', w.before)
  return query.orderBy('name').limit(w.limit).execute()
}
