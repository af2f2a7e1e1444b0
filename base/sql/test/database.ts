/**
 * The database of one test: an SQLite file in a temporary folder; or, where `ONDOL_TEST_DATABASE` names a PostgreSQL or MariaDB
 * server, a fresh database there. So the same store and house tests run on every engine (`tools/test-engines.ts`).
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { Database } from '../database.ts'
import { openDatabase } from '../open.ts'

export interface TestDatabase<Schema = Record<never, never>> {
  readonly db: Database<Schema>
  readonly url: string
  /** Closes the database and removes it. */
  close(): Promise<void>
}

export async function testDatabase<Schema = Record<never, never>>(onQuery?: (sql: string) => void): Promise<TestDatabase<Schema>> {
  const server = process.env.ONDOL_TEST_DATABASE
  if (!server) {
    const dir = await mkdtemp(join(tmpdir(), 'ondol-test-'))
    const url = `sqlite:${join(dir, 'test.db')}`
    const db = await openDatabase({ url, durability: 'none', ...(onQuery ? { onQuery } : {}) })
    return {
      db: db.as<Schema>(),
      url,
      async close() {
        await db.close()
        await rm(dir, { recursive: true, force: true })
      },
    }
  }
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const admin = async (statement: string): Promise<void> => {
    const db = await openDatabase({ url: server, connections: 1 })
    try {
      await sql.raw(statement).execute(db.query)
    } finally {
      await db.close()
    }
  }
  await admin(`create database ${name}`)
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href
  const db = await openDatabase({ url, durability: 'fast' })
  return {
    db: db.as<Schema>(),
    url,
    async close() {
      await db.close()
      await admin(`drop database ${name}`)
    },
  }
}
