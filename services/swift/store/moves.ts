/** Queries of moving: rows whose bytes lie elsewhere than they should, and the exchange of one place of bytes for another. */
import { byKey } from '#base/sql/compilers.ts'
import type { Database, Sql } from '#base/sql/database.ts'
import type { ContainerRow, ObjectRow, SwiftTables, VersionRow } from './tables.ts'

type Db = Sql<SwiftTables>

/** A row with its bytes: of the objects, the old versions, or the parts of uploads that are under way. */
export interface Carrier {
  table: 'swift_objects' | 'swift_versions' | 'swift_upload_parts'
  /** Its key, as columns and values. */
  key: Readonly<Record<string, string | number>>
  name: string
  bytes_id: string
  size: number
  /** MD5 of the bytes as they lie, when it is known. */
  md5: string | undefined
  /** As in the row: bytes of a composite object. */
  parts: string | null
}

/** Where the bytes of a row are now. */
export interface Exchange { carrier: Carrier; bytes_id: string; parts: string | null }

export interface Which { account?: string | undefined; container?: string | undefined }

/** Containers in the order of their ids, behind `after`. */
export function containersAfter(db: Db, which: Which, after: string, limit: number): Promise<ContainerRow[]> {
  let query = db.query.selectFrom('swift_containers').selectAll().where('id', '>', after)
  if (which.account !== undefined) query = query.where('account', '=', which.account)
  if (which.container !== undefined) query = query.where('name', '=', which.container)
  return query.orderBy('id', byKey()).limit(limit).execute()
}

export async function setPolicy(db: Db, containerId: string, policy: string): Promise<void> {
  await db.query.updateTable('swift_containers').set({ policy }).where('id', '=', containerId).where('policy', '<>', policy).execute()
}

const md5Of = (row: { etag: string; secret_id: string | null }): string | undefined => (row.secret_id === null && /^[0-9a-f]{32}$/.test(row.etag) ? row.etag : undefined)
const COLUMNS = ['container_id', 'name', 'bytes_id', 'stored', 'etag', 'secret_id', 'parts'] as const

export const objectCarrier = (row: Pick<ObjectRow, (typeof COLUMNS)[number]>): Carrier => ({ table: 'swift_objects', key: { container_id: row.container_id, name: row.name }, name: row.name, bytes_id: row.bytes_id, size: Number(row.stored), md5: row.parts === null ? md5Of(row) : undefined, parts: row.parts })
export const versionCarrier = (row: Pick<VersionRow, (typeof COLUMNS)[number] | 'rank'>): Carrier & { rank: string } => ({ ...objectCarrier(row), table: 'swift_versions', key: { container_id: row.container_id, name: row.name, rank: row.rank }, rank: row.rank })

export async function objectCarriers(db: Db, containerId: string, after: string, limit: number): Promise<Carrier[]> {
  const rows = await db.query.selectFrom('swift_objects').select(COLUMNS).where('container_id', '=', containerId).where('name', '>', after).orderBy('name', byKey()).limit(limit).execute()
  return rows.map((row) => ({ table: 'swift_objects', key: { container_id: containerId, name: row.name }, name: row.name, bytes_id: row.bytes_id, size: Number(row.stored), md5: row.parts === null ? md5Of(row) : undefined, parts: row.parts }))
}

export async function versionCarriers(db: Db, containerId: string, after: { name: string; rank: string }, limit: number): Promise<(Carrier & { rank: string })[]> {
  const rows = await db.query.selectFrom('swift_versions').select([...COLUMNS, 'rank']).where('container_id', '=', containerId)
    .where('name', '>=', after.name).where((eb) => eb.or([eb('name', '>', after.name), eb.and([eb('name', '=', after.name), eb('rank', '>', after.rank)])])).orderBy('name', byKey()).orderBy('rank', byKey()).limit(limit).execute()
  return rows.map((row) => ({ table: 'swift_versions', key: { container_id: containerId, name: row.name, rank: row.rank }, rank: row.rank, name: row.name, bytes_id: row.bytes_id, size: Number(row.stored), md5: row.parts === null ? md5Of(row) : undefined, parts: row.parts }))
}

