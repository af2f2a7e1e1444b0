/**
 * A database that may be put on another engine while everybody goes on holding it. In front of it is a door: while it is shut, transactions and single
 * writes wait. Reads never do: nothing changes meanwhile, so what they say is true. Only an SQLite file is ever left by such a move; what is on
 * a server pays nothing for this.
 */
import type { CompiledQuery, QueryResult } from 'kysely'
import { underWay } from '../under-way.ts'
import type { Database } from './database.ts'
import { recompiled } from './prepared.ts'

export interface Movable {
  /** What everybody holds: always where the data is now. */
  readonly database: Database
  /** The engine that is behind it now. For the mover alone: what goes through it in transactions does not wait at the door. */
  readonly current: Database
  /** Shuts the door and waits for what is inside to end. Undefined, and open again, when that takes longer than `milliseconds`. */
  shut(milliseconds: number): Promise<Shut | undefined>
}

export interface Shut {
  /** From now on everything goes there. The door is still shut; what was there before is closed. */
  switchTo(next: Database): Promise<void>
  open(): void
}

export function movable(first: Database): Movable {
  let current = first
  let inside = 0
  /** Settles when the door opens again. */
  let door: Promise<void> | undefined
  let emptied: (() => void) | undefined

  const leave = (): void => {
    if (--inside === 0) emptied?.()
  }
  const through = async <T>(work: (at: Database) => Promise<T>): Promise<T> => {
    while (door) await underWay(() => door!)
    inside++
    try {
      return await work(current)
    } finally {
      leave()
    }
  }

  // Queries that were built before the switch, or by who keeps `query`, are carried out where the data is.
  const executor = first.query.getExecutor()
  const there = executor.executeQuery.bind(executor)
  const elsewhere = <R>(query: CompiledQuery<unknown>, at: Database): Promise<QueryResult<R>> => {
    const other = at.query.getExecutor()
    return other.executeQuery<R>(recompiled(query, other) as CompiledQuery<R>)
  }
  executor.executeQuery = <R>(query: CompiledQuery<unknown>): Promise<QueryResult<R>> => {
    if (query.query.kind === 'SelectQueryNode') return current === first ? there<R>(query as CompiledQuery<R>) : elsewhere<R>(query, current)
    return through((at) => (at === first ? there<R>(query as CompiledQuery<R>) : elsewhere<R>(query, at)))
  }

  const database: Database = {
    get engine() {
      return current.engine
    },
    get query() {
      return current.query
    },
    transaction: (work, options) => (current === first ? through((at) => at.transaction(work, options)) : current.transaction(work, options)),
    as: <Other>() => database as unknown as Database<Other>,
    close: () => current.close(),
  }

  return {
    database,
    get current() {
      return current
    },
    async shut(milliseconds) {
      if (door || current !== first) throw new Error('The door of a database is shut once at a time, and only before it has moved')
      let open!: () => void
      door = new Promise((resolve) => {
        open = () => {
          door = undefined
          resolve()
        }
      })
      if (inside > 0) {
        let timer: NodeJS.Timeout | undefined
        const empty = await new Promise<boolean>((resolve) => {
          emptied = () => resolve(true)
          timer = setTimeout(() => resolve(false), milliseconds)
        })
        clearTimeout(timer)
        emptied = undefined
        if (!empty) {
          open()
          return undefined
        }
      }
      return {
        async switchTo(next) {
          current = next
          await first.close()
        },
        open,
      }
    },
  }
}
