/**
 * A minute of simulation with fresh seeds, after the seeds of runs that once failed. Each run is the command that replays it, in a process of its own:
 * simulated time waits for real work, which is counted for a whole process.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '../../..')
const seeds = JSON.parse(readFileSync(resolve(import.meta.dirname, 'seeds.json'), 'utf8')) as Record<'plain' | 'harsh' | 'crowded', number[]>

async function simulate(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', 'cloud/cli/main.ts', 'simulate', ...args], { cwd: root, env: { ...process.env, UV_THREADPOOL_SIZE: '1' }, maxBuffer: 16 << 20 }).catch((thrown: { stdout?: string }) => ({ stdout: `${thrown.stdout ?? ''}\nit did not end well` }))
  return stdout
}

/** What failed is told, not the seeds that went well. */
const good = (out: string): void => assert.ok(/, 0 failed\n$/.test(out), out.split('\n').filter((line) => !line.startsWith('✔')).join('\n'))

test('one seed is one run', async () => {
  const [one, two] = await Promise.all([simulate('--seed', '1', '--operations', '150'), simulate('--seed', '1', '--operations', '150')])
  const facts = (out: string): string | undefined => /seed 1: (.*) in [\d.]+ s/.exec(out)?.[1]
  assert.ok(facts(one))
  assert.equal(facts(one), facts(two))
})

for (const seed of seeds.plain) test(`seed ${seed}`, async () => good(await simulate('--seed', String(seed))))
for (const seed of seeds.harsh) test(`seed ${seed}, harsh`, async () => good(await simulate('--harsh', '--seed', String(seed))))
for (const seed of seeds.crowded) test(`seed ${seed}, harsh, on three hosts`, async () => good(await simulate('--harsh', '--hosts', '3', '--operations', '600', '--seed', String(seed))))

test('a minute of fresh seeds', async (t) => {
  const out = await simulate('--seconds', '60')
  t.diagnostic(out.trim().split('\n').at(-1)!)
  good(out)
})
