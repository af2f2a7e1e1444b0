/** What the rows say of bytes: which are held, which may go, which are bad. */
import type { Database, Sql } from '#base/sql/database.ts'
import { type RawBuilder, sql } from 'kysely'
import { byKey } from '#base/sql/compilers.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { poolOf } from '../core/policies.ts'
import type { QuarantineRow, Stored, SwiftTables } from './tables.ts'

type Db = Sql<SwiftTables>

/** In the order of ids, behind `after`. */
export async function dueBytes(db: Db, now: number, after: string): Promise<string[]> {
  return (await db.query.selectFrom('swift_cleanup').select('bytes_id').where('due_at', '<=', now).where('bytes_id', '>', after).orderBy('bytes_id', byKey()).limit(500).execute()).map((row) => row.bytes_id)
}

/** Nobody takes these for loose before `until`: a row that is to hold them comes later than usual. */
export async function reserveBytes(db: Db, ids: readonly string[], until: number): Promise<void> {
  if (ids.length > 0) await db.query.insertInto('swift_cleanup').values(ids.map((bytes_id) => ({ bytes_id, due_at: until }))).execute()
}

export async function forgetBytes(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await db.query.deleteFrom('swift_cleanup').where('bytes_id', 'in', ids).execute()
}

/** Where an id of bytes stands in a row of its own; of composite objects it stands inside of a list. */
const HOLDERS = ['swift_objects', 'swift_versions', 'swift_upload_parts', 'swift_cleanup'] as const

/**
 * Of these bytes, those that an object, a version, a part or the cleanup holds. One statement, so that what goes from one table to another
 * meanwhile is seen in one of them. `rows`: without the cleanup.
 */
export async function heldBytes(db: Db, ids: readonly string[], rows = false): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const of = (table: (typeof HOLDERS)[number]) => db.query.selectFrom(table).select('bytes_id').where('bytes_id', 'in', ids)
  const query = of('swift_objects').unionAll(of('swift_versions')).unionAll(of('swift_upload_parts'))
  return new Set((await (rows ? query : query.unionAll(of('swift_cleanup'))).execute()).map((row) => row.bytes_id))
}

/** Ids in rows that begin so (it ends in a dash), each with the kind of its holder; in one statement. */
export async function heldBelow(db: Db, prefix: string): Promise<{ bytes_id: string; table: (typeof HOLDERS)[number] }[]> {
  // What follows the dash in the order of bytes.
  const end = `${prefix.slice(0, -1)}.`
  const of = (table: (typeof HOLDERS)[number]) => db.query.selectFrom(table).select((eb) => ['bytes_id', eb.val(table).as('table')]).where('bytes_id', '>', prefix).where('bytes_id', '<', end)
  return of('swift_objects').unionAll(of('swift_versions')).unionAll(of('swift_upload_parts')).unionAll(of('swift_cleanup')).execute()
}

/** Places with a name in which rows have bytes; composite objects are not looked into. Jumps from one place to the next by the index. */
export async function poolsHeld(db: Db): Promise<Set<string>> {
  const held = new Set<string>()
  for (const table of ['swift_objects', 'swift_versions', 'swift_upload_parts'] as const) {
    for (let from = '@'; ; ) {
      const row = await db.query.selectFrom(table).select('bytes_id').where('bytes_id', '>', from).where('bytes_id', '<', 'A').orderBy('bytes_id').limit(1).executeTakeFirst()
      if (!row) break
      held.add(poolOf(row.bytes_id))
      // What follows the slash in the order of bytes.
      from = `@${poolOf(row.bytes_id)}0`
    }
  }
  return held
}

/** Bytes that composite objects hold, all of them: there is no index into their lists. In one statement, as `heldBytes`. */
export async function bytesInParts(db: Db): Promise<Set<string>> {
  const held = new Set<string>()
  const of = (table: 'swift_objects' | 'swift_versions') => db.query.selectFrom(table).select('parts').where('parts', 'is not', null)
  for (const row of await of('swift_objects').unionAll(of('swift_versions')).execute()) for (const part of JSON.parse(row.parts!) as { bytes_id: string }[]) held.add(part.bytes_id)
  return held
}

export type Held = Pick<Stored, 'bytes_id' | 'parts' | 'container_id' | 'name'> & { rank: string }

