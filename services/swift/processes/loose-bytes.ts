/** For simulation: what would be left over if nobody did anything any more and the keepers of order had their rounds. */
import type { ControlProcess } from '#stack/house.ts'
import { reconcile, sweep } from '../flows/keep-order.ts'
import type { Swift } from '../house.ts'
import { heldBytes } from '../store/bytes.ts'
import type { SwiftProcess } from './control.ts'

/** Ids of bytes that nothing holds after the rounds of the sweeper and the reconciler so many milliseconds from now. */
export async function looseBytes(control: ControlProcess, ahead: number): Promise<string[]> {
  const { house } = control as SwiftProcess
  const { clock } = house.world
  const later: Swift = { ...house, world: { ...house.world, clock: { now: () => clock.now() + ahead, sleep: (ms, signal) => clock.sleep(ms, signal), after: (ms, run) => clock.after(ms, run) } } }
  await sweep(later)
  await reconcile(later)
  const loose: string[] = []
  for (const pool of house.bytes.names) {
    const ids: string[] = []
    for await (const id of house.bytes.of(pool)!.list(Infinity)) ids.push(id)
    const held = await heldBytes(house.db, ids)
    loose.push(...ids.filter((id) => !held.has(id)))
  }
  return loose
}
