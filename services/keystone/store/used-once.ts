/** What must not be taken twice (states of logins, assertions), remembered until it would be too old anyway. */
import { createHash } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import { type Db, insertRow } from './rows.ts'

/** False when it was used before. `forget_at` milliseconds; the sweep takes it away then. Only call it for what has been proven genuine: so the table grows with logins, not with attempts. */
export async function useOnce(db: Db, kind: string, id: string, forget_at: number): Promise<boolean> {
  try {
    await insertRow(db, 'keystone_used_once', { id: createHash('sha256').update(`${kind}\0${id}`).digest('hex'), forget_at })
    return true
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'sql.duplicate') return false
    throw thrown
  }
}
