/** The parts of the test suite, in the order in which they run. */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { run as runTests } from 'node:test'
import { spec } from 'node:test/reporters'
import { join, resolve } from 'node:path'

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

export interface TestPart {
  name: string
  what: string
  /** Runs only when asked for. */
  onlyByName?: boolean
  run(): Promise<Counts>
}

const root = resolve(import.meta.dirname, '..')

export const parts: readonly TestPart[] = [
  { name: 'types', what: 'the TypeScript compiler over the whole tree', run: () => command(process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit']) },
  { name: 'lint', what: 'oxlint over the whole tree', run: () => command('node_modules/.bin/oxlint', ['--quiet']) },
  { name: 'unit', what: 'unit tests, flows broken at every step, and wire scenarios against the whole cloud with fake drivers', run: () => nodeTests((file) => !/\.(real|engine|tempest|client)\.test\.ts$/.test(file)) },
  { name: 'engines', what: 'the same on PostgreSQL, MariaDB and RabbitMQ', run: engines },
  { name: 'real', what: 'the real drivers: packets, disks and guests', run: () => nodeTests((file) => file.endsWith('.real.test.ts'), 1) },
]

/** The engines' own tests, then the houses' tests on each engine. */
async function engines(): Promise<Counts> {
  const own = await nodeTests((file) => file.endsWith('.engine.test.ts'))
  const { testEngines, touchesDatabase } = await import('./test-engines.ts')
  const houses = await testEngines(touchesDatabase)
  return { passed: own.passed + houses.passed, failed: own.failed + houses.failed, skipped: own.skipped + houses.skipped }
}

/** Runs the tests whose path the filter takes, one process a file. */
export async function nodeTests(filter: (file: string) => boolean, concurrency = 2): Promise<Counts> {
  const files = globSync('{base,stack,host,services,cloud,tools,conformance,console}/**/*.test.ts', { cwd: root, exclude: (name) => String(name).includes('node_modules') }).filter(filter).sort()
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  if (files.length === 0) return counts
  const stream = runTests({ files: files.map((file) => join(root, file)), concurrency, timeout: 900_000 })
  // Files count as tests of their own around what they hold; only what they hold is counted.
  const isFile = (name: string): boolean => name.endsWith('.test.ts')
  stream.on('test:pass', (event) => {
    if (isFile(event.name) || event.details.type === 'suite') return
    if (event.skip !== undefined) counts.skipped++
    else counts.passed++
  })
  stream.on('test:fail', (event) => {
    if (event.details.type !== 'suite') counts.failed++
  })
  await new Promise<void>((done) => {
    const shown = stream.compose(new spec())
    shown.on('data', (chunk: Buffer) => process.stdout.write(chunk))
    shown.on('end', done)
  })
  return counts
}

/** One command that passes or fails as a whole. */
export function command(tool: string, args: readonly string[], env: Record<string, string> = {}): Promise<Counts> {
  return new Promise((done) => {
    const child = spawn(tool, [...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } })
    const end = (code: number | null): void => done(code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 })
    child.on('error', () => end(1))
    child.on('close', end)
  })
}
