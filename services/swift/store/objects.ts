/** Queries on objects and their old versions. What changes an object runs in a `Commit`, which holds its container. */
import { byKey } from '#base/sql/compilers.ts'
import { conflict, Fault } from '#base/fault.ts'
import type { Sql, Tx } from '#base/sql/database.ts'
import { assertUnlocked } from '../core/s3/lock.ts'
import type { Commit } from './commits.ts'
import { assertRoom, type Quota } from './quotas.ts'
import type { ObjectRow, Stored, SwiftTables, VersionRow } from './tables.ts'

type Db = Sql<SwiftTables>

/** Readers of replaced bytes have this long to finish opening them, in milliseconds. */
const LINGER = 60_000

export const objectOf = (db: Db, containerId: string, name: string): Promise<ObjectRow | undefined> =>
  db.query.selectFrom('swift_objects').selectAll().where('container_id', '=', containerId).where('name', '=', name).executeTakeFirst()


export interface PutRules {
  /** Replace nothing: 412 when an object stands there. */
  fresh?: boolean
  /** Only if what stands there has this etag (`*`: anything). */
  match?: readonly string[]
  /** Keep what stood there as an old version, and number this one. */
  versions?: boolean
  /** As `match`, but of the ETag that S3 shows; `absent` is thrown when nothing stands there. */
  s3Match?: { etag: string; absent: Fault }
  /** Not in the place of what has this ETag, as S3 shows it. */
  s3None?: string
  /** Versions are no longer kept: what comes is the one without a version, in the place of whatever was. */
  suspended?: boolean
  /** Only in the place of exactly these bytes (null: of nothing). */
  instead?: string | null
  /** It was made now, so among its versions it is the newest, whatever the clocks of other processes say: `version_id` is raised where it must be. */
  newest?: boolean
  /** What stood there goes to this container, under a name that tells when it was made. */
  archive?: string
  /** What container and account may hold. */
  quota?: Quota
  /** It came from another cloud, where it was made at this instant: what stands here and is as new stays. */
  received?: number | undefined
}

/** Puts an object in the place of what stood there, which is given back. */
export async function putObject(commit: Commit, row: ObjectRow, rules: PutRules, now: number): Promise<ObjectRow | undefined> {
  const { tx, hold, note } = commit
  const container = await hold(row.container_id)
  const old = await objectOf(tx, row.container_id, row.name)
  // It was committed before, and nobody heard of it: what stands there must not go with its own bytes.
  if (old && row.bytes_id !== '' && old.bytes_id === row.bytes_id) return old
  const alive = old && (old.delete_at === null || old.delete_at > now) ? old : undefined
  if (rules.fresh && alive) throw new Fault('precondition', 'A precondition for this request was not met.')
  if (rules.match && !(alive && (rules.match.includes('*') || rules.match.includes(alive.etag)))) throw new Fault('precondition', 'The object is not the one that was asked for.')
  assertMatch(alive, rules.s3Match)
  if (rules.s3None !== undefined && alive && s3Etag(alive) === rules.s3None) throw new Fault('precondition', 'The object is the one that was not to be there.')
  assertOlder(old, rules.received)
  if (rules.instead !== undefined && (old?.bytes_id ?? null) !== rules.instead) throw conflict('The object was changed meanwhile.')
  const keep = old !== undefined && keeps(old, rules.versions && alive !== undefined)
  if (old && !keep) assertUnlocked(old, now)
  if (rules.quota?.container_id === row.container_id) await assertRoom(commit, row, rules.quota)
  if (rules.newest && row.version_id !== null) row.version_id = await newer(tx, row, old)
  await note?.(row.container_id, row.name)
  if (old && alive && rules.archive !== undefined && !keep) {
    await archived(commit, old, rules.archive)
    const { container_id, name, ...rest } = row
    await tx.query.updateTable('swift_objects').set(rest).where('container_id', '=', container_id).where('name', '=', name).execute()
    container.count(0, row.size - Number(old.size))
  } else if (old) {
    if (rules.suspended && old.version_id !== null) container.count(0, -(await dropNull(tx, row, now)))
    if (keep) container.count(0, -(await keepVersion(tx, old, now)))
    else await discard(tx, old, now)
    const { container_id, name, ...rest } = row
    await tx.query.updateTable('swift_objects').set(rest).where('container_id', '=', container_id).where('name', '=', name).execute()
    container.count(0, row.size - (keep ? 0 : Number(old.size)))
  } else {
    if (rules.suspended) container.count(0, -(await dropNull(tx, row, now)))
    await tx.query.insertInto('swift_objects').values(row).execute()
    container.count(1, row.size)
  }
  return alive
}

