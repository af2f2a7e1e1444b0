/** Queries on accounts and containers. */
import { byKey } from '#base/sql/compilers.ts'
import { conflict } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Database, Sql } from '#base/sql/database.ts'
import type { Window } from '../core/listing.ts'
import { noteChange, WHOLE } from './sync.ts'
import { endUploadsIn } from './uploads.ts'
import type { AccountRow, ContainerRow, SwiftTables } from './tables.ts'

type Db = Sql<SwiftTables>

export const accountOf = (db: Db, account: string): Promise<AccountRow | undefined> => db.query.selectFrom('swift_accounts').selectAll().where('account', '=', account).executeTakeFirst()
export const containerOf = (db: Db, account: string, name: string): Promise<ContainerRow | undefined> =>
  db.query.selectFrom('swift_containers').selectAll().where('account', '=', account).where('name', '=', name).executeTakeFirst()
/** Of all accounts, those with rules for web pages from elsewhere at the S3 door. */
export const corsContainersNamed = (db: Db, name: string): Promise<ContainerRow[]> => db.query.selectFrom('swift_containers').selectAll().where('name', '=', name).where('metadata', 'like', '%s3-cors%').limit(50).execute()
export const containerById = (db: Db, id: string): Promise<ContainerRow | undefined> => db.query.selectFrom('swift_containers').selectAll().where('id', '=', id).executeTakeFirst()

/** Changes an account's metadata under its lock, so that two changes at once both hold; makes the account when it is new. */
export async function changeAccount(db: Database<SwiftTables>, account: string, now: number, change: (metadata: Record<string, string>) => Record<string, string>): Promise<{ made: boolean }> {
  const run = (): Promise<{ made: boolean }> => changed(db, account, now, change)
  // Somebody else made it at the same moment.
  return run().catch((thrown: unknown) => (isDuplicate(db.engine, thrown) ? run() : Promise.reject(thrown as Error)))
}

function changed(db: Database<SwiftTables>, account: string, now: number, change: (metadata: Record<string, string>) => Record<string, string>): Promise<{ made: boolean }> {
  return db.transaction(async (tx) => {
    const row = await tx.query.selectFrom('swift_accounts').selectAll().where('account', '=', account).forUpdate().executeTakeFirst()
    const metadata = JSON.stringify(change(JSON.parse(row?.metadata ?? '{}') as Record<string, string>))
    if (row) await tx.query.updateTable('swift_accounts').set({ metadata, deleted_at: null }).where('account', '=', account).execute()
    else await tx.query.insertInto('swift_accounts').values({ account, metadata, created_at: now, deleted_at: null }).execute()
    return { made: row === undefined || row.deleted_at !== null }
  })
}

export async function markAccountDeleted(db: Database<SwiftTables>, account: string, now: number): Promise<void> {
  await changeAccount(db, account, now, () => ({}))
  await db.query.updateTable('swift_accounts').set({ deleted_at: now }).where('account', '=', account).execute()
}

export const deletedAccounts = (db: Db): Promise<AccountRow[]> => db.query.selectFrom('swift_accounts').selectAll().where('deleted_at', 'is not', null).limit(50).execute()
export async function forgetAccount(db: Db, account: string): Promise<void> {
  await db.query.deleteFrom('swift_accounts').where('account', '=', account).where('deleted_at', 'is not', null).execute()
}

/** False when one of this name is there already. */
export async function insertContainer(db: Db, row: ContainerRow): Promise<boolean> {
  try {
    await db.query.insertInto('swift_containers').values(row).execute()
    return true
  } catch (thrown) {
    if (isDuplicate(db.engine, thrown)) return false
    throw thrown
  }
}

/** Changes a container's metadata under its lock; false when it is gone. `resync`: all of it is to be told elsewhere. */
export async function changeContainer(db: Database<SwiftTables>, id: string, now: number, change: (metadata: Record<string, string>) => Record<string, string>, resync = false): Promise<boolean> {
  return db.transaction(async (tx) => {
    const row = await tx.query.selectFrom('swift_containers').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
    if (!row) return false
    await tx.query.updateTable('swift_containers').set({ metadata: JSON.stringify(change(JSON.parse(row.metadata) as Record<string, string>)), changed_at: now }).where('id', '=', id).execute()
    if (resync) await noteChange(tx, { container_id: id, name: WHOLE, changed_at: now })
    return true
  })
}

/** Only an empty one, old versions included. Uploads that were begun in it end. */
export async function removeContainer(db: Database<SwiftTables>, id: string): Promise<void> {
  const refused = (): never => {
    throw conflict('There was a conflict when trying to complete your request.')
  }
  await db.transaction(async (tx) => {
    // Deleted first: the lock that every writer of objects takes.
    const done = await tx.query.deleteFrom('swift_containers').where('id', '=', id).where('object_count', '=', 0).executeTakeFirst()
    if (done.numDeletedRows !== 1n) refused()
    const old = await tx.query.selectFrom('swift_versions').select('name').where('container_id', '=', id).limit(1).executeTakeFirst()
    if (old) refused()
    await tx.query.deleteFrom('swift_buckets').where('container_id', '=', id).execute()
    await tx.query.deleteFrom('swift_sync').where('container_id', '=', id).execute()
    await endUploadsIn(tx, id)
  })
}

export const accountTotals = (db: Db, account: string): Promise<{ policy: string; containers: number; objects: number; bytes: number }[]> =>
  db.query.selectFrom('swift_containers').select((eb) => ['policy', eb.fn.countAll<number>().as('containers'), eb.fn.sum<number | null>('object_count').as('objects'), eb.fn.sum<number | null>('bytes_used').as('bytes')]).where('account', '=', account).groupBy('policy').execute()
    .then((rows) => rows.map((row) => ({ policy: row.policy, containers: Number(row.containers), objects: Number(row.objects ?? 0), bytes: Number(row.bytes ?? 0) })))

export async function containersIn(db: Db, account: string, w: Window): Promise<ContainerRow[]> {
  let query = db.query.selectFrom('swift_containers').selectAll().where('account', '=', account)
  if (w.low) query = query.where('name', w.low.also ? '>=' : '>', w.low.name)
  if (w.high) query = query.where('name', w.high.also ? '<=' : '<', w.high.name)
  return query.orderBy('name', byKey(w.reverse ? 'desc' : 'asc')).limit(w.limit).execute()
}
