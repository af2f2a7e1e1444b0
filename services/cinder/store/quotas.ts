/** Limits, and what is used of them: always counted from the rows, in the transaction that uses more (S14). */
import { sql } from 'kysely'
import type { Sql, Tx } from '#base/sql/database.ts'
import type { CinderTables } from './tables.ts'

type Db = Sql<CinderTables>
export type QuotaScope = 'project' | 'class'

export async function limitsOf(db: Db, scope: QuotaScope, owner: string): Promise<Map<string, number>> {
  const rows = await db.query.selectFrom('cinder_quotas').select(['resource', 'hard_limit']).where('scope', '=', scope).where('owner', '=', owner).execute()
  return new Map(rows.map((row) => [row.resource, row.hard_limit]))
}

export async function setLimit(tx: Tx<CinderTables>, scope: QuotaScope, owner: string, resource: string, hard_limit: number): Promise<void> {
  await tx.query.deleteFrom('cinder_quotas').where('scope', '=', scope).where('owner', '=', owner).where('resource', '=', resource).execute()
  await tx.query.insertInto('cinder_quotas').values({ scope, owner, resource, hard_limit }).execute()
}

export async function deleteLimits(db: Db, owner: string): Promise<void> {
  await db.query.deleteFrom('cinder_quotas').where('scope', '=', 'project').where('owner', '=', owner).execute()
}

/** Makes those who count in this project take turns; SQLite's one writer does so anyhow. */
export async function takeTurn(tx: Tx<CinderTables>, project_id: string): Promise<void> {
  if (tx.engine === 'sqlite') return
  const done = await tx.query.updateTable('cinder_quota_locks').set({ turn: sql<number>`turn + 1` }).where('project_id', '=', project_id).executeTakeFirst()
  if (done.numUpdatedRows === 0n) await tx.query.insertInto('cinder_quota_locks').values({ project_id, turn: 1 }).execute()
}

/** What a project uses: `volumes`, `snapshots`, `gigabytes`, `backups`, `backup_gigabytes`, `groups`, and each of a type as `volumes_<type id>`. */
export async function usageOf(db: Db, projectId: string, options: { snapshotsCount: boolean; only?: 'volumes' | 'backups' | 'groups' }): Promise<Map<string, number>> {
  const used = new Map<string, number>()
  const add = (resource: string, amount: number): void => void used.set(resource, (used.get(resource) ?? 0) + amount)
  const { only } = options
  if (only === undefined || only === 'volumes') {
    const volumes = await db.query
      .selectFrom('cinder_volumes')
      .select(['volume_type_id', sql<number>`count(*)`.as('count'), sql<number>`coalesce(sum(size), 0)`.as('gb')])
      .where('project_id', '=', projectId)
      .where('consumes_quota', '=', 1)
      .groupBy('volume_type_id')
      .execute()
    for (const row of volumes) {
      for (const [resource, amount] of [['volumes', Number(row.count)], ['gigabytes', Number(row.gb)]] as const) {
        add(resource, amount)
        add(`${resource}_${row.volume_type_id}`, amount)
      }
    }
    const snapshots = await db.query
      .selectFrom('cinder_snapshots')
      .select(['volume_type_id', sql<number>`count(*)`.as('count'), sql<number>`coalesce(sum(volume_size), 0)`.as('gb')])
      .where('project_id', '=', projectId)
      .where('consumes_quota', '=', 1)
      .groupBy('volume_type_id')
      .execute()
    for (const row of snapshots) {
      add('snapshots', Number(row.count))
      add(`snapshots_${row.volume_type_id}`, Number(row.count))
      if (!options.snapshotsCount) continue
      add('gigabytes', Number(row.gb))
      add(`gigabytes_${row.volume_type_id}`, Number(row.gb))
    }
  }
  if (only === undefined || only === 'backups') {
    const row = await db.query.selectFrom('cinder_backups').select([sql<number>`count(*)`.as('count'), sql<number>`coalesce(sum(size), 0)`.as('gb')]).where('project_id', '=', projectId).executeTakeFirstOrThrow()
    add('backups', Number(row.count))
    add('backup_gigabytes', Number(row.gb))
  }
  if (only === undefined || only === 'groups') {
    const row = await db.query.selectFrom('cinder_groups').select(sql<number>`count(*)`.as('count')).where('project_id', '=', projectId).executeTakeFirstOrThrow()
    add('groups', Number(row.count))
  }
  return used
}
