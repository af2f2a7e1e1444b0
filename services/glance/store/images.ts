/** Queries on images, their tags and properties, and who may see them. */
import { rowsBy } from '#base/sql/prepared.ts'
import { type ExpressionBuilder, sql } from 'kysely'
import { conflict, notFound } from '#base/fault.ts'
import type { Database, Sql, Tx } from '#base/sql/database.ts'
import { type ListPlan, selectPage } from '#stack/resource/listing.ts'
import { imageResource } from '../contract/image-resource.ts'
import type { GlanceTables, ImageRow } from './tables.ts'

type Db = Sql<GlanceTables>

export async function imageById(db: Db, imageId: string): Promise<ImageRow | undefined> {
  return (await rowsBy<ImageRow>(db as never, 'glance_images', { id: imageId }))[0]
}

export async function insertImage(tx: Tx<GlanceTables>, row: ImageRow): Promise<void> {
  await tx.query.insertInto('glance_images').values(row).execute()
  await writeFacts(tx, row)
}

/** Changes an image that is still as `row` says; otherwise `conflict`. */
export async function updateImage(tx: Tx<GlanceTables>, row: ImageRow, patch: Partial<ImageRow>): Promise<ImageRow> {
  const done = await tx.query.updateTable('glance_images').set(patch).where('id', '=', row.id).where('status', '=', row.status).where('updated_at', '=', row.updated_at).executeTakeFirst()
  if (done.numUpdatedRows !== 1n) {
    if (!(await imageById(tx, row.id))) throw notFound(`No image found with ID ${row.id}`)
    throw conflict(`Image ${row.id} was changed by another request; try again`)
  }
  const next = { ...row, ...patch }
  if (patch.tags !== undefined || patch.properties !== undefined) await writeFacts(tx, next)
  return next
}

