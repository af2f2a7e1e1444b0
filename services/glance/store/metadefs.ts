/** Queries on the metadata catalogue. One table holds every kind; what belongs to a namespace carries its name. */
import type { Sql, Tx } from '#base/sql/database.ts'
import { type ListPlan, type Narrow, selectPage } from '#stack/resource/listing.ts'
import { namespaceResource } from '../contract/image-resource.ts'
import type { GlanceTables, MetadefRow } from './tables.ts'

type Db = Sql<GlanceTables>
export type MetadefKind = 'namespace' | 'object' | 'property' | 'tag' | 'resource_type'

export async function metadef(db: Db, kind: MetadefKind, namespace: string, name = ''): Promise<MetadefRow | undefined> {
  return db.query.selectFrom('glance_metadefs').selectAll().where('kind', '=', kind).where('namespace', '=', namespace).where('name', '=', name).executeTakeFirst()
}

/** In the order in which they were made. */
export async function metadefsOf(db: Db, kind: MetadefKind, namespaces: readonly string[]): Promise<MetadefRow[]> {
  if (namespaces.length === 0) return []
  return db.query.selectFrom('glance_metadefs').selectAll().where('kind', '=', kind).where('namespace', 'in', namespaces).orderBy('created_at').orderBy('name').execute()
}

export async function namesOf(db: Db, kind: MetadefKind): Promise<MetadefRow[]> {
  return db.query.selectFrom('glance_metadefs').selectAll().where('kind', '=', kind).orderBy('name').execute()
}

export async function insertMetadef(db: Db, row: MetadefRow): Promise<void> {
  await db.query.insertInto('glance_metadefs').values(row).execute()
}

export async function setMetadef(db: Db, id: string, patch: Partial<MetadefRow>): Promise<void> {
  await db.query.updateTable('glance_metadefs').set(patch).where('id', '=', id).execute()
}

export async function renameNamespace(tx: Tx<GlanceTables>, from: string, to: string): Promise<void> {
  await tx.query.updateTable('glance_metadefs').set({ namespace: to }).where('namespace', '=', from).execute()
}

export async function deleteMetadef(db: Db, id: string): Promise<void> {
  await db.query.deleteFrom('glance_metadefs').where('id', '=', id).execute()
}

/** All of one kind in a namespace, or (`namespace`) the namespace with everything in it. */
export async function clearMetadefs(db: Db, namespace: string, kind: MetadefKind): Promise<void> {
  let query = db.query.deleteFrom('glance_metadefs').where('namespace', '=', namespace)
  if (kind !== 'namespace') query = query.where('kind', '=', kind)
  await query.execute()
}

export interface NamespacesShown {
  all: boolean
  project: string
  visibility: string | undefined
  resource_types: readonly string[]
}

export async function pageOfNamespaces(db: Db, plan: ListPlan, shown: NamespacesShown): Promise<{ rows: MetadefRow[]; more: boolean }> {
  const narrow: Narrow = (given) => {
    let query = given
    if (shown.visibility !== undefined) query = query.where('visibility', '=', shown.visibility)
    if (!shown.all) query = query.where((eb) => eb.or([eb('visibility', '=', 'public'), eb('owner', '=', shown.project)]))
    if (shown.resource_types.length > 0) {
      query = query.where((eb) =>
        eb(
          'namespace',
          'in',
          eb
            .selectFrom('glance_metadefs as association')
            .select('association.namespace' as never)
            .where('association.kind' as never, '=', 'resource_type' as never)
            .where('association.name' as never, 'in', shown.resource_types as never) as never,
        ),
      )
    }
    return query
  }
  const page = await selectPage(db as never, namespaceResource, plan, [{ column: 'kind', op: '=', value: 'namespace' }], narrow)
  return page as unknown as { rows: MetadefRow[]; more: boolean }
}
