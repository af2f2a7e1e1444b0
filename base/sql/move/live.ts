/**
 * Moves a whole database out of an SQLite file into another one while it is read and written.
 *
 * - Triggers write down what changes (`source.ts`); then every table is copied in slices, and what has changed meanwhile after it, until little is left.
 * - Every row is compared with its copy.
 * - The door of the database is shut (`movable.ts`): writes wait, for seconds at most, or it opens again and this is tried later. What is still left goes over,
 *   rows are counted, and one row in the source says that it has moved: that commit is the switch. Then the door opens on the target.
 *
 * How far it is stands in the two databases alone. Who is stopped or killed anywhere begins again with the same move and goes on.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { conflict, isFault } from '../../fault.ts'
import { underWay } from '../../under-way.ts'
import type { Database } from '../database.ts'
import type { Movable } from '../movable.ts'
import type { HouseMigrations } from '../table.ts'
import { catchUp, type Suspect } from './catch-up.ts'
import type { Any, Shape } from './catalog.ts'
import { compare, recheck } from './compare.ts'
import { copyTables, type TableMove } from './copy.ts'
import { countOf, countsOf } from './rows.ts'
import { beginSource, capture, countChanges, leaveSource, sourceMove } from './source.ts'
import { beginTarget, endTarget } from './target.ts'

export type LivePhase = 'preparing' | 'copying' | 'following' | 'comparing' | 'switching' | 'waiting'

export interface LiveReport {
  phase: LivePhase
  /** Tables and rows that are done in this phase. */
  tables: number
  of: number
  rows: number
  /** Changes that the target has not got yet. */
  behind: number
  /** Why it waits. */
  reason?: string
}

export interface LiveOptions {
  /** What this move is known by, and where it goes, without the secret. */
  move: { id: string; place: string }
  now(): number
  /** The database that everybody is to go on with: the same place as the target, opened as they want it. */
  next(): Promise<Database>
  /** Keeps what a later start must know, on the disk. Called once the source has been left. */
  left(): Promise<void>
  /** Rows in a slice. Default 250. */
  batch?: number
  /** Milliseconds: how long the door is shut at most, waiting for what is inside and then working. Default 2,000 and 5,000. */
  door?: { wait: number; work: number }
  signal?: AbortSignal
  report?(report: LiveReport): void
  warn?(message: string, error: unknown): void
  /** Told at every step, for tests that die there. */
  at?(step: string): void | Promise<void>
}

/** Rows of tables up to so many are counted once more while the door is shut. */
const COUNTED = 200_000
/** The door is shut when no more changes are left than these, or than the target takes in so many milliseconds. */
const [FEW, MOMENT] = [200, 700]
/** Rounds that bring the target no nearer, and the milliseconds for which the others then wait. */
const [PATIENCE, PULSE] = [3, 250]

/** The tables and their rows; undefined when it was stopped. The database is then still where it was, and what changes is written down. */
export async function moveLive(home: Movable, target: Database, houses: readonly HouseMigrations[], options: LiveOptions): Promise<TableMove[] | undefined> {
  const source = home.current.as<Any>()
  if (source.engine !== 'sqlite') throw conflict('Only out of an SQLite file can a database move while it is used.')
  const to = target.as<Any>()
  const { signal } = options
  const at = async (step: string): Promise<void> => void (await options.at?.(step))
  let rows = 0
  const say = async (phase: LivePhase, tables: number, of: number, reason?: string): Promise<void> => options.report?.({ phase, tables, of, rows, behind: phase === 'preparing' ? 0 : await countChanges(source), ...(reason === undefined ? {} : { reason }) })

  /** A target that is away for a while is waited for. */
  const patiently = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    for (let pause = 250; !signal?.aborted; pause = Math.min(10_000, pause * 2)) {
      try {
        return await work()
      } catch (thrown) {
        if (!isFault(thrown, 'unavailable')) throw thrown
        options.report?.({ phase: 'waiting', tables: 0, of: 0, rows, behind: 0, reason: thrown.message })
        await underWay(() => delay(pause, undefined, signal ? { signal } : {}).catch(() => {}))
      }
    }
    return undefined
  }

  await say('preparing', 0, 0)
  const shapes = await patiently(() => beginTarget(source, to, houses, options.move.id, options.now()))
  if (!shapes) return undefined
  if ((await sourceMove(source))?.moved_at) throw conflict('This database has moved already.')
  await beginSource(source, options.move, options.now())
  await at('begun')
  await capture(source, shapes, () => nextTurn())
  await at('captured')

  const yielding = async (): Promise<void> => {
    await nextTurn()
    await at('slice')
  }
  const copied = await patiently(async () => {
    let tables = 0
    let before = 0
    let table = ''
    return copyTables(source, to, shapes, {
      now: options.now,
      ...(options.batch === undefined ? {} : { batch: options.batch }),
      ...(signal ? { signal } : {}),
      yielding,
      report: (move) => {
        if (move.table !== table) {
          before = rows
          tables++
          table = move.table
        }
        rows = before + move.rows
        options.report?.({ phase: 'copying', tables: tables - 1, of: shapes.length, rows, behind: 0 })
      },
    })
  })
  if (!copied || copied.length < shapes.length) return undefined
  await at('copied')

  const grown = new Map<string, number>()
  const byName = new Map(shapes.map((one) => [one.name, one]))
  /** Until what is left would go over in a moment, as fast as it goes now: behind the shut door nothing is added to it. */
  const follow = async (): Promise<boolean> => {
    let [least, worse] = [Infinity, 0]
    for (;;) {
      if (signal?.aborted) return false
      await say('following', shapes.length, shapes.length)
      const began = performance.now()
      const done = await catchUp(source, to, byName, grown)
      await at('followed')
      const behind = await countChanges(source)
      if (behind <= Math.max(FEW, (done / Math.max(1, performance.now() - began)) * MOMENT)) return true
      worse = behind < least ? 0 : worse + 1
      least = Math.min(least, behind)
      // They write faster than the target takes it: they are made to wait a little, again and again.
      if (worse >= PATIENCE) await aheadOfAll(home, () => catchUp(source, to, byName, grown))
      await nextTurn()
    }
  }
  if (!(await patiently(follow))) return undefined

  grown.clear()
  const counts = await patiently(() => countsOf(to, shapes.map((one) => one.name)))
  if (!counts) return undefined
  rows = 0
  const suspects = await patiently(async () => {
    const found: Suspect[] = []
    for (const [i, shape] of shapes.entries()) {
      rows += await compare(source, to, shape, { batch: options.batch ?? 250, empty: counts.get(shape.name) === 0 }, found, async () => {
        await nextTurn()
        if (signal?.aborted) throw signal.reason
      }).catch((thrown: unknown) => {
        if (signal?.aborted) return 0
        throw thrown
      })
      if (signal?.aborted) return undefined
      await say('comparing', i + 1, shapes.length)
    }
    return found
  })
  if (!suspects || !(await patiently(async () => (await recheck(source, to, suspects), true)))) return undefined
  await at('compared')

  for (let pause = 100; !signal?.aborted; pause = Math.min(5_000, pause * 2)) {
    if (!(await patiently(follow))) return undefined
    await say('switching', shapes.length, shapes.length)
    const moved = await patiently(() => cutOver(home, source, to, shapes, byName, counts, grown, options, at))
    if (moved) return shapes.map((one) => ({ table: one.name, rows: counts.get(one.name)! + (grown.get(one.name) ?? 0) }))
    await underWay(() => delay(pause, undefined, signal ? { signal } : {}).catch(() => {}))
  }
  return undefined
}

