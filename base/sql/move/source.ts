/**
 * What a source knows about the move out of it. On SQLite triggers write down the key of every row that changes, in the transaction that changes it, whoever
 * does so; and once the database has moved, they refuse every change: the row that says so is the switch and the fence in one.
 */
import { sql } from 'kysely'
import { conflict } from '../../fault.ts'
import type { Database, Sql } from '../database.ts'
import { big, type HouseMigrations, id, int, migrate, nullable, text } from '../table.ts'
import { type Any, hasTable, type Shape } from './catalog.ts'

const SOURCE = 'move_source'
const CHANGES = 'move_changes'
/** A trigger on these many tables at a time: making all at once would keep everybody waiting, and after each time every connection reads the tables anew. */
const AT_ONCE = 25

const sourceMigrations: HouseMigrations = {
  house: 'move-source',
  migrations: [
    {
      name: '0001-source',
      up: async (m) => {
        await m.createTable(SOURCE, { number: int(), move_id: id(), place: text(), began_at: big(), moved_at: nullable(big()) }, { primary: ['number'] })
        // Numbers that were given once are never given again.
        if (m.engine === 'sqlite') await sql.raw(`create table ${CHANGES} (id integer primary key autoincrement, table_name text not null, row_key text not null)`).execute(m.query)
      },
    },
  ],
}

export interface SourceMove {
  move_id: string
  /** Where to, without the secret. */
  place: string
  /** Set once this database is no longer the truth. */
  moved_at: number | null
}

/** The move out of this database; undefined when there is none. */
export async function sourceMove(db: Sql<Any>): Promise<SourceMove | undefined> {
  if (!(await hasTable(db, SOURCE))) return undefined
  const row = await db.query.selectFrom(SOURCE).select(['move_id', 'place', 'moved_at']).executeTakeFirst()
  return row && { ...row, moved_at: row.moved_at === null ? null : Number(row.moved_at) }
}

/** Throws `conflict` while another move is under way. */
export async function beginSource(db: Database<Any>, move: { id: string; place: string }, now: number): Promise<void> {
  await migrate(db, [sourceMigrations], now)
  const begun = await sourceMove(db)
  if (begun && begun.move_id !== move.id) throw conflict(begun.moved_at === null ? `A move to ${begun.place} is under way.` : `This database has moved to ${begun.place}.`)
  if (!begun) await db.transaction(async (tx) => void (await tx.query.insertInto(SOURCE).values({ number: 1, move_id: move.id, place: move.place, began_at: now, moved_at: null }).execute()))
}

/** Marks it as no longer the truth. */
export async function leaveSource(tx: Sql<Any>, now: number): Promise<void> {
  await tx.query.updateTable(SOURCE).set({ moved_at: now }).where('moved_at', 'is', null).execute()
}

const q = (name: string): string => `"${name}"`
const keyAs = (shape: Shape, row: 'new' | 'old'): string => `json_array(${shape.key.map((column) => `${row}.${q(column)}`).join(', ')})`

/** From the return of this on every change is written down. May be repeated; tables that have come since get theirs. */
export async function capture(db: Database<Any>, shapes: readonly Shape[], yielding: () => Promise<void>): Promise<void> {
  for (let i = 0; i < shapes.length; i += AT_ONCE) {
    await db.transaction(async (tx) => {
      for (const shape of shapes.slice(i, i + AT_ONCE)) for (const statement of triggersOf(shape)) await sql.raw(statement).execute(tx.query)
    })
    await yielding()
  }
}

function triggersOf(shape: Shape): string[] {
  const table = q(shape.name)
  const fence = `select raise(abort, 'This database has moved') from ${SOURCE} where moved_at is not null;`
  const note = (row: 'new' | 'old'): string => `insert into ${CHANGES} (table_name, row_key) values ('${shape.name}', ${keyAs(shape, row)});`
  const trigger = (name: string, when: string, body: string): string => `create trigger if not exists ${q(`move_${name}_${shape.name}`)} after ${when} begin ${body} end`
  return [
    trigger('insert', `insert on ${table}`, `${fence} ${note('new')}`),
    trigger('update', `update on ${table}`, `${fence} ${note('new')}`),
    trigger('rename', `update of ${shape.key.map(q).join(', ')} on ${table} when ${keyAs(shape, 'old')} <> ${keyAs(shape, 'new')}`, note('old')),
    trigger('delete', `delete on ${table}`, `${fence} ${note('old')}`),
  ]
}

export interface Change { id: number; table_name: string; row_key: string }

/** The oldest first. */
export async function changesOf(db: Sql<Any>, limit: number): Promise<Change[]> {
  return (await db.query.selectFrom(CHANGES).select(['id', 'table_name', 'row_key']).orderBy('id').limit(limit).execute()) as Change[]
}

export async function dropChanges(tx: Sql<Any>, upTo: number): Promise<void> {
  await tx.query.deleteFrom(CHANGES).where('id', '<=', upTo).execute()
}

/** Keys of the rows of this table whose changes wait. */
export async function waitingIn(db: Sql<Any>, table: string): Promise<Set<string>> {
  const rows = (await db.query.selectFrom(CHANGES).select('row_key').distinct().where('table_name', '=', table).execute()) as { row_key: string }[]
  return new Set(rows.map((one) => one.row_key))
}

/** Numbers of the oldest and the newest change that waits; undefined when none does. */
export async function span(db: Sql<Any>): Promise<{ oldest: number; newest: number } | undefined> {
  const end = (direction: 'asc' | 'desc'): Promise<{ id: number } | undefined> => db.query.selectFrom(CHANGES).select('id').orderBy('id', direction).limit(1).executeTakeFirst() as never
  const [oldest, newest] = [await end('asc'), await end('desc')]
  return oldest && newest && { oldest: oldest.id, newest: newest.id }
}

export async function countChanges(db: Sql<Any>): Promise<number> {
  const found = await span(db)
  return found ? found.newest - found.oldest + 1 : 0
}

/** Nothing is written down any more, and another move may begin. Throws `conflict` when the database has moved already. */
export async function releaseSource(db: Database<Any>): Promise<void> {
  const begun = await sourceMove(db)
  if (begun?.moved_at) throw conflict(`This database has moved to ${begun.place}; there is nothing left to give up.`)
  if (!begun) return
  if (db.engine !== 'sqlite') {
    await db.query.deleteFrom(SOURCE).execute()
    return
  }
  const triggers = ((await sql`select name from sqlite_master where type = 'trigger' and name like 'move@_%' escape '@'`.execute(db.query)).rows as { name: string }[]).map((one) => one.name)
  await db.transaction(async (tx) => {
    for (const name of triggers) await sql.raw(`drop trigger if exists ${q(name)}`).execute(tx.query)
    await tx.query.deleteFrom(CHANGES).execute()
    await tx.query.deleteFrom(SOURCE).execute()
  })
}
