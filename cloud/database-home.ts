/**
 * Opens the database of a cloud where it is now: where the configuration says, else in the data folder, else where it has moved to from there. Who is
 * named a database that is no longer, or not yet, the truth is told so.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault, invalid } from '#base/fault.ts'
import type { Database, QueryLog } from '#base/sql/database.ts'
import { type Movable, movable } from '#base/sql/movable.ts'
import { sourceMove } from '#base/sql/move/source.ts'
import { endTarget, targetMove } from '#base/sql/move/target.ts'
import { openDatabase } from '#base/sql/open.ts'
import type { CloudConfig } from './config.ts'
import { type DatabaseNote, notePath, readNote, samePlace, shownUrl, writeNote } from './database-note.ts'

export interface HomeParts {
  dataDir: string
  config: CloudConfig['database']
  onQuery?: QueryLog
  now(): number
  /** To go on with a move, or give it up, also where nothing may start meanwhile. */
  forMove?: boolean
}

export interface Home {
  /** Follows a move. */
  readonly database: Database
  /** Of an SQLite file, which may move while it is used. */
  readonly movable: Movable | undefined
  /** With its secret. */
  url: string
}

type Opener = (url: string) => Promise<Database>

export async function openHome(parts: HomeParts): Promise<Home> {
  const { dataDir, config } = parts
  const open: Opener = (url) => openDatabase({ url, durability: config.durability, connections: config.connections, ...(parts.onQuery ? { onQuery: parts.onQuery } : {}) })
  const named = config.url
  const embedded = `sqlite:${join(dataDir, 'ondol.db')}`
  const note = await settled(await readNote(dataDir), dataDir, open, parts.now)
  const lies = note === undefined ? embedded : note.state === 'moved' ? note.to : note.from
  if (note?.state === 'moving' && !note.from.startsWith('sqlite:') && !parts.forMove) throw halfWay(note)
  if (note && named !== '' && !samePlace(named, lies)) await assertKnows(named, note, dataDir, open)
  const url = named || lies
  const database = await open(url)
  try {
    await assertLives(database, url, dataDir)
  } catch (thrown) {
    await database.close()
    throw thrown
  }
  const moving = database.engine === 'sqlite' ? movable(database) : undefined
  return { database: moving?.database ?? database, movable: moving, url }
}

/** A move that had left the source when its process died has ended: the source says so. */
async function settled(note: DatabaseNote | undefined, dataDir: string, open: Opener, now: () => number): Promise<DatabaseNote | undefined> {
  if (note?.state !== 'moving' || !note.from.startsWith('sqlite:')) return note
  const path = note.from.slice('sqlite:'.length)
  await access(path).catch(() => {
    throw invalid(`${notePath(dataDir)} tells of a move out of ${path}, which is not there.`)
  })
  const source = await open(note.from)
  try {
    const move = await sourceMove(source)
    if (move?.move_id !== note.id || move.moved_at === null) return note
  } finally {
    await source.close()
  }
  const target = await open(note.to)
  try {
    await endTarget(target, now())
  } finally {
    await target.close()
  }
  const moved: DatabaseNote = { ...note, state: 'moved' }
  await writeNote(dataDir, moved)
  return moved
}

const halfWay = (note: DatabaseNote): Fault =>
  invalid(`The database is on its way from ${shownUrl(note.from)} to ${shownUrl(note.to)}: end the move with ./ondol data move --to …, or give it up with ./ondol data move --abandon.`, { field: 'database.url' })

/** The configuration may spell the place to which the database has moved in another way; it may not name another. */
async function assertKnows(named: string, note: DatabaseNote, dataDir: string, open: Opener): Promise<void> {
  if (note.state === 'moving') throw halfWay(note)
  const words = `The database of this cloud has moved to ${shownUrl(note.to)}, but database.url names ${shownUrl(named)}. Take database.url out of the configuration, or name the new place there. (${notePath(dataDir)} knows it; without that file the configuration alone counts.)`
  if (samePlace(named, note.from)) throw invalid(words, { field: 'database.url' })
  const database = await open(named)
  try {
    if ((await targetMove(database))?.move_id !== note.id) throw invalid(words, { field: 'database.url' })
  } finally {
    await database.close()
  }
}

async function assertLives(database: Database, url: string, dataDir: string): Promise<void> {
  const left = await sourceMove(database)
  if (left?.moved_at) throw invalid(`The database in ${shownUrl(url)} has moved to ${left.place}, and ${notePath(dataDir)}, which names that place with its password, is not there or tells of another: name it as database.url.`, { field: 'database.url' })
  const come = await targetMove(database)
  if (come && come.ended_at === null) throw invalid(`A move into ${shownUrl(url)} is not at its end; the truth is still where it came from.`, { field: 'database.url' })
}
