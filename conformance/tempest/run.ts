/**
 * Runs part of Tempest (Debian's package) against a cloud that it starts itself, and judges the result by a list of expected failures
 * that may only shrink: a failure that is not on the list is one, and so is a listed test that passes.
 *
 *     node conformance/tempest/run.ts 'tempest\.api\.identity' ['smoke' …]      --keep DIR   --workers N   --update
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCloud } from '#cloud/start-cloud.ts'
import type { Counts } from '../../tools/test-parts.ts'
import { makeWorkspace } from './workspace.ts'

export interface TempestResult {
  test: string
  status: 'success' | 'fail' | 'skip'
  seconds: number
}

const LIST = new URL('expected-failures.tsv', import.meta.url)

export async function runTempest(patterns: readonly string[], options: { workers?: number; keep?: string; update?: boolean } = {}): Promise<Counts> {
  const dir = options.keep ?? (await mkdtemp(join(tmpdir(), 'ondol-tempest-')))
  const images = await serveImage()
  const cloud = await startCloud({ env: process.env, config: { 'glance.web_download_allow_private': [new URL(images.url).host], 'glance.stores': [{ id: 'file' }, { id: 'second' }] } })
  try {
    await makeWorkspace(dir, cloud, images.url)
    const env = { ...process.env, TEMPEST_CONFIG_DIR: join(dir, 'etc'), TEMPEST_CONFIG: 'tempest.conf', PYTHONWARNINGS: 'ignore', PATH: '/usr/bin:/bin', OS_TEST_TIMEOUT: '300' }
    await capture('stestr', ['init'], dir, env)
    const listed = (await capture('stestr', ['list'], dir, env)).split('\n').filter((line) => /^tempest\.|^[a-z_]+_tempest/.test(line))
    const chosen = listed.filter((line) => patterns.some((pattern) => new RegExp(pattern).test(line)))
    if (chosen.length === 0) throw new Error(`No Tempest test matches ${patterns.join(' ')}`)
    await writeFile(join(dir, 'tests.txt'), `${chosen.join('\n')}\n`)
    process.stdout.write(`${chosen.length} Tempest tests\n`)
    await capture('stestr', ['run', '--concurrency', String(options.workers ?? 2), '--load-list', join(dir, 'tests.txt')], dir, env, [0, 1])
    const subunit = await capture('bash', ['-c', 'stestr last --subunit | subunit2csv'], dir, env, [0, 1])
    const results = parseResults(subunit)
    return judge(results, options.update ?? false, dir)
  } finally {
    await cloud.close()
    images.close()
    if (!options.keep) await rm(dir, { recursive: true, force: true })
  }
}

/** A small image on the web. */
async function serveImage(): Promise<{ url: string; close(): void }> {
  const server = createServer((_request, answer) => answer.end(Buffer.alloc(4096, 'image')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/image.raw`, close: () => server.close() }
}

export function parseResults(csv: string): TempestResult[] {
  const results = new Map<string, TempestResult>()
  for (const line of csv.split('\n').slice(1)) {
    const match = /^(.*),(success|failure|fail|error|skip|exists|inprogress),([^,]*),([^,]*)$/.exec(line.trim())
    if (!match || match[2] === 'exists' || match[2] === 'inprogress') continue
    const test = match[1]!.replace(/^"|"$/g, '').replace(/\[.*$/, '')
    results.set(test, { test, status: match[2] === 'failure' || match[2] === 'error' ? 'fail' : (match[2] as TempestResult['status']), seconds: (Date.parse(match[4]!) - Date.parse(match[3]!)) / 1000 })
  }
  return [...results.values()]
}

async function judge(results: TempestResult[], update: boolean, dir: string): Promise<Counts> {
  const expected = await readExpected()
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  const failing: string[] = []
  for (const { test, status } of results) {
    if (status === 'skip') counts.skipped++
    else if (status === 'fail') {
      failing.push(test)
      if (expected.has(test)) counts.skipped++
      else {
        counts.failed++
        process.stdout.write(`✖ ${test}\n`)
      }
    } else if (expected.has(test)) {
      counts.failed++
      process.stdout.write(`✖ ${test} passes now: take it off ${LIST.pathname}\n`)
    } else counts.passed++
  }
  await writeFile(join(dir, 'failing.txt'), `${failing.join('\n')}\n`)
  if (update) {
    const ran = new Set(results.map((one) => one.test))
    const kept = [...expected].filter(([test]) => !ran.has(test) || failing.includes(test))
    const fresh = failing.filter((test) => !expected.has(test)).map((test) => [test, 'to be examined'] as const)
    await writeFile(LIST, `${[...kept, ...fresh].map(([test, why]) => `${test}\t${why}`).sort().join('\n')}\n`)
  }
  process.stdout.write(`Tempest: ${counts.passed} passed, ${failing.length} failed (${failing.length - counts.failed < 0 ? 0 : failing.filter((test) => expected.has(test)).length} of them expected), ${results.filter((one) => one.status === 'skip').length} skipped\n`)
  return counts
}

export async function readExpected(): Promise<Map<string, string>> {
  const text = await readFile(LIST, 'utf8').catch(() => '')
  return new Map(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split('\t') as [string, string]))
}

function capture(tool: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv, okCodes: readonly number[] = [0]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, [...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => {
      if (okCodes.includes(code ?? -1)) resolve(Buffer.concat(out).toString())
      else reject(new Error(`${tool} ${args.join(' ')} ended with ${code}: ${Buffer.concat(err).toString().slice(-2000)}`))
    })
  })
}

if (import.meta.main) {
  const args = process.argv.slice(2)
  const value = (name: string): string | undefined => {
    const at = args.indexOf(name)
    return at < 0 ? undefined : args.splice(at, 2)[1]
  }
  const keep = value('--keep')
  const workers = value('--workers')
  const update = args.includes('--update')
  const counts = await runTempest(args.filter((arg) => !arg.startsWith('--')), { ...(keep ? { keep } : {}), ...(workers ? { workers: Number(workers) } : {}), update })
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
  process.exitCode = counts.failed > 0 ? 1 : 0
}
