/** How long flows wait when the process that runs them is killed: another process's engine on the same database goes on with them. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { openDatabase } from '../../sql/open.ts'
import { migrate } from '../../sql/table.ts'
import { world } from '../../world.ts'
import { defineFlow, type Flow } from '../definition.ts'
import { FlowEngine } from '../engine.ts'
import { flowMigrations, type FlowTables } from '../journal.ts'

export const waitingFlow = (work: (id: string, signal: AbortSignal) => Promise<void>): Flow<{ id: string }> =>
  defineFlow('wait', { deadline: 300_000 }, async (f, p) => {
    await f.step('first', () => p.id)
    await f.step('work', (signal) => work(p.id, signal))
  })

export interface Takeover {
  /** How many went on, each counted once for every time it did. */
  flows: number
  lease_ms: number
  /** From the death until the first, and until the last flow went on, milliseconds. */
  first_ms: number
  last_ms: number
  /** In which states the flows are at the end. */
  states: string[]
}

/** `url` is of an empty database. */
export async function measureTakeover(url: string, { lease = 10_000, flows = 50 }: { lease?: number; flows?: number } = {}): Promise<Takeover> {
  const db = await openDatabase({ url, durability: 'fast' })
  const went: number[] = []
  const engine = new FlowEngine({ house: 'takeover', db, world: world(), owner: `survivor:${process.pid}`, lease }, [waitingFlow(async () => void went.push(performance.now())) as never])
  try {
    await migrate(db, [{ house: 'base', migrations: flowMigrations }], Date.now())
    engine.open()
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'worker.ts'), url, String(lease), String(flows)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const gone = new Promise((resolve) => child.once('exit', resolve))
    try {
      await new Promise<void>((resolve, reject) => {
        child.stdout.on('data', (text: Buffer) => text.includes('held') && resolve())
        child.once('exit', (code) => reject(new Error(`the worker ended with ${code}`)))
      })
      if (went.length > 0) throw new Error('a living worker lost a flow')
    } finally {
      child.kill('SIGKILL')
      await gone
    }
    const died = performance.now()
    const tables = db.as<FlowTables>()
    const states = async (): Promise<string[]> => (await tables.query.selectFrom('flows').select('state').distinct().execute()).map((row) => row.state)
    while ((await states()).join() !== 'done' && performance.now() - died < 4 * lease) await new Promise((resolve) => setTimeout(resolve, 20))
    return { flows: went.length, lease_ms: lease, first_ms: Math.min(...went) - died, last_ms: Math.max(...went) - died, states: await states() }
  } finally {
    await engine.close()
    await db.close()
  }
}