export async function partCarriers(db: Db, containerId: string): Promise<Carrier[]> {
  const rows = await db.query.selectFrom('swift_upload_parts').innerJoin('swift_uploads', 'swift_uploads.id', 'swift_upload_parts.upload_id')
    .select(['upload_id', 'number', 'bytes_id', 'size', 'etag', 'secret_id', 'name']).where('container_id', '=', containerId).orderBy('upload_id').orderBy('number').execute()
  return rows.map((row) => ({ table: 'swift_upload_parts', key: { upload_id: row.upload_id, number: row.number }, name: row.name, bytes_id: row.bytes_id, size: Number(row.size), md5: md5Of(row), parts: null }))
}

/**
 * These rows have their bytes there from now on, each only if it is still what it was; what they leave goes to the cleanup at `due`. Gives those that
 * had changed.
 */
export async function exchange(db: Database<SwiftTables>, containerId: string, changes: readonly Exchange[], due: number): Promise<Exchange[]> {
  return db.transaction(async (tx) => {
    const late: Exchange[] = []
    // The lock that every writer of objects takes first.
    await tx.query.updateTable('swift_containers').set({ id: containerId }).where('id', '=', containerId).execute()
    for (const change of changes) {
      const { carrier } = change
      const moved = await tx.query.updateTable(carrier.table as 'swift_objects').set({ bytes_id: change.bytes_id, ...(carrier.table === 'swift_upload_parts' ? {} : { parts: change.parts }) })
        .where((eb) => eb.and(carrier.key as never)).where('bytes_id', '=', carrier.bytes_id).$if(carrier.parts !== null, (query) => query.where('parts', '=', carrier.parts)).executeTakeFirst()
      if (moved.numUpdatedRows !== 1n) {
        late.push(change)
        continue
      }
      const left = new Set(bytesIn(carrier))
      const come = bytesIn(change).filter((id) => !left.has(id))
      // Until now they were kept for this row alone.
      if (come.length > 0) await tx.query.deleteFrom('swift_cleanup').where('bytes_id', 'in', come).execute()
      for (const id of bytesIn(change)) left.delete(id)
      if (left.size > 0) await tx.query.insertInto('swift_cleanup').values([...left].map((bytes_id) => ({ bytes_id, due_at: due }))).execute()
    }
    return late
  })
}

/** Ids of all bytes of a row. */
export function bytesIn(row: { bytes_id: string; parts: string | null }): string[] {
  return [row.bytes_id, ...(row.parts === null ? [] : (JSON.parse(row.parts) as { bytes_id: string }[]).map((part) => part.bytes_id))].filter((id) => id !== '')
}

/** How many rows have their bytes in a place with a name; composite objects are not counted. */
export async function countIn(db: Db, pool: string): Promise<number> {
  let sum = 0
  for (const table of ['swift_objects', 'swift_versions'] as const) {
    const row = await db.query.selectFrom(table).select((eb) => eb.fn.countAll<number>().as('count')).where('bytes_id', '>', `@${pool}/`).where('bytes_id', '<', `@${pool}0`).executeTakeFirstOrThrow()
    sum += Number(row.count)
  }
  return sum
}

export async function countElsewhere(db: Db): Promise<number> {
  let sum = 0
  for (const table of ['swift_objects', 'swift_versions'] as const) {
    const row = await db.query.selectFrom(table).select((eb) => eb.fn.countAll<number>().as('count')).where('bytes_id', '>=', 'A').executeTakeFirstOrThrow()
    sum += Number(row.count)
  }
  return sum
}

export const containersByPolicy = (db: Db): Promise<{ policy: string; containers: number; objects: number; bytes: number }[]> =>
  db.query.selectFrom('swift_containers').select((eb) => ['policy', eb.fn.countAll<number>().as('containers'), eb.fn.sum<number | null>('object_count').as('objects'), eb.fn.sum<number | null>('bytes_used').as('bytes')]).groupBy('policy').orderBy('policy').execute()
    .then((rows) => rows.map((row) => ({ policy: row.policy, containers: Number(row.containers), objects: Number(row.objects ?? 0), bytes: Number(row.bytes ?? 0) })))
