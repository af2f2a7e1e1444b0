/** A MariaDB of its own for a test: loopback port, temporary folder, no fsync. Undefined when it is not installed. */
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { findTool, freePorts, privateDir, runOnce, startDaemon, unprivileged } from '../../test/daemon.ts'
import type { SqlServer } from './server.ts'

export async function startMariadb(): Promise<SqlServer | undefined> {
  const tool = findTool('mariadbd')
  const install = findTool('mariadb-install-db')
  if (!tool || !install) return undefined
  const began = performance.now()
  const user = unprivileged('mysql')
  const { dir, remove } = await privateDir('ondol-mariadb-', user)
  const data = join(dir, 'data')
  const [port = 0] = await freePorts(1)
  const admin = async (sql: string): Promise<void> => {
    const connection = await createConnection({ host: '127.0.0.1', port, user: 'root', connectTimeout: 2_000 })
    try {
      await connection.query(sql)
    } finally {
      await connection.end()
    }
  }
  try {
    await runOnce(install, ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve', '--cross-bootstrap'], user, { TMPDIR: dir })
    const settings = [
      '--no-defaults',
      `--datadir=${data}`,
      // A MariaDB that starts takes away temporary tables that it finds, be they of another one.
      `--tmpdir=${dir}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      `--socket=${join(dir, 'socket')}`,
      `--pid-file=${join(dir, 'pid')}`,
      '--skip-name-resolve',
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-flush-method=nosync',
      '--innodb-doublewrite=0',
      '--innodb-buffer-pool-size=64M',
      '--innodb-log-file-size=32M',
      '--innodb-fast-shutdown=2',
      '--max-connections=200',
    ]
    const daemon = await startDaemon({ tool, args: settings, user, dir, ready: () => admin('select 1') })
    let serial = 0
    return {
      engine: 'mysql',
      startedIn: Math.round(performance.now() - began),
      async createDatabase() {
        const name = `test_${++serial}`
        await admin(`create database ${name} character set utf8mb4 collate utf8mb4_bin`)
        return `mariadb://root@127.0.0.1:${port}/${name}`
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
