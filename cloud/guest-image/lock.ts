/**
 * One builder at a time, over processes: a lock file that names its holder. A holder that died does not hold: the file of a
 * process that is gone (or whose pid is another's by now) is taken over.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { Clock } from '#base/clock.ts'

const LOOK_AGAIN = 200

/** Runs `work` alone; waits as long as another holds the lock. */
export async function holdLock<T>(path: string, clock: Clock, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const mine = `${process.pid} ${await startOf(process.pid)} ${serial++}\n`
  while (!(await take(path, mine))) await clock.sleep(LOOK_AGAIN, signal)
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

let serial = 0

async function take(path: string, mine: string): Promise<boolean> {
  try {
    await writeFile(path, mine, { flag: 'wx' })
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown
  }
  const held = await readFile(path, 'utf8').catch(() => undefined)
  if (held === undefined || !held.endsWith('\n')) return false
  const [pid, started] = held.split(' ')
  if ((await startOf(Number(pid))) === started) return false
  // Dead: move its file away (only one of several waiters succeeds in moving this very file), then try again.
  const aside = `${path}.${process.pid}`
  try {
    await rename(path, aside)
    if ((await readFile(aside, 'utf8')) !== held) await rename(aside, path)
    else await rm(aside, { force: true })
  } catch {
    // Another waiter was faster.
  }
  return false
}

/** When the process started, in clock ticks since boot; empty when there is none. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