/** Moves the status by compare-and-swap; false when it was not `from`. */
export async function moveImage(db: Db, imageId: string, from: readonly string[], patch: Partial<ImageRow>): Promise<boolean> {
  const done = await db.query.updateTable('glance_images').set(patch).where('id', '=', imageId).where('status', 'in', from).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

export async function deleteImageRows(tx: Tx<GlanceTables>, imageId: string): Promise<void> {
  await tx.query.deleteFrom('glance_images').where('id', '=', imageId).execute()
  await tx.query.deleteFrom('glance_image_facts').where('image_id', '=', imageId).execute()
  await tx.query.deleteFrom('glance_members').where('image_id', '=', imageId).execute()
  await tx.query.deleteFrom('glance_tasks').where('image_id', '=', imageId).execute()
}

async function writeFacts(tx: Tx<GlanceTables>, row: ImageRow): Promise<void> {
  await tx.query.deleteFrom('glance_image_facts').where('image_id', '=', row.id).execute()
  const facts = [
    ...(JSON.parse(row.tags) as string[]).map((name) => ({ image_id: row.id, kind: 'tag', name, value: '' })),
    ...Object.entries(JSON.parse(row.properties) as Record<string, string>).map(([name, value]) => ({ image_id: row.id, kind: 'property', name, value })),
  ]
  if (facts.length > 0) await tx.query.insertInto('glance_image_facts').values(facts).execute()
}

/** Images in the middle of an upload that nobody is at any more, as far as heartbeats since `before` tell. */
export async function imagesStuck(db: Db, before: number): Promise<ImageRow[]> {
  const rows = await db.query
    .selectFrom('glance_images')
    .leftJoin('glance_uploads', 'glance_uploads.image_id', 'glance_images.id')
    .selectAll('glance_images')
    .where('glance_images.status', 'in', ['saving', 'uploading'])
    .where('glance_images.updated_at', '<', before)
    .where((eb) => eb.or([eb('glance_uploads.beat_at', 'is', null), eb('glance_uploads.beat_at', '<', before)]))
    .execute()
  // Bytes that were staged to their end wait for an import, however long.
  return rows.filter((row) => row.status === 'saving' || row.size === null)
}

/** Which of these ids are images. */
export async function imageIdsAmong(db: Db, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const rows = await db.query.selectFrom('glance_images').select('id').where('id', 'in', ids).execute()
  return new Set(rows.map((row) => row.id))
}

export interface ImageUsage {
  count: number
  uploading: number
  /** Bytes. */
  size: number
  staged: number
}

export async function usageOf(db: Db, owner: string): Promise<ImageUsage> {
  const rows = await db.query
    .selectFrom('glance_images')
    .select(['status', 'stores', sql<number>`count(*)`.as('count'), sql<number>`coalesce(sum(size), 0)`.as('size')])
    .where('owner', '=', owner)
    .groupBy(['status', 'stores'])
    .execute()
  const usage: ImageUsage = { count: 0, uploading: 0, size: 0, staged: 0 }
  for (const row of rows) {
    const held = ['saving', 'uploading', 'importing'].includes(row.status)
    usage.count += Number(row.count)
    if (held) usage.uploading += Number(row.count)
    if (row.status === 'uploading' || row.status === 'importing') usage.staged += Number(row.size)
    else usage.size += Number(row.size) * Math.max(1, (JSON.parse(row.stores) as string[]).length)
  }
  return usage
}

export interface Visible {
  /** Sees every image. */
  all: boolean
  project: string | undefined
  /** `visibility` asked for. */
  visibility: string | undefined
  member_status: string
  os_hidden: boolean
  tags: readonly string[]
  properties: ReadonlyMap<string, string>
  size_min?: number
  size_max?: number
}

export async function pageOfImages(db: Db, plan: ListPlan, visible: Visible): Promise<{ rows: ImageRow[]; more: boolean }> {
  const page = await selectPage(db as never, imageResource, plan, [], (given) => {
    let query = given.where('os_hidden', '=', visible.os_hidden ? 1 : 0)
    const { project, visibility } = visible
    const shared = (eb: ExpressionBuilder<Record<string, Record<string, unknown>>, string>) =>
      eb.exists(
        eb
          .selectFrom('glance_members')
          .select('glance_members.image_id')
          .whereRef('glance_members.image_id', '=', 'glance_images.id')
          .where('glance_members.member', '=', project ?? '')
          .$if(visible.member_status !== 'all', (q) => q.where('glance_members.status', '=', visible.member_status)),
      )
    if (visibility === 'public' || visibility === 'community') query = query.where('visibility', '=', visibility)
    else if (visibility === 'private') query = visible.all ? query.where('visibility', '=', 'private') : query.where('visibility', '=', 'private').where('owner', '=', project ?? '')
    else if (visibility === 'shared') {
      query = query.where('visibility', '=', 'shared')
      if (!visible.all) query = query.where((eb) => eb.or([eb('owner', '=', project ?? ''), shared(eb as never)]))
    } else if (visible.all) {
      if (visibility !== 'all') query = query.where((eb) => eb.or([eb('visibility', '!=', 'community'), eb('owner', '=', project ?? '')]))
    } else {
      query = query.where((eb) =>
        eb.or([eb('owner', '=', project ?? ''), eb('visibility', '=', 'public'), ...(visibility === 'all' ? [eb('visibility', '=', 'community')] : []), eb.and([eb('visibility', '=', 'shared'), shared(eb as never)])]),
      )
    }
    const fact = (kind: string, name: string, value?: string): void => {
      query = query.where((eb) =>
        eb.exists(
          eb
            .selectFrom('glance_image_facts')
            .select('glance_image_facts.image_id')
            .whereRef('glance_image_facts.image_id', '=', 'glance_images.id')
            .where('kind', '=', kind)
            .where('glance_image_facts.name', '=', name)
            .$if(value !== undefined, (q) => q.where('value', '=', value!)),
        ),
      )
    }
    for (const tag of visible.tags) fact('tag', tag)
    for (const [name, value] of visible.properties) fact('property', name, value)
    if (visible.size_min !== undefined) query = query.where('size', '>=', visible.size_min)
    if (visible.size_max !== undefined) query = query.where('size', '<=', visible.size_max)
    return query
  })
  return page as unknown as { rows: ImageRow[]; more: boolean }
}

interface StoreLists {
  stores: string[]
  importing_to: string[]
  failed_import: string[]
}

/** Changes which stores have, get or lack the bytes, read and written in one transaction. */
export async function setStores(db: Database<GlanceTables>, imageId: string, change: (now: StoreLists) => Partial<StoreLists>, updated_at: number): Promise<void> {
  await db.transaction(async (tx) => {
    const row = await imageById(tx, imageId)
    if (!row) return
    const lists: StoreLists = { stores: JSON.parse(row.stores) as string[], importing_to: JSON.parse(row.importing_to ?? '[]') as string[], failed_import: JSON.parse(row.failed_import ?? '[]') as string[] }
    const next = { ...lists, ...change(lists) }
    await tx.query
      .updateTable('glance_images')
      .set({ stores: JSON.stringify(next.stores), importing_to: JSON.stringify(next.importing_to), failed_import: JSON.stringify(next.failed_import), updated_at })
      .where('id', '=', imageId)
      .execute()
  })
}
