/** Opens a database by its URL. The engines' clients are loaded only when asked for. */
import { invalid } from '../fault.ts'
import type { Database, OpenOptions } from './database.ts'
import { openSqlite } from './sqlite.ts'

export async function openDatabase(options: OpenOptions): Promise<Database> {
  const scheme = options.url.slice(0, options.url.indexOf(':'))
  switch (scheme) {
    case 'sqlite':
      return openSqlite({
        path: options.url.slice('sqlite:'.length),
        durability: options.durability ?? 'fast',
        ...(options.onQuery ? { onQuery: options.onQuery } : {}),
      })
    default:
      throw invalid(`Unknown database URL scheme "${scheme}": use sqlite:, postgres: or mysql:`, { field: 'database.url' })
  }
}
