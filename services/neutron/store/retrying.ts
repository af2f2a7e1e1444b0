/** Transactions that chose a number, an address or a MAC which another one took first choose again. */
import { isFault } from '#base/fault.ts'
import type { Db } from './tables.ts'

const ATTEMPTS = 4

export function retrying(db: Db): Db {
  return {
    ...db,
    // Asked anew each time: the database may move to another engine.
    get engine() {
      return db.engine
    },
    get query() {
      return db.query
    },
    async transaction(work, options) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await db.transaction(work, options)
        } catch (thrown) {
          if (attempt >= ATTEMPTS || !isFault(thrown, 'conflict') || thrown.code !== 'sql.duplicate') throw thrown
        }
      }
    },
  }
}