/** Later than every version of the name that there is. */
async function newer(tx: Tx<SwiftTables>, { container_id, name, version_id }: Pick<ObjectRow, 'container_id' | 'name' | 'version_id'>, standing: ObjectRow | undefined): Promise<string> {
  const last = await newestVersion({ engine: tx.engine, query: tx.query }, container_id, name)
  const stamps = [standing, last].map((row) => (row ? BigInt(row.version_id ?? Number(row.created_at) * 1000) : 0n))
  const most = stamps[0]! > stamps[1]! ? stamps[0]! : stamps[1]!
  // In steps of ten, as all of them.
  return String(BigInt(version_id!) > most ? version_id : (most / 10n + 1n) * 10n)
}

/** A copy of the row goes to the container of what was; of two made in one millisecond the second goes behind the first. */
async function archived({ tx, hold, note }: Commit, old: ObjectRow, containerId: string): Promise<void> {
  const archive = await hold(containerId)
  for (let stamp = Number(old.created_at) * 1000; ; stamp += 10) {
    const name = archiveName(old.name, String(stamp))
    if (await objectOf(tx, containerId, name)) continue
    await note?.(containerId, name)
    await tx.query.insertInto('swift_objects').values({ ...old, container_id: containerId, name }).execute()
    archive.count(1, Number(old.size))
    return
  }
}

/** Name of an old version in another container, as Swift makes it: length and name, and then when it was made. */
export const archivePrefix = (name: string): string => `${Buffer.byteLength(name).toString(16).padStart(3, '0')}${name}/`
export const archiveName = (name: string, stamp: string): string => `${archivePrefix(name)}${stamp.slice(0, -6)}.${stamp.slice(-6, -1)}`

function assertOlder(old: ObjectRow | undefined, received: number | undefined): void {
  if (received !== undefined && old && Number(old.created_at) >= received) throw conflict('What stands here is newer.', { code: 'swift.newer' })
}

function assertMatch(alive: ObjectRow | undefined, wanted: PutRules['s3Match']): void {
  if (wanted && !alive) throw wanted.absent
  if (wanted && alive && wanted.etag !== '*' && wanted.etag !== s3Etag(alive)) throw new Fault('precondition', 'The object is not the one that was asked for.')
}

/** Takes an object away; false when it is not there (any more). With `versions` it becomes an old version, and a marker says that it was deleted. */
export async function removeObject({ tx, hold, note }: Commit, containerId: string, name: string, rules: { versions?: { version_id: string | null }; only?: Pick<ObjectRow, 'version_id' | 'created_at'>; expired?: boolean; wholly?: boolean; bypass?: boolean; s3Match?: PutRules['s3Match']; received?: number | undefined; same?: Pick<ObjectRow, 'etag' | 'created_at'> }, now: number): Promise<ObjectRow | undefined> {
  const container = await hold(containerId)
  const old = await objectOf(tx, containerId, name)
  const alive = old && (old.delete_at === null || old.delete_at > now)
  assertMatch(alive ? old : undefined, rules.s3Match)
  assertOlder(old, rules.received)
  if (rules.expired ? !old || alive : rules.versions ? false : !old) return undefined
  if (rules.same && !(old && old.etag === rules.same.etag && Number(old.created_at) === Number(rules.same.created_at))) return undefined
  if (rules.only && !(old && old.version_id === rules.only.version_id && (old.version_id !== null || Number(old.created_at) === Number(rules.only.created_at)))) return undefined
  const keep = old !== undefined && rules.wholly !== true && keeps(old, rules.versions !== undefined && rules.versions.version_id !== null && alive === true)
  if (old && !keep) assertUnlocked(old, now, rules.bypass)
  await note?.(containerId, name)
  if (old) {
    if (keep) container.count(0, -(await keepVersion(tx, old, now)))
    else await discard(tx, old, now)
    await tx.query.deleteFrom('swift_objects').where('container_id', '=', containerId).where('name', '=', name).execute()
    container.count(-1, keep ? 0 : -Number(old.size))
  }
  if (rules.versions) {
    const { version_id } = rules.versions
    if (version_id !== null) rules.versions.version_id = await newer(tx, { container_id: containerId, name, version_id }, old)
    if (version_id === null) container.count(0, -(await dropNull(tx, { container_id: containerId, name }, now)))
    const marker: VersionRow = { container_id: containerId, name, bytes_id: '', size: 0, stored: 0, etag: 'd41d8cd98f00b204e9800998ecf8427e', content_type: 'application/x-deleted;swift_versions_deleted=1', metadata: '{}', listing: null, parts: null, secret_id: null, created_at: now, delete_at: null, version_id: rules.versions.version_id, rank: rankOf({ version_id: rules.versions.version_id, created_at: now }), deleted: 1 }
    await tx.query.insertInto('swift_versions').values(marker).execute()
  }
  return alive ? old : undefined
}

