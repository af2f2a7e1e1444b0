/** Where flows stand: one row a flow, its finished steps as JSON in the row, every write fenced by owner and epoch. */
import { sql } from 'kysely'
import { type FaultData } from '../fault.ts'
import { type Scope } from '../scope.ts'
import type { Database, Sql } from '../sql/database.ts'
import { big, flag, id, int, json, type Migration, nullable, string } from '../sql/table.ts'
import type { FlowState, FlowView } from './definition.ts'

/** `step` is the one under way. */
export interface FlowRow extends Omit<FlowView, 'error'> {
  params: string
  scope: string
  /** JSON: `StepRecord[]`. */
  journal: string
  lease_until: number
  /** Grows with every change of owner: an owner of an older epoch can write nothing. */
  epoch: number
  cancel: number
  error: string | null
}

export interface FlowTables {
  flows: FlowRow
}

export interface StepRecord {
  name: string
  result: unknown
  undone?: true
}

export const flowMigrations: readonly Migration[] = [
  {
    name: '0001-flows',
    up: (m) =>
      m.createTable(
        'flows',
        {
          id: id(),
          house: string(32),
          name: string(64),
          state: string(16),
          step: string(128),
          resource_kind: string(64),
          resource_id: string(255),
          project_id: nullable(id()),
          request_id: string(64),
          params: json(),
          scope: json(),
          journal: json(),
          owner: nullable(string(128)),
          lease_until: big(),
          epoch: int(),
          cancel: flag(),
          error: nullable(json()),
          attempts: int(),
          created_at: big(),
          deadline_at: big(),
          updated_at: big(),
        },
        { primary: ['id'], index: [['state', 'lease_until'], ['resource_kind', 'resource_id'], ['owner']] },
      ),
  },
  {
    // Operators and traces ask by the resource alone, the newest first.
    name: '0002-flows-by-resource',
    up: (m) => m.createIndex('flows', ['resource_id', 'created_at']),
  },
]

/** Written so that no index fits: before its first statistics PostgreSQL would rather go through all that run than look for the one id. */
const STATE = sql<FlowState>`concat(state, '')`

const LIVE: FlowState[] = ['queued', 'running', 'unwinding']

export async function insertFlow(sql: Sql<FlowTables>, row: FlowRow): Promise<void> {
  await sql.query.insertInto('flows').values(row).execute()
}

/** Takes a flow whose lease has ended; undefined when another was faster. */
export async function claimFlow(db: Database<FlowTables>, house: string, flowId: string, owner: string, now: number, lease: number): Promise<FlowRow | undefined> {
  const row = await db.query.selectFrom('flows').selectAll().where('id', '=', flowId).executeTakeFirst()
  if (!row || row.house !== house || !LIVE.includes(row.state) || (row.owner !== null && row.lease_until > now)) return undefined
  const state = row.state === 'queued' ? 'running' : row.state
  const taken = await db.query
    .updateTable('flows')
    .set({ owner, lease_until: now + lease, epoch: row.epoch + 1, attempts: row.attempts + 1, state, updated_at: now })
    .where('id', '=', flowId)
    .where('epoch', '=', row.epoch)
    .executeTakeFirst()
  return taken.numUpdatedRows === 1n ? { ...row, owner, lease_until: now + lease, epoch: row.epoch + 1, attempts: row.attempts + 1, state } : undefined
}

/** Writes progress; false when the lease was lost, or the flow has ended. `patch.cancel` is never touched here. */
export async function writeFlow(sql: Sql<FlowTables>, row: Pick<FlowRow, 'id' | 'epoch'>, patch: Partial<FlowRow>, from: readonly FlowState[] = LIVE): Promise<boolean> {
  const done = await sql.query.updateTable('flows').set(patch).where('id', '=', row.id).where('epoch', '=', row.epoch).where(STATE, 'in', from).executeTakeFirst()
  return done.numUpdatedRows === 1n
}

/** Prolongs every lease of an owner, and tells which flows are still its own, with their epochs, and which of them are to be cancelled. */
export async function renewLeases(db: Database<FlowTables>, owner: string, until: number): Promise<{ id: string; epoch: number; cancel: number }[]> {
  await db.query.updateTable('flows').set({ lease_until: until }).where('owner', '=', owner).where('state', 'in', LIVE).execute()
  return db.query.selectFrom('flows').select(['id', 'epoch', 'cancel']).where('owner', '=', owner).where('state', 'in', LIVE).execute()
}

/** Flows of a house that nobody holds. */
export async function orphanedFlows(db: Database<FlowTables>, house: string, now: number, limit: number): Promise<string[]> {
  const rows = await db.query
    .selectFrom('flows')
    .select('id')
    .where('state', 'in', LIVE)
    .where('house', '=', house)
    .where('lease_until', '<=', now)
    .orderBy('created_at')
    .limit(limit)
    .execute()
  return rows.map((row) => row.id)
}

export async function liveFlowsOf(sql: Sql<FlowTables>, kind: string, resourceId: string): Promise<FlowRow[]> {
  return sql.query.selectFrom('flows').selectAll().where('resource_kind', '=', kind).where('resource_id', '=', resourceId).where('state', 'in', LIVE).execute()
}

export async function markCancelled(sql: Sql<FlowTables>, kind: string, resourceId: string, except: string | undefined): Promise<void> {
  let update = sql.query.updateTable('flows').set({ cancel: 1 }).where('resource_kind', '=', kind).where('resource_id', '=', resourceId).where('state', 'in', LIVE)
  if (except !== undefined) update = update.where('id', '!=', except)
  await update.execute()
}

export async function listFlows(sql: Sql<FlowTables>, filter: { live?: boolean; house?: string; resource_id?: string; limit: number }): Promise<FlowView[]> {
  let query = sql.query.selectFrom('flows').selectAll().orderBy('created_at', 'desc').limit(filter.limit)
  if (filter.live) query = query.where('state', 'in', LIVE)
  if (filter.house) query = query.where('house', '=', filter.house)
  if (filter.resource_id) query = query.where('resource_id', '=', filter.resource_id)
  return (await query.execute()).map(({ params: _p, scope: _s, journal: _j, lease_until: _l, epoch: _e, cancel: _c, error, ...view }) => ({
    ...view,
    error: error === null ? null : (JSON.parse(error) as FaultData),
  }))
}

/** Ended flows are kept for people to look at, for a while. */
export async function purgeFlows(db: Database<FlowTables>, endedBefore: number): Promise<void> {
  await db.query.deleteFrom('flows').where('state', 'in', ['done', 'failed', 'cancelled']).where('updated_at', '<', endedBefore).execute()
}

export function parseScope(row: FlowRow): Scope {
  return JSON.parse(row.scope) as Scope
}
