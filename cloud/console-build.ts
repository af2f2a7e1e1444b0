/**
 * Builds the dashboard from its sources, when they have changed since the last time: `console/dist` names by a fingerprint what it was
 * made of. Several processes may want it at once: one builds, the others wait for it.
 */
import { createHash } from 'node:crypto'
import { access, glob, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import { type Clock, realClock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { run } from '#base/process/run.ts'
import type { ConsoleState } from './console.ts'

export const consoleFolder = resolve(import.meta.dirname, '../console')
export const consoleDist = join(consoleFolder, 'dist')

const MARK = '.made-of'
const LIMIT = 600_000

export interface ConsoleBuildOptions {
  env: Readonly<Record<string, string | undefined>>
  clock?: Clock
  signal?: AbortSignal
}

/** Starts at once and does not wait; `state` tells how far it is. `done` never rejects. */
export function startConsoleBuild(options: ConsoleBuildOptions): { state: () => ConsoleState; done: Promise<ConsoleState> } {
  let state: ConsoleState = { kind: 'building' }
  const done = buildConsole(options).then(
    (): ConsoleState => (state = { kind: 'built' }),
    (thrown: unknown): ConsoleState => (state = { kind: 'failed', why: reasonOf(thrown) }),
  )
  return { state: () => state, done }
}

/** Throws what npm or Vite said. */
export async function buildConsole({ env, clock = realClock, signal }: ConsoleBuildOptions): Promise<void> {
  const wanted = await fingerprint()
  if ((await read(join(consoleDist, MARK))) === wanted) return
  const own: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) if (value !== undefined) own[name] = value
  // The packages must be made for the Node.js that runs this.
  own.PATH = [dirname(process.execPath), own.PATH ?? ''].join(delimiter)
  const unlock = await lock(clock, signal)
  try {
    if ((await read(join(consoleDist, MARK))) === wanted) return
    await installPackages(own, signal)
    const fresh = join(consoleFolder, 'node_modules/.dist')
    await gently([join(consoleFolder, 'node_modules/vite/bin/vite.js'), 'build', '--outDir', fresh, '--emptyOutDir', '--logLevel', 'warn'], own, signal)
    await writeFile(join(fresh, MARK), wanted)
    await rm(consoleDist, { recursive: true, force: true })
    await rename(fresh, consoleDist)
  } finally {
    await unlock()
  }
}

/** One process at a time. A lock whose process has died is no lock. */
async function lock(clock: Clock, signal: AbortSignal | undefined): Promise<() => Promise<void>> {
  await mkdir(join(consoleFolder, 'node_modules'), { recursive: true })
  const path = join(consoleFolder, '.build-lock')
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' })
      return () => rm(path, { force: true })
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'EEXIST') throw thrown
    }
    const holder = await read(path)
    if (holder && !(await exists(`/proc/${holder}`))) await rm(path, { force: true })
    else await clock.sleep(300, signal)
  }
}

async function installPackages(env: Record<string, string>, signal: AbortSignal | undefined): Promise<void> {
  const wanted = hash(await readFile(join(consoleFolder, 'package-lock.json')))
  const mark = join(consoleFolder, 'node_modules', MARK)
  if ((await read(mark)) === wanted) return
  const npm = await npmOf(env.PATH ?? '')
  if (!npm) throw new Fault('unavailable', 'npm is not there: apt-get install npm')
  await gently([npm, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], env, signal)
  await writeFile(mark, wanted)
}

/** With a low priority: the cloud is in use meanwhile. */
async function gently(args: readonly string[], env: Record<string, string>, signal: AbortSignal | undefined): Promise<void> {
  await run('nice', ['-n', '10', process.execPath, ...args], { cwd: consoleFolder, timeout: LIMIT, env, ...(signal ? { signal } : {}) })
}

/** Also of the contracts: some of what they hold is in the bundle. */
async function fingerprint(): Promise<string> {
  const names = ['../stack/contract.ts', 'index.html', 'vnc.html', 'vite.config.ts', 'package-lock.json']
  for await (const entry of glob(['src/**/*', 'public/**/*', '../services/*/contract/*.ts'], { cwd: consoleFolder, withFileTypes: true })) {
    if (entry.isFile()) names.push(relative(consoleFolder, join(entry.parentPath, entry.name)))
  }
  const parts = await Promise.all(names.sort().map(async (name) => `${name} ${hash(await readFile(join(consoleFolder, name)))}`))
  return hash(parts.join('\n'))
}

async function npmOf(path: string): Promise<string | undefined> {
  for (const dir of path.split(delimiter)) if (dir !== '' && (await exists(join(dir, 'npm')))) return realpath(join(dir, 'npm'))
  return undefined
}

const hash = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')
const read = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined)

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

function reasonOf(thrown: unknown): string {
  const { message, detail, data } = thrown as { message?: string; detail?: string; data?: { stderr?: string } }
  return [message, data?.stderr?.trim() || detail].filter(Boolean).join('\n')
}
