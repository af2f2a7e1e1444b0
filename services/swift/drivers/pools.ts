/**
 * The places of bytes that the policies name, as one. An id of a place with a name is `@<name>/<id of its driver>`, so that a row says by itself where its
 * bytes lie, whatever the policy of its container says by now. The place without a name gives ids as they are.
 */
import { unavailable } from '#base/fault.ts'
import { bareId as bare, poolOf } from '../core/policies.ts'
import type { BytesDriver, Pools } from './interface.ts'

export function poolsOf(drivers: ReadonlyMap<string, BytesDriver>): Pools {
  const at = (pool: string): BytesDriver => {
    const driver = drivers.get(pool)
    if (!driver) throw unavailable('The bytes of this object are not within reach.', { detail: `No policy is configured whose bytes lie in the place ${pool === '' ? 'that swift.driver names' : pool}.`, code: 'swift.no_pool' })
    return driver
  }
  const named = (pool: string): ((id: string) => string) => (pool === '' ? (id) => id : (id) => `@${pool}/${id}`)
  return {
    names: [...drivers.keys()],
    write: async (pool, source, length) => named(pool)(await at(pool).write(source, length)),
    read: async (id, start, end) => at(poolOf(id)).read(bare(id), start, end),
    async remove(ids) {
      for (const pool of new Set(ids.map(poolOf))) await at(pool).remove(ids.filter((id) => poolOf(id) === pool).map(bare))
    },
    verify: async (id) => at(poolOf(id)).verify(bare(id)),
    quarantine: async (id) => at(poolOf(id)).quarantine(bare(id)),
    of(pool) {
      const driver = drivers.get(pool)
      if (!driver) return undefined
      const name = named(pool)
      return {
        write: async (source, length) => name(await driver.write(source, length)),
        read: (id, start, end) => driver.read(bare(id), start, end),
        remove: (ids) => driver.remove(ids.map(bare)),
        verify: (id) => driver.verify(bare(id)),
        quarantine: (id) => driver.quarantine(bare(id)),
        async *list(before) {
          for await (const id of driver.list(before)) yield name(id)
        },
        sweep: (before) => driver.sweep(before),
        ...(driver.compact
          ? {
              compact: (held, moved, before) =>
                driver.compact!(
                  async (prefixes) => (await held(prefixes.map(name))).map((one) => ({ ...one, movable: one.movable.map(bare) })),
                  (from, to) => moved(name(from), name(to)),
                  before,
                ),
            }
          : {}),
      }
    },
    async close() {
      for (const driver of drivers.values()) await driver.close()
    },
  }
}
