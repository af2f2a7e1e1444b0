/**
 * Processes that outlive us, found again by their pid file. A pid may have been given to somebody else since, so a process counts as
 * ours only when its command line has every one of the expected arguments; and before each signal it is looked at again.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { timedOut } from '#base/fault.ts'

export interface OwnProcess {
  pid: number
  /** Clock ticks since boot at which it started: with the pid, an identity. */
  started: string
}

/** The process named by `pidfile`, if it lives and its arguments include all of `marks` (whole arguments). */
export async function findProcess(pidfile: string, marks: readonly string[]): Promise<OwnProcess | undefined> {
  const text = await readFile(pidfile, 'utf8').catch(() => '')
  const pid = Number.parseInt(text.trim(), 10)
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  const args = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  const list = args.split('\0')
  if (!marks.every((mark) => list.includes(mark))) return undefined
  const started = await startTime(pid)
  return started === undefined ? undefined : { pid, started }
}

/** False once it has ended; a zombie has ended. */
export async function isAlive(own: OwnProcess): Promise<boolean> {
  return (await startTime(own.pid)) === own.started
}

/**
 * Ends the process: SIGTERM, then after `grace` ms (default 2,000) SIGKILL, then waits at most `timeout` ms (default 10,000). With
 * `grace: 0` SIGKILL at once. An ended process is no error. `timeout` when even SIGKILL did not end it (it hangs in the kernel).
 */
export async function endProcess(own: OwnProcess, options: { grace?: number; timeout?: number } = {}): Promise<void> {
  const grace = options.grace ?? 2_000
  if (grace > 0) {
    await signal(own, 'SIGTERM')
    if (await waitEnd(own, grace)) return
  }
  await signal(own, 'SIGKILL')
  if (await waitEnd(own, options.timeout ?? 10_000)) return
  throw timedOut(`Process ${own.pid} did not end.`)
}

/** True when it ended within `ms`. */
export async function waitEnd(own: OwnProcess, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms
  for (;;) {
    if (!(await isAlive(own))) return true
    if (performance.now() >= deadline) return false
    await delay(20)
  }
}

async function signal(own: OwnProcess, name: NodeJS.Signals): Promise<void> {
  if (!(await isAlive(own))) return
  try {
    process.kill(own.pid, name)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

/** Field 22 of /proc/PID/stat; undefined when gone or a zombie. */
async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The second field is the name in parentheses and may hold anything, spaces and parentheses included.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  return state === undefined || state === '' || state === 'Z' || state === 'X' ? undefined : fields[19]
}
