/** Queries that list: objects and versions by their names, those that have expired, some of a container. */
import { expressionBuilder, sql } from 'kysely'
import { byKey } from '#base/sql/compilers.ts'
import type { Sql } from '#base/sql/database.ts'
import type { Leap, Window } from '../core/listing.ts'
import { newestVersion, rankOf } from './objects.ts'
import type { ObjectRow, SwiftTables, VersionRow } from './tables.ts'

type Db = Sql<SwiftTables>

export type Listed = Pick<ObjectRow, 'name' | 'size' | 'etag' | 'content_type' | 'listing' | 'created_at'> & { version_id?: string | null; deleted?: number; latest?: boolean }

const LISTED = ['name', 'size', 'etag', 'content_type', 'listing', 'created_at', 'version_id'] as const

/** Objects that have not expired, without their metadata. */
export async function objectsIn(db: Db, containerId: string, now: number, w: Window): Promise<Listed[]> {
  let query = db.query.selectFrom('swift_objects').select(LISTED).where('container_id', '=', containerId).where((eb) => eb.or([eb('delete_at', 'is', null), eb('delete_at', '>', now)]))
  if (w.low) query = query.where('name', w.low.also ? '>=' : '>', w.low.name)
  if (w.high) query = query.where('name', w.high.also ? '<=' : '<', w.high.name)
  return query.orderBy('name', byKey(w.reverse ? 'desc' : 'asc')).limit(w.limit).execute()
}

/**
 * Names as `objectsIn` has them, but of each folder the first alone: the next is sought behind the folder, one step of an index each, all in one
 * statement. `row` for those without a folder; an object that went in between has none. MariaDB looks at every name for each step of such a statement,
 * so nobody leaps there.
 */
export const leapsIn = (db: Db, containerId: string, now: number): ((w: Window, over: Leap) => Promise<{ name: string; row?: Listed }[]>) | undefined =>
  db.engine === 'mysql' ? undefined : (w, over) => leap(db, containerId, now, w, over)

async function leap(db: Db, containerId: string, now: number, w: Window, { prefix, delimiter, next }: Leap): Promise<{ name: string; row?: Listed }[]> {
  const { fn } = expressionBuilder<SwiftTables>()
  // Names are counted in characters or in bytes, whatever the engine keeps them as.
  const from = sql`length(${prefix})`
  const at = fn<number>('strpos', [sql`substr(s.name, ${from} + 1)`, sql.val(delimiter)])
  const folder = (end: string) => sql`substr(s.name, 1, ${from} + ${at} - 1) || ${end}`
  const low = w.low ? sql`and o.name ${sql.raw(w.low.also ? '>=' : '>')} ${w.low.name}` : sql``
  const high = w.high ? sql`and o.name ${sql.raw(w.high.also ? '<=' : '<')} ${w.high.name}` : sql``
  const order = sql.raw(w.reverse ? 'desc' : 'asc')
  const lives = sql`o.container_id = ${containerId} and (o.delete_at is null or o.delete_at > ${now})`
  // No name holds a NUL, so the least name behind another is that with the character 1 behind it.
  const beyond = w.reverse
    ? sql`and o.name < case when ${at} = 0 then s.name else ${folder(delimiter)} end ${low}`
    : sql`and o.name >= case when ${at} = 0 then s.name || ${'\u0001'} else ${folder(next)} end ${high}`
  const { rows } = await sql<{ name: string; folder: number }>`with recursive s (name, n) as (
    select (select o.name from swift_objects o where ${lives} ${low} ${high} order by o.name ${order} limit 1), 1
    union all
    select (select o.name from swift_objects o where ${lives} ${beyond} order by o.name ${order} limit 1), s.n + 1 from s where s.name is not null and s.n < ${w.limit}
  ) select s.name, ${at} as folder from s where s.name is not null order by s.n`.execute(db.query)
  const plain = rows.filter((row) => Number(row.folder) === 0).map((row) => row.name)
  const whole = new Map((plain.length === 0 ? [] : await db.query.selectFrom('swift_objects').select(LISTED).where('container_id', '=', containerId).where('name', 'in', plain).execute()).map((row) => [row.name, row]))
  return rows.map(({ name }) => {
    const row = whole.get(name)
    return row ? { name, row } : { name }
  })
}

/**
 * Every version of the names in the window, by name and then the newest first (`reverse`: all the other way round); `latest` is set. `after`: what
 * lies behind this version of a name, beside whole names behind it.
 */
