/** Steps that every verb of a server shares: load, who may, and the beginning of long work. */
import ipaddr from 'ipaddr.js'
import { type Fault, notFound } from '#base/fault.ts'
import type { Flow } from '#base/flow/definition.ts'
import type { Tx } from '#base/sql/database.ts'
import type { PolicyTarget, Rq } from '#stack/route.ts'
import { ACTIONS, type ActionName, assertMay, type TaskState, wrongState } from '../core/states.ts'
import { GUARDED, moveServer, type ServerWork, type StatePatch } from '../flows/state.ts'
import type { Nova } from '../house.ts'
import { insertAction } from '../store/actions.ts'
import { serverById, takenServer } from '../store/servers.ts'
import type { ActionEvent, NovaTables, ServerRow } from '../store/tables.ts'

export const isAdmin = (rq: Rq<never> | Rq<unknown>): boolean => rq.allows('context_is_admin')

export function noServer(id: string): Fault {
  return notFound(`Instance ${id} could not be found.`, { code: 'nova.server_not_found' })
}

export const targetOf = (row: Pick<ServerRow, 'project_id' | 'user_id'>): PolicyTarget => ({ project_id: row.project_id, user_id: row.user_id })

/** The live server of the path; another project's is not there. */
export async function loadServer(nova: Nova, rq: Rq<unknown>, id = rq.params.server_id!): Promise<ServerRow> {
  return mayBeSeen(rq, id, await serverById(nova.db, id))
}

/** Throws 404 unless it lives and is the caller's project's, or the caller an administrator. */
export function mayBeSeen<Row extends Pick<ServerRow, 'deleted' | 'project_id'>>(rq: Rq<unknown>, id: string, row: Row | undefined): Row {
  if (!row || row.deleted === 1 || (row.project_id !== rq.context.project_id && !isAdmin(rq))) throw noServer(id)
  return row
}

/** Loads it and asks the rule about it. */
export async function authorizedServer(nova: Nova, rq: Rq<unknown>, rule: string): Promise<ServerRow> {
  const row = await loadServer(nova, rq)
  rq.authorize(`os_compute_api:${rule}`, targetOf(row))
  return row
}

export interface Work<P extends ServerWork> {
  /** Name in `os-instance-actions`. */
  action: string
  /** Event in it: `compute_stop_instance`. */
  event: string
  legal: ActionName
  /** Taken as the lock; absent: the action needs none. */
  lock?: TaskState
  patch?: StatePatch
  flow: Flow<P>
  params: Omit<P, keyof ServerWork>
  /** More rows of the same transaction. */
  also?: (tx: Tx<NovaTables>, work: ServerWork) => Promise<void>
}

/** Records the action, takes the lock and starts the flow, all or nothing. Throws 409 when the server moved on meanwhile. */
export async function beginWork<P extends ServerWork>(nova: Nova, rq: Rq<unknown>, server: ServerRow, work: Work<P>): Promise<ServerWork> {
  assertMay(work.legal, server, isAdmin(rq))
  return nova.db.transaction(async (tx) => {
    if (work.lock !== undefined) {
      const taken = await moveServer(nova, tx, server.id, { vm_state: server.vm_state, task_state: server.task_state }, { ...work.patch, task_state: work.lock })
      if (!taken) {
        const now = await serverById(tx, server.id)
        if (!now || now.deleted === 1) throw noServer(server.id)
        assertMay(work.legal, now, isAdmin(rq))
        throw wrongState(ACTIONS[work.legal].word, server.id, 'task_state', now.task_state)
      }
    } else {
      // What takes no lock must not begin beside who took it meanwhile.
      const now = await takenServer(tx, server.id)
      if (!now || now.deleted === 1) throw noServer(server.id)
      assertMay(work.legal, { ...server, ...now }, isAdmin(rq))
    }
    const about = await recordAction(nova, tx, rq, server.id, work.action, work.event)
    await work.also?.(tx, about)
    await nova.engine.start(tx.as<unknown>(), work.flow, { ...work.params, ...about } as unknown as P, { resource_kind: 'server', resource_id: server.id, project_id: server.project_id })
    return about
  }, work.also ? {} : GUARDED)
}

export async function recordAction(nova: Nova, tx: Tx<NovaTables>, rq: Rq<unknown>, serverId: string, action: string, event: string): Promise<ServerWork> {
  const started_at = nova.world.clock.now()
  const action_id = nova.world.random.uuid()
  const { context } = rq
  await insertAction(tx, {
    id: action_id, server_id: serverId, action, request_id: context.request_id, user_id: context.user_id ?? '', project_id: context.project_id ?? '', message: null,
    events: JSON.stringify([{ event, start: started_at, finish: null, result: null }]), started_at, updated_at: started_at,
  })
  return { server_id: serverId, action_id, event, started_at }
}

/** An action that needs no flow: it is recorded as done. */
export async function recordDone(nova: Nova, tx: Tx<NovaTables>, rq: Rq<unknown>, serverId: string, action: string, { event, message = null }: { event?: ActionEvent; message?: string | null } = {}): Promise<void> {
  const now = nova.world.clock.now()
  await insertAction(tx, { id: nova.world.random.uuid(), server_id: serverId, action, request_id: rq.context.request_id, user_id: rq.context.user_id ?? '', project_id: rq.context.project_id ?? '', message, events: JSON.stringify(event ? [event] : []), started_at: event?.start ?? now, updated_at: now })
}

/** An IPv6 address as Nova keeps it: shortened, without dotted decimals; null for none. */
export function accessAddress6(given: string | undefined): string | null {
  return given ? ipaddr.IPv6.parse(given).toRFC5952String() : null
}
