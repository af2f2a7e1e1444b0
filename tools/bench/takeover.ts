/** After the death of a worker: how soon its flows go on in another process, with the default lease, on PostgreSQL or else on SQLite. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureTakeover } from '#base/flow/test/takeover.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'

export async function takeover(say: (line: string) => void): Promise<Record<string, unknown>> {
  const server = await startPostgres()
  const dir = await mkdtemp(join(tmpdir(), 'ondol-bench-takeover-'))
  try {
    const found = await measureTakeover(server ? await server.createDatabase() : `sqlite:${join(dir, 'bench.db')}`)
    say(`${server ? 'PostgreSQL' : 'SQLite'}: ${found.flows} flows of a killed worker went on elsewhere after ${(found.first_ms / 1000).toFixed(1)} to ${(found.last_ms / 1000).toFixed(1)} s (lease ${found.lease_ms / 1000} s)`)
    return { engine: server ? 'postgres' : 'sqlite', ...found }
  } finally {
    await server?.stop()
    await rm(dir, { recursive: true, force: true })
  }
}