export async function versionsIn(db: Db, containerId: string, w: Window, after?: { name: string; rank: string }): Promise<Listed[]> {
  let now = db.query.selectFrom('swift_objects').select(LISTED).where('container_id', '=', containerId)
  let old = db.query.selectFrom('swift_versions').select([...LISTED, 'rank', 'deleted']).where('container_id', '=', containerId)
  const low = after && !w.reverse ? { name: after.name, also: true } : w.low
  const high = after && w.reverse ? { name: after.name, also: true } : w.high
  if (low) {
    now = now.where('name', low.also ? '>=' : '>', low.name)
    old = old.where('name', low.also ? '>=' : '>', low.name)
  }
  if (high) {
    now = now.where('name', high.also ? '<=' : '<', high.name)
    old = old.where('name', high.also ? '<=' : '<', high.name)
  }
  if (after) old = old.where((eb) => eb.or([eb('name', '<>', after.name), eb('rank', w.reverse ? '<' : '>', after.rank)]))
  const direction = w.reverse ? 'desc' : 'asc'
  const [current, past] = [await now.orderBy('name', byKey(direction)).limit(w.limit + 1).execute(), await old.orderBy('name', byKey(direction)).orderBy('rank', byKey(direction)).limit(w.limit).execute()]
  const sign = w.reverse ? -1 : 1
  const beyond = (rank: string): boolean => (w.reverse ? rank < after!.rank : rank > after!.rank)
  const rows: (Listed & { rank: string })[] = [...current.map((row) => ({ ...row, latest: true, rank: rankOf(row) })).filter((row) => !after || row.name !== after.name || beyond(row.rank)), ...past]
  const keys = new Map(rows.map((row) => [row.name, Buffer.from(row.name)]))
  rows.sort((a, b) => (a.name === b.name ? (a.rank < b.rank ? -sign : sign) : sign * Buffer.compare(keys.get(a.name)!, keys.get(b.name)!)))
  const out = rows.slice(0, w.limit)
  // Where nothing stands, a marker that is the newest of its name is the latest.
  const standing = new Set(current.map((row) => row.name))
  for (const [i, row] of out.entries()) {
    if (row.latest !== undefined) continue
    // The newest of a name is beside another name; only at the edge of the page its neighbour is not seen.
    const neighbour = out[i - sign]?.name ?? (w.reverse || after?.name !== row.name ? undefined : after.name)
    row.latest = row.deleted === 1 && !standing.has(row.name) && neighbour !== row.name && (neighbour !== undefined || (await newestVersion(db, containerId, row.name))?.rank === row.rank)
  }
  return out
}

/** Where the first bytes of these lie, by `name\0version`; objects, and with `versions` old ones of the same names. */
export async function placesOf(db: Db, containerId: string, names: readonly string[], versions: boolean): Promise<Map<string, string>> {
  const out = new Map<string, string>()
  const columns = ['name', 'version_id', 'bytes_id', sql<string | null>`substr(parts, 1, 240)`.as('head')] as const
  for (let i = 0; i < names.length; i += 500) {
    const some = names.slice(i, i + 500)
    const rows = await db.query.selectFrom('swift_objects').select(columns).where('container_id', '=', containerId).where('name', 'in', some).execute()
    if (versions) rows.push(...(await db.query.selectFrom('swift_versions').select(columns).where('container_id', '=', containerId).where('name', 'in', some).execute()))
    for (const { name, version_id, bytes_id, head } of rows) {
      const id = bytes_id === '' ? /"bytes_id":"([^"]+)"/.exec(head ?? '')?.[1] : bytes_id
      if (id !== undefined) out.set(`${name}\0${version_id ?? ''}`, id)
    }
  }
  return out
}

export const expiredObjects = (db: Db, now: number): Promise<ObjectRow[]> => db.query.selectFrom('swift_objects').selectAll().where('delete_at', '<=', now).limit(500).execute()
export const expiredIn = (db: Db, containerId: string, now: number): Promise<ObjectRow[]> => db.query.selectFrom('swift_objects').selectAll().where('container_id', '=', containerId).where('delete_at', '<=', now).limit(500).execute()
/** Some objects of a container, for taking them all away. */
export const someObjects = (db: Db, containerId: string): Promise<ObjectRow[]> => db.query.selectFrom('swift_objects').selectAll().where('container_id', '=', containerId).limit(200).execute()
export const someVersions = (db: Db, containerId: string): Promise<VersionRow[]> => db.query.selectFrom('swift_versions').selectAll().where('container_id', '=', containerId).limit(200).execute()
