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
    case 'postgres':
    case 'postgresql':
      return (await import('./postgres.ts')).openPostgres(options)
    case 'mysql':
    case 'mariadb':
      return (await import('./mysql.ts')).openMysql(options)
    default:
      throw invalid(`Unknown database URL scheme "${scheme}": use sqlite:, postgres:, mysql: or mariadb:`, { field: 'database.url' })
  }
}