/** Rows with their bytes, in the order of their keys, for the auditor: of objects, or of old versions. */
export async function rowsAfter(db: Db, table: 'swift_objects' | 'swift_versions', after: Pick<Held, 'container_id' | 'name' | 'rank'> | undefined, limit: number): Promise<Held[]> {
  const old = table === 'swift_versions'
  const page = (where: (query: ReturnType<typeof start>) => ReturnType<typeof start>, most: number): Promise<Held[]> => {
    const query = where(start()).orderBy('container_id', byKey()).orderBy('name', byKey())
    return (old ? query.orderBy('rank', byKey()) : query).limit(most).execute() as Promise<Held[]>
  }
  const start = () => db.query.selectFrom(table as 'swift_versions').select(old ? ['container_id', 'name', 'bytes_id', 'parts', 'rank'] : ['container_id', 'name', 'bytes_id', 'parts'])
  if (!after) return page((query) => query, limit)
  // Of one container, and then of those behind it: no engine makes one walk along its key of both at once.
  const within = await page((query) => (old ? query.where('name', '>=', after.name).where((eb) => eb.or([eb('name', '>', after.name), eb('rank', '>', after.rank)])) : query.where('name', '>', after.name)).where('container_id', '=', after.container_id), limit)
  return within.length === limit ? within : [...within, ...(await page((query) => query.where('container_id', '>', after.container_id), limit - within.length))]
}

/** Whether an object is still made of this piece, now or as a version. */
export async function stillHas(db: Db, { container_id, name }: Pick<Held, 'container_id' | 'name'>, id: string): Promise<boolean> {
  const of = (table: 'swift_objects' | 'swift_versions') => db.query.selectFrom(table).select('parts').where('container_id', '=', container_id).where('name', '=', name).where('parts', 'like', `%"${id}"%`)
  return (await of('swift_objects').unionAll(of('swift_versions')).executeTakeFirst()) !== undefined
}

/** Parts of uploads that are under way, in the order of their keys. */
export async function partsAfter(db: Db, after: { upload_id: string; number: number } | undefined, limit: number): Promise<{ upload_id: string; number: number; bytes_id: string }[]> {
  const page = (most: number) => db.query.selectFrom('swift_upload_parts').select(['upload_id', 'number', 'bytes_id']).orderBy('upload_id', byKey()).orderBy('number', byKey()).limit(most)
  if (!after) return page(limit).execute()
  const within = await page(limit).where('upload_id', '=', after.upload_id).where('number', '>', after.number).execute()
  return within.length === limit ? within : [...within, ...(await page(limit - within.length).where('upload_id', '>', after.upload_id).execute())]
}

/** The same bytes lie elsewhere now; false when nothing holds them any more. */
export async function relocateBytes(db: Database<SwiftTables>, from: string, to: string): Promise<boolean> {
  return db.transaction(async (tx) => {
    let moved = 0n
    for (const table of ['swift_objects', 'swift_versions', 'swift_upload_parts'] as const) moved += (await tx.query.updateTable(table).set({ bytes_id: to }).where('bytes_id', '=', from).executeTakeFirst()).numUpdatedRows
    return moved > 0n
  })
}

export async function reportBad(db: Db, row: QuarantineRow): Promise<void> {
  try {
    await db.query.insertInto('swift_quarantine').values(row).execute()
  } catch (thrown) {
    if (!isDuplicate(db.engine, thrown)) throw thrown
  }
}

/** They were read again, and are good: a store that was away has come back, or somebody put the file back. */
export async function forgetBad(db: Db, bytesId: string): Promise<void> {
  await db.query.deleteFrom('swift_quarantine').where('bytes_id', '=', bytesId).execute()
}

/** Whose bytes these are, as an operator reads it; empty when nothing holds them any more. Looks through all composite objects when nothing else has them. */
export async function holdersOf(db: Db, bytesId: string): Promise<string[]> {
  const alone = await holdersBy(db, (table) => sql<boolean>`${sql.ref(`${table}.bytes_id`)} = ${bytesId}`)
  return alone.length > 0 ? alone : holdersBy(db, (table) => sql<boolean>`${sql.ref(`${table}.parts`)} like ${`%"${bytesId}"%`}`)
}

async function holdersBy(db: Db, where: (table: string) => RawBuilder<boolean>): Promise<string[]> {
  const out: string[] = []
  for (const table of ['swift_objects', 'swift_versions'] as const) {
    for (const row of await db.query.selectFrom(table).innerJoin('swift_containers', 'swift_containers.id', `${table}.container_id`).select(['swift_containers.account', 'swift_containers.name as container', `${table}.name as object`, `${table}.version_id`]).where(where(table)).execute()) {
      out.push(`${row.account}/${row.container}/${row.object}${table === 'swift_versions' ? ` (version ${row.version_id ?? 'null'})` : ''}`)
    }
  }
  return out
}

export const badBytes = (db: Db): Promise<QuarantineRow[]> => db.query.selectFrom('swift_quarantine').selectAll().orderBy('found_at').limit(1000).execute()
