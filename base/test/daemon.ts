/**
 * Real servers for tests: started on free loopback ports with a folder of their own, as an unprivileged user where the tests run as
 * root, and stopped and removed at the end, also when the test process dies.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { openSync, closeSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface User {
  uid: number
  gid: number
}

export interface DaemonOptions {
  tool: string
  args: readonly string[]
  env?: Readonly<Record<string, string>>
  user?: User | undefined
  /** A named network namespace in which it runs; needs root. */
  netns?: string | undefined
  dir: string
  /** Tried until it does not throw. */
  ready(): Promise<unknown>
  /** Milliseconds. Default 60,000. */
  patience?: number
  /** The signal that stops it in order. Default SIGTERM. */
  stopSignal?: NodeJS.Signals
}

export interface Daemon {
  readonly pid: number
  /** Milliseconds from start to ready. */
  readonly startedIn: number
  stop(): Promise<void>
  /** Ends it as a power cut would. */
  kill(): Promise<void>
}

/** Where a tool is, in the PATH or in one of `also`; undefined when it is not installed. */
export function findTool(name: string, also: readonly string[] = []): string | undefined {
  const places = [...also, ...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return places.map((place) => join(place, name)).find((path) => existsSync(path))
}

/** The account to run as: undefined (as we are) unless we are root; then `name` when there is such a user, else nobody. */
export function unprivileged(name: string): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const user of [name, 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number.parseInt(spawnSync('id', [flag, user], { encoding: 'utf8' }).stdout, 10))
    if (uid !== undefined && gid !== undefined && uid > 0 && gid > 0) return { uid, gid }
  }
  return { uid: 65534, gid: 65534 }
}

/** A folder in the temporary directory that belongs to `user`. */
export async function privateDir(prefix: string, user?: User): Promise<{ dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), prefix))
  if (user) await chown(dir, user.uid, user.gid)
  await chmod(dir, 0o700)
  return { dir, remove: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }) }
}

/** Where ports are looked for: below those that the kernel gives to connections and to who asks for any. */
const [FIRST_PORT, PORTS, BLOCK] = [10_000, 20_000, 20]
let lastPort = 0

/**
 * Ports of 127.0.0.1 that nobody listens on now. Test processes that run side by side look in blocks of their own: the kernel would sometimes name the
 * same port to both before the first of them has its server.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  while (found.length < count) {
    const port = FIRST_PORT + ((process.pid * BLOCK + lastPort++) % PORTS)
    if (await isFree(port)) found.push(port)
  }
  return found
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Runs a tool to its end; throws with what it said when it fails. */
export function runOnce(tool: string, args: readonly string[], user?: User, env: Readonly<Record<string, string>> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, [...args], { ...user, cwd: '/', env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${tool} failed (${code}): ${said.slice(-2000)}`))))
  })
}

const environment = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' }

export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const began = performance.now()
  const logPath = join(options.dir, 'console.log')
  const log = openSync(logPath, 'a', 0o600)
  // The kernel ends it when this process dies in whatever way.
  const as = options.netns === undefined || !options.user ? [] : ['--reuid', String(options.user.uid), '--regid', String(options.user.gid), '--clear-groups']
  const setpriv = ['setpriv', ...as, '--pdeathsig', 'KILL', '--', options.tool, ...options.args]
  // Who is not root may enter no namespace: there the user is changed inside.
  const [tool = '', ...args] = options.netns === undefined ? setpriv : ['nsenter', `--net=/run/netns/${options.netns}`, '--', ...setpriv]
  const child = spawn(tool, args, { ...(options.netns === undefined ? options.user : {}), cwd: options.dir, env: { ...environment, HOME: options.dir, ...options.env }, stdio: ['ignore', log, log] })
  closeSync(log)
  const onExit = (): void => void child.kill('SIGKILL')
  process.once('exit', onExit)
  const ended = new Promise<string>((resolve) => {
    child.once('error', (thrown) => resolve(thrown.message))
    child.once('exit', (code, signal) => resolve(`ended with ${signal ?? code}`))
  })
  let end: string | undefined
  void ended.then((why) => {
    end = why
    process.removeListener('exit', onExit)
  })
  const limit = options.patience ?? 60_000
  for (;;) {
    try {
      await options.ready()
      break
    } catch (thrown) {
      if (end !== undefined || performance.now() - began > limit) {
        await finish(child, ended, 'SIGKILL')
        throw new Error(`${options.tool} did not come up (${end ?? `not in ${limit} ms`}): ${(await readFile(logPath, 'utf8')).slice(-3000)}`, { cause: thrown })
      }
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))])
    }
  }
  return {
    pid: child.pid!,
    startedIn: Math.round(performance.now() - began),
    stop: () => finish(child, ended, options.stopSignal ?? 'SIGTERM'),
    kill: () => finish(child, ended, 'SIGKILL'),
  }
}

async function finish(child: ChildProcess, ended: Promise<string>, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.kill(signal)
  const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await ended
  clearTimeout(late)
}