/** Changes what stands under a name now; undefined when nothing does. */
export async function changeObject({ tx, hold, note }: Commit, containerId: string, name: string, change: (row: ObjectRow) => Partial<ObjectRow>, now: number): Promise<ObjectRow | undefined> {
  await hold(containerId)
  const row = await objectOf(tx, containerId, name)
  if (!row || (row.delete_at !== null && Number(row.delete_at) <= now)) return undefined
  const patch = change(row)
  await note?.(containerId, name)
  await tx.query.updateTable('swift_objects').set(patch).where('container_id', '=', containerId).where('name', '=', name).execute()
  return { ...row, ...patch }
}

/** Changes what is kept beside the bytes of an object, or of an old version of it (`rank`), as it stands now; false when it is not there any more. */
export async function changeMetadata({ tx, hold }: Commit, row: Stored & { rank?: string }, change: (metadata: Record<string, string>) => Record<string, string>): Promise<boolean> {
  await hold(row.container_id)
  const { rank } = row
  const now = rank === undefined ? await objectOf(tx, row.container_id, row.name) : await tx.query.selectFrom('swift_versions').selectAll().where('container_id', '=', row.container_id).where('name', '=', row.name).where('rank', '=', rank).executeTakeFirst()
  // Where its bytes lie may have changed meanwhile; it is the same for all that.
  if (!now || now.etag !== row.etag || Number(now.created_at) !== Number(row.created_at)) return false
  const metadata = JSON.stringify(change(JSON.parse(now.metadata) as Record<string, string>))
  if (rank === undefined) await tx.query.updateTable('swift_objects').set({ metadata }).where('container_id', '=', row.container_id).where('name', '=', row.name).execute()
  else await tx.query.updateTable('swift_versions').set({ metadata }).where('container_id', '=', row.container_id).where('name', '=', row.name).where('rank', '=', rank).execute()
  return true
}

/** Of what came in parts, the ETag that S3 makes of theirs. */
export const s3Etag = (row: Pick<Stored, 'etag' | 'listing'>): string => (row.listing === null ? row.etag : ((JSON.parse(row.listing) as { s3_etag?: string }).s3_etag ?? row.etag))

/** Moves what stands under one name to another container and name, where nothing may stand, without its bytes. */
export async function moveObject(commit: Commit, from: ObjectRow, to: { container_id: string; name: string }, now: number): Promise<boolean> {
  const { tx, hold } = commit
  // Always in the same order, so that two moves do not wait for each other.
  for (const id of [from.container_id, to.container_id].sort()) await hold(id)
  const still = await objectOf(tx, from.container_id, from.name)
  if (!still || still.etag !== from.etag || Number(still.created_at) !== Number(from.created_at)) return false
  assertUnlocked(still, now)
  const there = await objectOf(tx, to.container_id, to.name)
  if (there && (there.delete_at === null || Number(there.delete_at) > now)) throw conflict('An object stands where this one was to go.')
  if (there) assertUnlocked(there, now)
  await commit.note?.(from.container_id, from.name)
  await tx.query.deleteFrom('swift_objects').where('container_id', '=', from.container_id).where('name', '=', from.name).execute()
  ;(await hold(from.container_id)).count(-1, -Number(still.size))
  await putObject(commit, { ...still, ...to }, {}, now)
  return true
}

/** What has a version stays one, also where versions are no longer kept. */
const keeps = (old: ObjectRow, wanted: boolean | undefined): boolean => wanted === true || old.version_id !== null

/** Gives the bytes that went with it. */
async function keepVersion(tx: Tx<SwiftTables>, row: ObjectRow, now: number): Promise<number> {
  let freed = 0
  if (row.version_id === null) {
    // There is one without a version at most.
    freed = await dropNull(tx, row, now)
  }
  await tx.query.insertInto('swift_versions').values({ ...row, rank: rankOf(row), deleted: 0 }).execute()
  return freed
}

