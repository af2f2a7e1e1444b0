/** What was done to a server, by whom, under which request id, and how it ended. */
import type { NovaSql } from './servers.ts'
import type { ActionEvent, ActionRow } from './tables.ts'

export async function insertAction(sql: NovaSql, row: ActionRow): Promise<void> {
  await sql.query.insertInto('nova_actions').values(row).execute()
}

/** Records the end; `message` stays null when it went well. */
export async function finishAction(sql: NovaSql, id: string, events: readonly ActionEvent[], message: string | null, now: number): Promise<void> {
  await sql.query.updateTable('nova_actions').set({ events: JSON.stringify(events), message, updated_at: now }).where('id', '=', id).execute()
}

export interface ActionQuery {
  limit: number
  marker?: string
  since?: number
  before?: number
}

/** Newest first. `marker` is a request id; undefined when there is no such. */
export async function actionsOf(sql: NovaSql, serverId: string, query: ActionQuery): Promise<ActionRow[] | undefined> {
  let q = sql.query.selectFrom('nova_actions').selectAll().where('server_id', '=', serverId)
  if (query.since !== undefined) q = q.where('updated_at', '>=', query.since)
  if (query.before !== undefined) q = q.where('updated_at', '<=', query.before)
  if (query.marker !== undefined) {
    const at = await actionByRequest(sql, serverId, query.marker)
    if (!at) return undefined
    q = q.where((eb) => eb.or([eb('started_at', '<', at.started_at), eb.and([eb('started_at', '=', at.started_at), eb('id', '<', at.id)])]))
  }
  return q.orderBy('started_at', 'desc').orderBy('id', 'desc').limit(query.limit).execute()
}

export async function actionByRequest(sql: NovaSql, serverId: string, requestId: string): Promise<ActionRow | undefined> {
  return sql.query.selectFrom('nova_actions').selectAll().where('server_id', '=', serverId).where('request_id', '=', requestId).orderBy('started_at').executeTakeFirst()
}