/** Works behind the shut door for a moment; nobody waits longer for it, though the target may. */
async function aheadOfAll(home: Movable, work: () => Promise<number>): Promise<void> {
  const shut = await home.shut(PULSE)
  if (!shut) return
  const until = performance.now() + PULSE
  const turn = (async () => {
    while ((await work()) > 0 && performance.now() < until);
  })()
  turn.catch(() => {})
  await Promise.race([turn, underWay(() => delay(3 * PULSE))]).finally(() => shut.open())
  await turn
}

class TooSlow extends Error {}

/** False when it would have taken too long: nothing has happened then, but that the target has some more. */
async function cutOver(home: Movable, source: Database<Any>, target: Database<Any>, shapes: readonly Shape[], byName: ReadonlyMap<string, Shape>, counts: ReadonlyMap<string, number>, grown: Map<string, number>, options: LiveOptions, at: (step: string) => Promise<void>): Promise<boolean> {
  const { wait, work } = options.door ?? { wait: 2_000, work: 5_000 }
  const next = await options.next()
  let used = false
  /** What is under way in the target when time is up: until it has ended, nothing may be written there after it. */
  let writing: Promise<unknown> | undefined
  try {
    // The first connection is made, and shows that the place can be reached as they will reach it.
    await next.as<Any>().query.selectFrom('schema_migrations').select('house').limit(1).execute()
    const shut = await home.shut(wait)
    if (!shut) return false
    try {
      const until = performance.now() + work
      await at('shut')
      // The commit that leaves the source is on the disk, whatever the others are.
      await source.query.connection().execute(async (one) => void (await sql`pragma synchronous = full`.execute(one)))
      await source.transaction(async (tx) => {
        const inTime = async <T>(promise: Promise<T>): Promise<T> => {
          const settled = promise.catch(() => {})
          writing = settled
          const timer = new AbortController()
          try {
            const result = await Promise.race([promise, delay(Math.max(0, until - performance.now()), undefined, { signal: timer.signal }).then(() => Promise.reject(new TooSlow()))])
            writing = undefined
            return result
          } finally {
            timer.abort()
          }
        }
        // In this transaction no other process writes either.
        while ((await inTime(catchUp(tx, target, byName, grown))) > 0) if (performance.now() > until) throw new TooSlow()
        await at('applied')
        for (const shape of shapes) {
          const has = counts.get(shape.name)! + (grown.get(shape.name) ?? 0)
          if (has > COUNTED) continue
          const wants = await countOf(tx, shape.name)
          if (has !== wants) throw conflict(`${shape.name} has ${has} rows in the target and ${wants} in the source. Give this move up and begin anew with a fresh database; the source is as it was.`)
        }
        if (performance.now() > until) throw new TooSlow()
        await leaveSource(tx, options.now())
      })
      await at('left')
      // Nothing from here on may keep the others waiting or undo it: the source has been left, and a start finds the way by that row.
      const kept = async (what: string, todo: Promise<void>): Promise<void> => todo.catch((thrown: unknown) => options.warn?.(what, thrown))
      await kept('The note of where the database is could not be written', options.left())
      await kept('The target could not be told that it is the database now', endTarget(next.as<Any>(), options.now()))
      await at('noted')
      used = true
      await kept('The database that was left could not be closed', shut.switchTo(next))
    } finally {
      shut.open()
    }
    await at('switched')
    return true
  } catch (thrown) {
    await underWay(async () => writing)
    if (thrown instanceof TooSlow) return false
    throw thrown
  } finally {
    if (!used) await next.close()
  }
}
