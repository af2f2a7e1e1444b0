/** Queries on volumes. A change of status is always a compare-and-swap: whoever loses learns so. */
import { rowsBy } from '#base/sql/prepared.ts'
import { sql } from 'kysely'
import type { Sql, Tx } from '#base/sql/database.ts'
import type { Narrow } from '#stack/resource/listing.ts'
import type { CinderTables, VolumeRow } from './tables.ts'

type Db = Sql<CinderTables>

export async function volumeById(db: Db, volumeId: string): Promise<VolumeRow | undefined> {
  return (await rowsBy<VolumeRow>(db as never, 'cinder_volumes', { id: volumeId }))[0]
}

export async function volumesByIds(db: Db, ids: readonly string[]): Promise<VolumeRow[]> {
  return ids.length === 0 ? [] : db.query.selectFrom('cinder_volumes').selectAll().where('id', 'in', ids).orderBy('created_at').orderBy('id').execute()
}

export async function volumesOfGroup(db: Db, groupId: string): Promise<VolumeRow[]> {
  return db.query.selectFrom('cinder_volumes').selectAll().where('group_id', '=', groupId).orderBy('created_at').orderBy('id').execute()
}

/** A row in `creating` with nothing special about it, but for what is given. */
export function newVolume(given: Pick<VolumeRow, 'id' | 'project_id' | 'user_id' | 'size' | 'availability_zone' | 'created_at'> & Partial<VolumeRow>): VolumeRow {
  return {
    name: null,
    description: null,
    status: 'creating',
    previous_status: null,
    attach_status: 'detached',
    migration_status: null,
    host: null,
    volume_type_id: null,
    snapshot_id: null,
    source_volid: null,
    backup_id: null,
    group_id: null,
    bootable: 0,
    multiattach: 0,
    readonly: null,
    encryption_key_id: null,
    consumes_quota: 1,
    replication_status: null,
    metadata: '{}',
    image_metadata: null,
    updated_at: null,
    launched_at: null,
    ...given,
  }
}

export async function insertVolume(tx: Tx<CinderTables>, row: VolumeRow): Promise<void> {
  await tx.query.insertInto('cinder_volumes').values(row).execute()
  if (row.metadata !== '{}') await writeFacts(tx, row.id, 'volume', row.metadata)
  if (row.image_metadata !== null) await writeFacts(tx, row.id, 'image', row.image_metadata)
}