/** The old version that has none goes: another takes its place. Gives its bytes. */
async function dropNull(tx: Tx<SwiftTables>, { container_id, name }: Pick<ObjectRow, 'container_id' | 'name'>, now: number): Promise<number> {
  const before = await versionOf({ engine: tx.engine, query: tx.query }, container_id, name, null)
  if (!before) return 0
  assertUnlocked(before, now)
  await tx.query.deleteFrom('swift_versions').where('container_id', '=', container_id).where('name', '=', name).where('rank', '=', before.rank).execute()
  await discard(tx, before, now)
  return Number(before.size)
}

/** Where nothing stands, the newest version does (unless it says that the object was deleted): so S3 has it. */
export async function promoteVersion(commit: Commit, containerId: string, name: string, now: number): Promise<void> {
  await commit.hold(containerId)
  if (await objectOf(commit.tx, containerId, name)) return
  const newest = await newestVersion({ engine: commit.tx.engine, query: commit.tx.query }, containerId, name)
  if (newest && newest.deleted === 0) await restoreVersion(commit, newest, now)
}

/** Bytes of a row, wherever it says they are, go to the cleanup. */
export async function discard(tx: Tx<SwiftTables>, row: Stored, now: number): Promise<void> {
  const ids = [row.bytes_id, ...(row.parts === null ? [] : (JSON.parse(row.parts) as { bytes_id: string }[]).map((part) => part.bytes_id))].filter((id) => id !== '')
  if (ids.length > 0) await tx.query.insertInto('swift_cleanup').values(ids.map((bytes_id) => ({ bytes_id, due_at: now + LINGER }))).execute()
}

/** The newest first in the order of text; what has no version counts from when it was made. */
export function rankOf(row: Pick<Stored, 'version_id' | 'created_at'>): string {
  return String(9_999_999_999_999_999n - BigInt(row.version_id ?? Number(row.created_at) * 1000)).padStart(16, '0')
}

/** `null`: the one that has no version. */
export async function versionOf(db: Db, containerId: string, name: string, version_id: string | null): Promise<VersionRow | undefined> {
  return db.query.selectFrom('swift_versions').selectAll().where('container_id', '=', containerId).where('name', '=', name).where('version_id', version_id === null ? 'is' : '=', version_id).executeTakeFirst()
}

/** The newest old version or marker of a name. */
export const newestVersion = (db: Db, containerId: string, name: string): Promise<VersionRow | undefined> =>
  db.query.selectFrom('swift_versions').selectAll().where('container_id', '=', containerId).where('name', '=', name).orderBy('rank', byKey()).limit(1).executeTakeFirst()

export async function removeVersion({ tx, hold }: Commit, row: VersionRow, now: number, bypass = false): Promise<boolean> {
  const container = await hold(row.container_id)
  const standing = await tx.query.selectFrom('swift_versions').selectAll().where('container_id', '=', row.container_id).where('name', '=', row.name).where('rank', '=', row.rank).executeTakeFirst()
  if (!standing) return false
  assertUnlocked(standing, now, bypass)
  const done = await tx.query.deleteFrom('swift_versions').where('container_id', '=', row.container_id).where('name', '=', row.name).where('rank', '=', row.rank).executeTakeFirst()
  if (done.numDeletedRows !== 1n) return false
  await discard(tx, standing, now)
  container.count(0, -Number(standing.size))
  return true
}

/** An old version stands as the object again (in the place of what stood there, which becomes an old version, unless nothing did). */
export async function restoreVersion(commit: Commit, { container_id, name, rank }: Pick<VersionRow, 'container_id' | 'name' | 'rank'>, now: number): Promise<boolean> {
  const { tx, hold } = commit
  const container = await hold(container_id)
  // As it stands now: its bytes may lie elsewhere than when it was looked at.
  const row = await tx.query.selectFrom('swift_versions').selectAll().where('container_id', '=', container_id).where('name', '=', name).where('rank', '=', rank).executeTakeFirst()
  if (!row || row.deleted === 1) return false
  await tx.query.deleteFrom('swift_versions').where('container_id', '=', container_id).where('name', '=', name).where('rank', '=', rank).execute()
  const { rank: _rank, deleted: _deleted, ...object } = row
  container.count(0, -Number(row.size))
  await putObject(commit, object, { versions: true }, now)
  return true
}
