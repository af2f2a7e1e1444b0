/** The volume's status as its attachments make it: written in the transaction that changes an attachment, and nowhere else. */
import type { Tx } from '#base/sql/database.ts'
import { heldBy } from '../core/volume-status.ts'
import { attachmentsOf } from './attachments.ts'
import type { CinderTables } from './tables.ts'
import { moveVolume } from './volumes.ts'

const FOLLOWS = ['available', 'reserved', 'attaching', 'in-use', 'detaching'] as const

/**
 * Work on a volume (an upload, a backup) keeps its status for the time being; then only `attach_status` follows. `also` names
 * statuses that give way as well.
 */
export async function settleVolume(tx: Tx<CinderTables>, volumeId: string, now: number, also: readonly string[] = []): Promise<void> {
  const held = heldBy(await attachmentsOf(tx, [volumeId]))
  if (await moveVolume(tx, volumeId, [...FOLLOWS, ...also], { ...held, updated_at: now })) return
  await tx.query.updateTable('cinder_volumes').set({ attach_status: held.attach_status, updated_at: now }).where('id', '=', volumeId).execute()
}
