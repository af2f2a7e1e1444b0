/** A PostgreSQL of its own for a test: loopback port, temporary folder, no fsync. Undefined when it is not installed. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { findTool, freePorts, privateDir, runOnce, startDaemon, unprivileged } from '../../test/daemon.ts'
import type { SqlServer } from './server.ts'

/** Debian keeps the programs of each version apart. */
function programs(): string[] {
  try {
    return readdirSync('/usr/lib/postgresql')
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join('/usr/lib/postgresql', version, 'bin'))
  } catch {
    return []
  }
}

/** `more`: further settings of the server, `name=value`. */
export async function startPostgres(more: readonly string[] = []): Promise<SqlServer | undefined> {
  const [tool, initdb] = ['postgres', 'initdb'].map((name) => findTool(name, programs()))
  if (!tool || !initdb) return undefined
  const began = performance.now()
  const user = unprivileged('postgres')
  const { dir, remove } = await privateDir('ondol-postgres-', user)
  const data = join(dir, 'data')
  const [port = 0] = await freePorts(1)
  const url = (database: string): string => `postgres://ondol@127.0.0.1:${port}/${database}`
  const admin = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url('postgres'), connectionTimeoutMillis: 2_000 })
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }
  try {
    await runOnce(initdb, ['-D', data, '-U', 'ondol', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions'], user)
    const settings = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${dir}`, 'fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=200', 'shared_buffers=32MB', ...more]
    const daemon = await startDaemon({ tool, args: ['-D', data, ...settings.flatMap((one) => ['-c', one])], user, dir, ready: () => admin('select 1'), stopSignal: 'SIGINT' })
    let serial = 0
    return {
      engine: 'postgres',
      startedIn: Math.round(performance.now() - began),
      socketFolder: dir,
      async createDatabase() {
        const name = `test_${++serial}`
        await admin(`create database ${name}`)
        return url(name)
      },
      kill: () => daemon.kill(),
      async stop() {
        await daemon.stop()
        await remove()
      },
    }
  } catch (thrown) {
    await remove()
    throw thrown
  }
}
