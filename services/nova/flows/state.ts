/** The one place where a server changes its state: by compare-and-swap, with a log line and a mark in the trace. */
import type { FlowRun } from '#base/flow/definition.ts'
import { type FaultData, type FaultKind } from '#base/fault.ts'
import { narrowScope } from '#base/scope.ts'
import type { Tx } from '#base/sql/database.ts'
import type { Nova } from '../house.ts'
import { finishAction } from '../store/actions.ts'
import { casServer, type Expected, type NovaSql, serverById } from '../store/servers.ts'
import type { FaultInfo, NovaTables, ServerRow } from '../store/tables.ts'

/** What every flow about a server carries. */
export interface ServerWork {
  server_id: string
  /** Row of `nova_actions`; the flow closes it. */
  action_id: string
  /** As in `os-instance-actions` events: `compute_stop_instance`. */
  event: string
  started_at: number
}

export type StatePatch = Partial<ServerRow> & { vm_state?: string; task_state?: string | null }

/** False when the server was not as expected: then nothing has changed. */
export async function moveServer(nova: Nova, sql: NovaSql | Tx<NovaTables>, id: string, expected: Expected, patch: StatePatch): Promise<boolean> {
  const now = nova.world.clock.now()
  if (!(await casServer(sql, id, expected, { ...patch, updated_at: now }))) return false
  const told = (): void => {
    const facts = { ...(patch.vm_state === undefined ? {} : { vm_state: patch.vm_state }), ...(patch.task_state === undefined ? {} : { task_state: patch.task_state }), ...(patch.host ? { host: patch.host } : {}), from: fromText(expected) }
    narrowScope({ resource_id: id }, () => {
      nova.world.log.module('nova.state').info('Changed the state of a server', { server: id, ...facts })
      nova.world.trace.mark('state', 'nova', `${patch.vm_state ?? '='}/${patch.task_state === undefined ? '=' : (patch.task_state ?? '-')}`, { server: id, ...facts })
    })
  }
  if ('afterCommit' in sql) sql.afterCommit(told)
  else told()
  return true
}

function fromText({ vm_state, task_state }: Expected): string {
  const task = task_state === undefined ? 'any' : task_state === null ? '-' : typeof task_state === 'string' ? task_state : task_state.map((one) => one ?? '-').join('|')
  return `${vm_state ?? 'any'}/${task}`
}

/** States change by compare-and-swap, flows by their epoch: whoever comes second finds that out from the row itself. */
export const GUARDED = { guarded: true } as const

/** The good end of a flow: the state it brought about, the lock let go, the action closed, the flow ended, all in one. Without locks it changes no state. */
export async function settle(nova: Nova, f: FlowRun, work: ServerWork, locks: readonly string[], patch: StatePatch, host?: string | null, also?: (tx: Tx<NovaTables>) => Promise<unknown>): Promise<void> {
  await nova.db.transaction(async (tx) => {
    if (locks.length > 0) await moveServer(nova, tx, work.server_id, { task_state: locks }, { task_state: null, ...patch })
    await also?.(tx)
    const now = nova.world.clock.now()
    await finishAction(tx, work.action_id, [{ event: work.event, start: work.started_at, finish: now, result: 'Success', ...(host ? { host } : {}) }], null, now)
    await f.conclude(tx)
    // Without a lock nobody has taken the server's row, and what else is written may rest on what was read.
  }, locks.length > 0 || !also ? GUARDED : {})
  nova.wakes.ended(work.action_id, work.server_id, 'well')
}

/** The bad end: the lock let go, the reason kept. When a delete cancelled the flow, the state is the delete's. */
export async function letGo(nova: Nova, work: ServerWork, locks: readonly string[], fault: FaultData, cancelled: boolean, patch: StatePatch = {}): Promise<void> {
  await nova.db.transaction(async (tx) => {
    const now = nova.world.clock.now()
    if (!cancelled && locks.length > 0) {
      const more = patch.vm_state === 'error' ? { fault: JSON.stringify(faultInfo(fault, now)) } : {}
      await moveServer(nova, tx, work.server_id, { task_state: locks }, { task_state: null, ...more, ...patch })
    }
    await finishAction(tx, work.action_id, [{ event: work.event, start: work.started_at, finish: now, result: 'Error', details: fault.message }], cancelled ? 'cancelled' : 'Error', now)
  }, GUARDED)
  nova.wakes.ended(work.action_id, work.server_id, fault)
}

const PASSENGERS = ['attach-volume', 'detach-volume', 'attach-interface', 'detach-interface'] as const

/**
 * Volumes and cards on their way take no lock. Who holds the server's lock and takes the server elsewhere, or makes its guest anew, waits
 * for them first: half-way there would be two ideas of what the guest has. New ones do not begin while it is locked.
 */
export async function passengersSeated(nova: Nova, serverId: string, signal: AbortSignal): Promise<void> {
  await nova.engine.idle('server', serverId, undefined, signal, PASSENGERS)
}

const CODES: Partial<Record<FaultKind, number>> = { invalid: 400, forbidden: 403, over_quota: 403, not_found: 404, conflict: 409 }

export function faultInfo(fault: FaultData, now: number): FaultInfo {
  const code = CODES[fault.kind] ?? 500
  // What an internal error says is for operators: users read the generic sentence, administrators the details.
  const message = fault.kind === 'internal' && fault.code === undefined ? 'The operation failed on the host.' : fault.message
  return { code, message: message.slice(0, 255), ...(code === 500 ? { details: fault.message.slice(0, 4_000) } : {}), created: now }
}

/** The live server; a flow whose server is gone has nothing more to do. */
export async function liveServer(nova: Nova, id: string): Promise<ServerRow> {
  const row = await serverById(nova.db, id)
  if (!row || row.deleted === 1) throw new GoneError(id)
  return row
}

class GoneError extends Error {
  constructor(id: string) {
    super(`Instance ${id} could not be found.`)
  }
}
