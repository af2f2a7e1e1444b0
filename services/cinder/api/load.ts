/** Finds what a request is about. What belongs to another project is not there, except for an administrator. */
import { notFound } from '#base/fault.ts'
import type { PolicyTarget, Rq } from '#stack/route.ts'
import type { Cinder } from '../house.ts'
import { snapshotById } from '../store/snapshots.ts'
import type { SnapshotRow, TypeRow, VolumeRow } from '../store/tables.ts'
import { hasAccess, typeById, typeByName } from '../store/types.ts'
import { volumeById } from '../store/volumes.ts'

type AnyRq = Pick<Rq, 'context' | 'authorize' | 'allows'>

export function targetOf(row: { project_id: string; user_id?: string }): PolicyTarget {
  return { project_id: row.project_id, tenant_id: row.project_id, user_id: row.user_id }
}

export function seen<R extends { project_id: string }>(rq: AnyRq, row: R | undefined, what: string): R {
  if (!row || (row.project_id !== rq.context.project_id && !rq.allows('context_is_admin', {}))) throw notFound(`${what} could not be found.`)
  return row
}

export async function loadVolume(house: Cinder, rq: AnyRq, volumeId: string, rule: string): Promise<VolumeRow> {
  const row = seen(rq, await volumeById(house.db, volumeId), `Volume ${volumeId.slice(0, 100)}`)
  rq.authorize(rule, targetOf(row))
  return row
}

export async function loadSnapshot(house: Cinder, rq: AnyRq, snapshotId: string, rule: string): Promise<SnapshotRow> {
  const row = seen(rq, await snapshotById(house.db, snapshotId), `Snapshot ${snapshotId.slice(0, 100)}`)
  rq.authorize(rule, targetOf(row))
  return row
}

/** A volume type by id, or by name too; a private one only for those who have access. */
export async function loadType(house: Cinder, rq: AnyRq, wanted: string, by: 'id' | 'id or name' = 'id'): Promise<TypeRow> {
  const row = (await typeById(house.db, wanted)) ?? (by === 'id or name' ? await typeByName(house.db, wanted) : undefined)
  const visible = row && (row.is_public === 1 || rq.allows('context_is_admin', {}) || (rq.context.project_id !== undefined && (await hasAccess(house.db, row.id, rq.context.project_id))))
  if (!visible) throw notFound(by === 'id' ? `Volume type ${wanted.slice(0, 100)} could not be found.` : `Volume type with name ${wanted.slice(0, 100)} could not be found.`)
  return row
}
