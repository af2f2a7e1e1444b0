/**
 * Runs the tests of the houses and of flows on PostgreSQL and on MariaDB: `node tools/test-engines.ts [path…]`.
 * Each server is started for it and removed afterwards; one that is not installed is skipped.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { startMariadb } from '#base/sql/test/mariadb.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import { add, type Counts, nodeTests } from './test-parts.ts'

/** The counts over both engines. `wanted` says which test files run; of those `only` these. */
export async function testEngines(wanted: (file: string) => boolean, only?: ReadonlySet<string>): Promise<Counts> {
  let sum: Counts = { passed: 0, failed: 0, skipped: 0 }
  for (const start of [startPostgres, startMariadb]) {
    const server = await start()
    if (!server) {
      sum.skipped++
      continue
    }
    console.log(`\nOn ${server.engine} (came up in ${server.startedIn} ms)`)
    try {
      process.env.ONDOL_TEST_DATABASE = await server.createDatabase()
      sum = add(sum, await nodeTests((file) => wanted(file) && !/\.(real|engine|tempest|client|browser|machines|ceph)\.test\.ts$/.test(file), { only }))
    } finally {
      delete process.env.ONDOL_TEST_DATABASE
      await server.stop()
    }
  }
  return sum
}

/** Tests that touch a database. */
export const touchesDatabase = (file: string): boolean => /^(services\/\w+\/(test|api|store|flows|processes)|stack|base\/flow)\/|^base\/sql\/move\//.test(file)

/** Flows broken at every step, each time in a cloud of its own: minutes on a server. `./ondol test engines-flows` runs them there. */
export const breaksFlows = (file: string): boolean => touchesDatabase(file) && /flow\/kit/.test(readFileSync(resolve(import.meta.dirname, '..', file), 'utf8'))

if (import.meta.main) {
  const paths = process.argv.slice(2)
  const { passed, failed, skipped } = await testEngines((file) => (paths.length ? paths.some((path) => file.startsWith(path)) : touchesDatabase(file)))
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exitCode = failed > 0 ? 1 : 0
}
