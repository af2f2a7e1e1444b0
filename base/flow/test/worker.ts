/** A process with one engine, for tests that kill it: `node worker.ts <database url> <lease ms> <flows>`. Says `held` when a step of every flow is under way. */
import { openDatabase } from '../../sql/open.ts'
import { world } from '../../world.ts'
import { FlowEngine } from '../engine.ts'
import { waitingFlow } from './takeover.ts'

const [url, lease, count] = process.argv.slice(2)
if (url !== undefined) await work(url, Number(lease), Number(count))

async function work(url: string, lease: number, count: number): Promise<void> {
  const db = await openDatabase({ url, durability: 'fast' })
  let under = 0
  const flow = waitingFlow(async (_id, signal) => {
    if (++under === count) process.stdout.write('held\n')
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  })
  const engine = new FlowEngine({ house: 'takeover', db, world: world(), owner: `worker:${process.pid}`, lease }, [flow as never])
  engine.open()
  for (let i = 0; i < count; i++) await db.transaction((tx) => engine.start(tx as never, flow, { id: String(i) }, { resource_kind: 'thing', resource_id: String(i) }))
  // Timers of engines keep no process alive.
  setInterval(() => {}, 1_000)
}
