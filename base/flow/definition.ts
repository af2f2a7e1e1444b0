/**
 * Long work with a known list of steps (law 2): a journalled async function. Every finished step is on record with its result; a
 * process that dies is replaced by another, which replays the record and goes on at the first step that has none.
 *
 * Between steps: no clock, no randomness, no I/O. A step that was killed half-way runs again; one that throws cleans up after itself;
 * finished steps are undone in reverse. So `run` and `undo` may each happen twice.
 *
 *     export const createVolume = (house: Cinder) => defineFlow<CreateVolume>('create-volume', { deadline: 600_000, failed: … },
 *       async (f, p) => {
 *         const host = await f.step('schedule', () => house.schedule(p))
 *         await f.step('create', () => house.volumesAt(host).ensure(p.volume_id), () => house.volumesAt(host).ensureNo(p.volume_id))
 *         await f.step('publish', () => house.volumes.available(p.volume_id))
 *       })
 */
import type { FaultData } from '../fault.ts'
import type { Tx } from '../sql/database.ts'

export interface FlowRun {
  readonly id: string
  /** Aborts at the deadline, on cancel, and when the lease is lost. */
  readonly signal: AbortSignal
  /**
   * Runs once and keeps its result, which must be JSON (undefined becomes null). `undo` gets the result when a later step fails; it gets undefined
   * when an owner died in this step and it was not finished since: then whatever may have been begun is to be found and undone.
   * Names are for people and for the check that a replay meets the same steps: keep them when you change a flow.
   */
  step<T>(name: string, run: (signal: AbortSignal) => Promise<T> | T, undo?: (result: T | undefined) => Promise<unknown> | unknown): Promise<T>
  /**
   * A step past the point of no return: tried until it succeeds, also beyond the deadline. Only a cancel ends it, or the loss of the lease.
   * What cannot be undone must be followed by such steps alone.
   */
  must<T>(name: string, run: (signal: AbortSignal) => Promise<T> | T): Promise<T>
  /**
   * Ends the flow well with the caller's transaction: what it writes (the resource free and in its new state) and the end of the flow are one.
   * From its commit on nothing is undone and nothing runs again, whoever fails or dies. To be called in the last step.
   */
  conclude(tx: Pick<Tx<unknown>, 'as'>): Promise<void>
}

export interface FlowOptions<Params> {
  /** Milliseconds from its start to the moment it must have ended; then it is undone and fails with `timeout`. */
  deadline: number
  /** Last act of a flow that failed or was cancelled, after the undoing: puts the resource in its error state. Runs until it succeeds. */
  failed?: (params: Params, fault: FaultData, cancelled: boolean) => Promise<unknown>
}

export interface Flow<Params = unknown> {
  readonly name: string
  readonly options: FlowOptions<Params>
  readonly body: (run: FlowRun, params: Params) => Promise<unknown>
}

export function defineFlow<Params>(name: string, options: FlowOptions<Params>, body: (run: FlowRun, params: Params) => Promise<unknown>): Flow<Params> {
  return { name, options, body }
}

export type FlowState = 'queued' | 'running' | 'unwinding' | 'done' | 'failed' | 'cancelled'

/** A flow as operators see it. */
export interface FlowView {
  id: string
  house: string
  name: string
  state: FlowState
  step: string
  resource_kind: string
  resource_id: string
  project_id: string | null
  request_id: string
  owner: string | null
  attempts: number
  created_at: number
  deadline_at: number
  updated_at: number
  error: FaultData | null
}
