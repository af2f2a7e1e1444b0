/** The move of a cloud's database to another place: begun, stopped, gone on with, given up. One at a time; what is under way stands in the two databases and in `database.json`. */
import { asFault, Fault, faultChain, invalid } from '#base/fault.ts'
import { flowMigrations } from '#base/flow/journal.ts'
import type { Database } from '#base/sql/database.ts'
import type { TableMove } from '#base/sql/move/copy.ts'
import { type LiveReport, moveLive } from '#base/sql/move/live.ts'
import { moveDatabase } from '#base/sql/move/offline.ts'
import { countChanges, releaseSource, sourceMove } from '#base/sql/move/source.ts'
import { clearTarget } from '#base/sql/move/target.ts'
import { openDatabase } from '#base/sql/open.ts'
import type { HouseMigrations } from '#base/sql/table.ts'
import type { World } from '#base/world.ts'
import type { CloudConfig } from './config.ts'
import type { Home } from './database-home.ts'
import { type DatabaseNote, readNote, removeNote, samePlace, shownUrl, writeNote } from './database-note.ts'
import { houses } from './houses.ts'

export interface DatabaseMoveParts {
  home: Home
  dataDir: string
  config: CloudConfig['database']
  world: World
  /** In a cloud that serves. */
  live: boolean
  onQuery?: (sql: string, ms: number) => void
  /** Told at every step, for tests that die there. */
  at?: ((step: string) => void | Promise<void>) | undefined
}

/** `none`: there is nothing to tell. */
export interface MoveView extends Partial<LiveReport> {
  state: 'none' | 'moving' | 'stopped' | 'failed' | 'moved'
  /** Where the database is now. */
  engine: string
  place: string
  to?: string
  error?: string
  moved?: TableMove[]
  /** The configuration names the place that was left. */
  configured?: boolean
}

export const cloudMigrations = (): HouseMigrations[] => [{ house: 'base', migrations: flowMigrations }, ...houses.map((house) => house.plate.migrations)]

export class DatabaseMove {
  readonly #parts: DatabaseMoveParts
  #view: Omit<MoveView, 'engine' | 'place'> = { state: 'none' }
  #stop: AbortController | undefined
  #running: Promise<void> | undefined

  constructor(parts: DatabaseMoveParts) {
    this.#parts = parts
  }

  async view(): Promise<MoveView> {
    const { home, dataDir } = this.#parts
    const now = { engine: home.database.engine, place: shownUrl(home.url) }
    if (this.#view.state === 'none' || this.#view.state === 'stopped') {
      const note = await readNote(dataDir)
      if (note?.state === 'moving') return { ...now, state: 'stopped', to: shownUrl(note.to), behind: home.movable && (await sourceMove(home.database)) ? await countChanges(home.database) : 0 }
    }
    return { ...now, ...this.#view }
  }

  /** Begins, or goes on; `done` tells how it came out. Whoever asks again for the same place finds the one that is under way. */
  async start(to: string): Promise<void> {
    if (!/^(sqlite|postgres|postgresql|mysql|mariadb):/.test(to)) throw invalid('Say where to: --to postgres://user:secret@host/db, mysql://… or sqlite:/path', { field: 'to' })
    const { home, dataDir, world } = this.#parts
    if (this.#running && this.#view.state === 'moving') {
      if (this.#view.to !== shownUrl(to)) throw invalid(`A move to ${this.#view.to} is under way.`, { field: 'to' })
      return
    }
    if (samePlace(home.url, to)) {
      this.#view = { ...this.#view, state: 'moved', to: shownUrl(to) }
      return
    }
    if (this.#parts.live && home.database.engine !== 'sqlite') throw invalid(`The database is in ${shownUrl(home.url)}, where several processes may write: it moves while the cloud is stopped. On every machine: ./ondol down; then this command again.`)
    const known = await readNote(dataDir)
    const begun = known?.state === 'moving' && (await sourceMove(home.database))?.move_id === known.id
    if (begun && !samePlace(known.to, to)) throw invalid(`A move to ${shownUrl(known.to)} is not at its end: go on with it, or give it up with --abandon.`, { field: 'to' })
    const note: DatabaseNote = { id: begun ? known.id : world.random.uuid(), from: home.url, to, state: 'moving' }
    const target = await openDatabase({ url: to, durability: 'safe', connections: 4 })
    await writeNote(dataDir, note)
    this.#stop = new AbortController()
    this.#view = { state: 'moving', to: shownUrl(to), phase: 'preparing' }
    this.#running = this.#run(target, note, this.#stop.signal).finally(() => target.close())
  }

  get done(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  async #run(target: Database, note: DatabaseNote, signal: AbortSignal): Promise<void> {
    const { home, dataDir, config, world, onQuery, at } = this.#parts
    const log = world.log.module('move')
    const move = { id: note.id, place: shownUrl(note.to) }
    const now = (): number => world.clock.now()
    try {
      log.info('Moving the database', { to: move.place })
      const moved = home.movable
        ? await moveLive(home.movable, target, cloudMigrations(), {
            move,
            now,
            signal,
            at: at ?? (() => {}),
            next: () => openDatabase({ url: note.to, durability: config.durability, connections: config.connections, ...(onQuery ? { onQuery } : {}) }),
            left: async () => {
              home.url = note.to
              await writeNote(dataDir, { ...note, state: 'moved' })
            },
            report: (report) => {
              this.#view = { state: 'moving', to: move.place, ...report }
            },
            warn: (message, error) => log.warn(message, { error }),
          })
        : await moveDatabase(home.database, target, cloudMigrations(), { move, now, signal, report: ({ table, rows }) => {
            this.#view = { state: 'moving', to: move.place, phase: 'copying', rows, reason: table }
          } })
      if (moved && !home.movable) {
        home.url = note.to
        await writeNote(dataDir, { ...note, state: 'moved' })
      }
      this.#view = moved ? { state: 'moved', to: move.place, moved, configured: config.url !== '' && samePlace(config.url, note.from) } : { state: 'stopped', to: move.place }
      log.info(moved ? 'The database has moved' : 'The move was stopped', { to: move.place })
    } catch (thrown) {
      const fault = asFault(thrown)
      this.#view = { state: 'failed', to: move.place, error: fault.kind === 'internal' ? faultChain(thrown) : fault.message }
      log.error('Failed to move the database', { error: thrown })
    }
  }

  /** Stands still from now on; what changes is still written down. */
  async stop(): Promise<void> {
    this.#stop?.abort()
    await this.#running
  }

  /** Gives it up: the database stays where it is, and what the target has got is removed where it can be reached (`cleared`). */
  async abandon(): Promise<{ abandoned: boolean; cleared: boolean }> {
    const { home, dataDir } = this.#parts
    await this.stop()
    const note = await readNote(dataDir)
    if (note?.state !== 'moving') throw invalid(note ? `The database has moved to ${shownUrl(note.to)} already; there is nothing to give up.` : 'No move is under way.')
    await releaseSource(home.movable?.current ?? home.database)
    let cleared = false
    const target = await openDatabase({ url: note.to, connections: 2 })
    try {
      cleared = await clearTarget(home.database, target, note.id)
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown
    } finally {
      await target.close()
    }
    await removeNote(dataDir)
    this.#view = { state: 'none' }
    return { abandoned: true, cleared }
  }
}
