/** One-time tokens of consoles, by their hashes. */
import type { NovaSql } from './servers.ts'
import type { ConsoleTokenRow } from './tables.ts'

export async function insertConsoleToken(sql: NovaSql, row: ConsoleTokenRow): Promise<void> {
  await sql.query.insertInto('nova_console_tokens').values(row).execute()
}

export async function consoleToken(sql: NovaSql, hash: string, now: number): Promise<ConsoleTokenRow | undefined> {
  return sql.query.selectFrom('nova_console_tokens').selectAll().where('token_hash', '=', hash).where('expires_at', '>', now).executeTakeFirst()
}

export async function dropConsoleTokens(sql: NovaSql, by: { server_id: string } | { expired_at: number }): Promise<void> {
  const q = sql.query.deleteFrom('nova_console_tokens')
  await ('server_id' in by ? q.where('server_id', '=', by.server_id) : q.where('expires_at', '<=', by.expired_at)).execute()
}

/** Uses a token: it is good once. */
export async function takeConsoleToken(sql: NovaSql, hash: string, now: number): Promise<ConsoleTokenRow | undefined> {
  const done = await sql.query.updateTable('nova_console_tokens').set({ used: 1 }).where('token_hash', '=', hash).where('used', '=', 0).where('expires_at', '>', now).executeTakeFirst()
  return done.numUpdatedRows === 1n ? consoleToken(sql, hash, now) : undefined
}
