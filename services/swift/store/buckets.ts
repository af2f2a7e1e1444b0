/** Names of buckets: one name space for the whole cloud, beside the containers of each account. A name is its container's for as long as that lives. */
import type { Database, Sql } from '#base/sql/database.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { BucketRow, ContainerRow, SwiftTables } from './tables.ts'

type Db = Sql<SwiftTables>

export const bucketNamed = (db: Db, name: string): Promise<BucketRow | undefined> => db.query.selectFrom('swift_buckets').selectAll().where('name', '=', name).executeTakeFirst()

/** The container behind a bucket's name. */
export const containerNamed = (db: Db, name: string): Promise<ContainerRow | undefined> =>
  db.query.selectFrom('swift_containers').innerJoin('swift_buckets', 'swift_buckets.container_id', 'swift_containers.id').selectAll('swift_containers').where('swift_buckets.name', '=', name).executeTakeFirst()

/** False when the name is another container's, or the container is gone. */
export async function claimBucket(db: Database<SwiftTables>, row: BucketRow): Promise<boolean> {
  try {
    return await db.transaction(async (tx) => {
      // With the container the name goes; a name without one would be nobody's for ever.
      const held = await tx.query.updateTable('swift_containers').set({ id: row.container_id }).where('id', '=', row.container_id).executeTakeFirst()
      if (held.numUpdatedRows !== 1n) return false
      await tx.query.insertInto('swift_buckets').values(row).execute()
      return true
    })
  } catch (thrown) {
    if (!isDuplicate(db.engine, thrown)) throw thrown
    return (await bucketNamed(db, row.name))?.container_id === row.container_id
  }
}

/** Buckets whose metadata speaks of this. */
export const containersWith = (db: Db, word: string): Promise<ContainerRow[]> => db.query.selectFrom('swift_containers').selectAll().where('metadata', 'like', `%${word}%`).execute()
