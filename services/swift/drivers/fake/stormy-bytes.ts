/**
 * A driver that has bad days: slow, and failing at the worst moment. A write that fails has its bytes written and nobody knows the id; a removal that
 * fails has removed half.
 */
import type { Clock } from '#base/clock.ts'
import type { Fault } from '#base/fault.ts'
import type { BytesDriver } from '../interface.ts'

/** What befalls a call, by its verb: `bytes.write`, `bytes.read`, `bytes.remove`. As a `DriverStorm` of `stack/house.ts`. */
type BytesStorm = (verb: string) => { slow: number; fault?: Fault } | undefined

export function stormyBytes(driver: BytesDriver, storm: BytesStorm, clock: Clock): BytesDriver {
  const meet = async (verb: string): Promise<Fault | undefined> => {
    const met = storm(`bytes.${verb}`)
    if (met && met.slow > 0) await clock.sleep(met.slow)
    return met?.fault
  }
  return {
    ...driver,
    async write(source, length) {
      const fault = await meet('write')
      const id = await driver.write(source, length)
      if (fault) throw fault
      return id
    },
    async read(id, start, end) {
      const fault = await meet('read')
      if (fault) throw fault
      return driver.read(id, start, end)
    },
    async remove(ids) {
      const fault = await meet('remove')
      if (!fault) return driver.remove(ids)
      await driver.remove(ids.slice(0, ids.length >> 1))
      throw fault
    },
  }
}
