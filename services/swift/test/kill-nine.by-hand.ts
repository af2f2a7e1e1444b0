/**
 * The deaths of `kill-nine.test.ts` where several processes serve one store: PostgreSQL (or MariaDB: `mariadb`) has the rows, Debian's radosgw the
 * bytes (or a folder: `files`), and one of two processes is killed each time. `node services/swift/test/kill-nine.by-hand.ts [postgres|mariadb] [rgw|files] [rounds] [clients]`.
 */
import { startMariadb } from '#base/sql/test/mariadb.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import { killed } from './kill-nine.clients.ts'
import { startRadosgw } from './radosgw.maker.ts'

const [engine = 'postgres', bytes = 'rgw', rounds = '20', clients = '1000'] = process.argv.slice(2)
const server = await (engine === 'mariadb' ? startMariadb : startPostgres)()
const rgw = bytes === 'rgw' ? await startRadosgw() : undefined
if (!server || (bytes === 'rgw' && !rgw)) throw new Error('the database or radosgw is not installed, or this is not root')
try {
  const began = performance.now()
  await killed({ rounds: Number(rounds), clients: Number(clients), processes: 2, database: await server.createDatabase(), settings: rgw ? { driver: 's3', s3: { url: rgw.url, bucket: 'bytes', region: 'us-east-1', access_key: rgw.access_key, secret_key: rgw.secret_key } } : {} })
  console.log(`${rounds} deaths of one of two processes among ${clients} clients, on ${server.engine} and ${bytes}: nothing is lost (${Math.round((performance.now() - began) / 1000)} s)`)
} finally {
  await server.stop()
  await rgw?.stop()
}
