/** `ondol simulate`. */
import { simulate as run, type SimulationResult } from '../simulate/simulation.ts'
import { age, paint } from './table.ts'

export interface SimulateOptions {
  seed?: number
  seconds?: number
  hosts?: number
  operations?: number
  harsh?: boolean
}

export async function simulate(options: SimulateOptions): Promise<void> {
  const end = performance.now() + (options.seconds ?? 0) * 1000
  let failed = 0
  let runs = 0
  let operations = 0
  let cloud_ms = 0
  let seed = options.seed ?? Math.floor(Math.random() * 2 ** 31)
  do {
    const began = performance.now()
    const result = await run({ seed, hosts: options.hosts ?? 100, operations: options.operations ?? 400, users: 5, ...(options.harsh ? { harsh: true } : {}) })
    report(result, performance.now() - began)
    runs++
    operations += result.operations
    cloud_ms += result.cloud_ms
    if (result.broken.length > 0) failed++
    seed = (seed * 48_271) % 2_147_483_647
  } while (performance.now() < end)
  process.stdout.write(`${runs} runs, ${operations} operations, ${age(cloud_ms)} of cloud time, ${failed} failed\n`)
  process.exitCode = failed > 0 ? 1 : 0
}

function report(result: SimulationResult, ms: number): void {
  const answers = Object.entries(result.answers).sort().map(([status, count]) => `${status}: ${count}`).join(', ')
  const mark = result.broken.length === 0 ? paint('green', '✔') : paint('red', '✖')
  process.stdout.write(`${mark} seed ${result.seed}: ${result.operations} operations (${answers}), ${result.deaths} deaths and ${result.agent_deaths} of agents and ${result.api_deaths} in requests, ${result.failures} failures, ${age(result.cloud_ms)} of cloud time in ${(ms / 1000).toFixed(1)} s\n`)
  for (const line of result.broken.slice(0, 40)) process.stdout.write(`    ${line}\n`)
  if (result.broken.length > 0) process.stdout.write(`    replay: ./ondol simulate --seed ${result.seed} (with the same options)\n`)
}