/** Changes what no state machine guards. */
export async function setVolume(db: Db, volumeId: string, patch: Partial<VolumeRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_volumes').set(patch).where('id', '=', volumeId).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

/** Moves the status; false when it was none of `from`. */
export async function moveVolume(db: Db, volumeId: string, from: readonly string[], patch: Partial<VolumeRow>): Promise<boolean> {
  const done = await db.query.updateTable('cinder_volumes').set(patch).where('id', '=', volumeId).where('status', 'in', from).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function setVolumeMetadata(tx: Tx<CinderTables>, volumeId: string, kind: 'volume' | 'image', metadata: Readonly<Record<string, string>> | null, now: number): Promise<void> {
  const text = metadata === null ? null : JSON.stringify(metadata)
  await setVolume(tx, volumeId, kind === 'volume' ? { metadata: text ?? '{}', updated_at: now } : { image_metadata: text, updated_at: now })
  await writeFacts(tx, volumeId, kind, text ?? '{}')
}

export async function deleteVolumeRows(tx: Tx<CinderTables>, volumeId: string): Promise<void> {
  await tx.query.deleteFrom('cinder_volumes').where('id', '=', volumeId).execute()
  await tx.query.deleteFrom('cinder_facts').where('owner_id', '=', volumeId).execute()
  await tx.query.deleteFrom('cinder_attachments').where('volume_id', '=', volumeId).execute()
  await tx.query.deleteFrom('cinder_transfers').where('volume_id', '=', volumeId).where('accepted', '=', 0).execute()
}

export async function writeFacts(tx: Tx<CinderTables>, ownerId: string, kind: string, json: string): Promise<void> {
  await tx.query.deleteFrom('cinder_facts').where('owner_id', '=', ownerId).where('kind', '=', kind).execute()
  const facts = Object.entries(JSON.parse(json) as Record<string, string>).map(([name, value]) => ({ owner_id: ownerId, kind, name, value }))
  if (facts.length > 0) await tx.query.insertInto('cinder_facts').values(facts).execute()
}

/** Keeps rows that have all of these pairs. */
export function withFacts(kind: string, table: string, wanted: Readonly<Record<string, string>>): Narrow {
  return (given) => {
    let query = given
    for (const [name, value] of Object.entries(wanted)) {
      query = query.where((eb) =>
        eb.exists(
          eb
            .selectFrom('cinder_facts')
            .select('cinder_facts.owner_id')
            .whereRef('cinder_facts.owner_id', '=', `${table}.id`)
            .where('cinder_facts.kind', '=', kind)
            .where('cinder_facts.name', '=', name)
            .where('cinder_facts.value', '=', value),
        ),
      )
    }
    return query
  }
}

/** GiB promised on each host (`host@backend#pool`) since an instant. */
export async function promisedSince(db: Db, since: number): Promise<Map<string, number>> {
  const rows = await db.query
    .selectFrom('cinder_volumes')
    .select(['host', sql<number>`sum(size)`.as('gb')])
    .where('created_at', '>=', since)
    .where('host', 'is not', null)
    .groupBy('host')
    .execute()
  return new Map(rows.map((row) => [row.host!, Number(row.gb)]))
}

export interface Sums {
  count: number
  gigabytes: number
}

export async function summary(db: Db, projectId: string | undefined): Promise<Sums & { metadata: Record<string, string[]> }> {
  let query = db.query.selectFrom('cinder_volumes').select([sql<number>`count(*)`.as('count'), sql<number>`coalesce(sum(size), 0)`.as('gigabytes')])
  let facts = db.query.selectFrom('cinder_facts').innerJoin('cinder_volumes', 'cinder_volumes.id', 'cinder_facts.owner_id').select(['cinder_facts.name', 'cinder_facts.value']).distinct().where('cinder_facts.kind', '=', 'volume').orderBy('cinder_facts.name').orderBy('cinder_facts.value')
  if (projectId !== undefined) {
    query = query.where('project_id', '=', projectId)
    facts = facts.where('cinder_volumes.project_id', '=', projectId)
  }
  const row = await query.executeTakeFirstOrThrow()
  const metadata: Record<string, string[]> = {}
  for (const { name, value } of await facts.execute()) (metadata[name] ??= []).push(value)
  return { count: Number(row.count), gigabytes: Number(row.gigabytes), metadata }
}

/** Counts and sizes by project on one host, for `os-hosts`. */
export async function usageOfHost(db: Db, host: string): Promise<{ project_id: string; volumes: Sums; snapshots: Sums }[]> {
  const on = (column: string) => sql<boolean>`(${sql.ref(column)} = ${host} or ${sql.ref(column)} like ${`${host}#%`} or ${sql.ref(column)} like ${`${host}@%`})`
  const volumes = await db.query
    .selectFrom('cinder_volumes')
    .select(['project_id', sql<number>`count(*)`.as('count'), sql<number>`sum(size)`.as('gb')])
    .where(on('host'))
    .groupBy('project_id')
    .execute()
  const snapshots = await db.query
    .selectFrom('cinder_snapshots')
    .innerJoin('cinder_volumes', 'cinder_volumes.id', 'cinder_snapshots.volume_id')
    .select(['cinder_snapshots.project_id', sql<number>`count(*)`.as('count'), sql<number>`sum(volume_size)`.as('gb')])
    .where(on('cinder_volumes.host'))
    .groupBy('cinder_snapshots.project_id')
    .execute()
  const projects = new Set([...volumes, ...snapshots].map((row) => row.project_id))
  const sums = (rows: { project_id: string; count: number; gb: number }[], project: string): Sums => {
    const row = rows.find((one) => one.project_id === project)
    return { count: Number(row?.count ?? 0), gigabytes: Number(row?.gb ?? 0) }
  }
  return [...projects].map((project_id) => ({ project_id, volumes: sums(volumes, project_id), snapshots: sums(snapshots, project_id) }))
}
