/**
 * Helper processes that outlive us (law 3: stopping the agent stops no network). A daemon writes its pid file itself; it is
 * ours when the command line of that pid names our own path, so a pid that was given to somebody else is never signalled.
 */
import { readFile, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { timedOut } from '#base/fault.ts'

export interface Daemons {
  /** The pid if it runs and its command line contains `marker`. */
  find(pidFile: string, marker: string): Promise<number | undefined>
  /** Asks it to read its files again. False when it does not run. */
  reload(pidFile: string, marker: string): Promise<boolean>
  /** Ends it and waits until it is gone; not running is no error. */
  stop(pidFile: string, marker: string): Promise<void>
}

export const realDaemons: Daemons = {
  find: findDaemon,
  async reload(pidFile, marker) {
    const pid = await findDaemon(pidFile, marker)
    return pid !== undefined && signal(pid, 'SIGHUP')
  },
  async stop(pidFile, marker) {
    const pid = await findDaemon(pidFile, marker)
    if (pid !== undefined) {
      signal(pid, 'SIGTERM')
      for (let waited = 0; (await findDaemon(pidFile, marker)) !== undefined; waited += 5) {
        if (waited >= 2_000 && waited < 2_005) signal(pid, 'SIGKILL')
        if (waited >= 5_000) throw timedOut(`Process ${pid} did not end`, { detail: marker })
        await delay(5)
      }
    }
    await rm(pidFile, { force: true })
  },
}

async function findDaemon(pidFile: string, marker: string): Promise<number | undefined> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim())
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  return words.some((word) => word.includes(marker)) ? pid : undefined
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false // gone in the meantime
  }
}

/** Daemons in memory: `running` maps a pid file to the marker of what runs; the test starts them by hand. */
export function fakeDaemons(running: Map<string, string> = new Map()): Daemons & { running: Map<string, string>; reloads: string[] } {
  const reloads: string[] = []
  const find = async (pidFile: string, marker: string): Promise<number | undefined> => (running.get(pidFile)?.includes(marker) ? 4711 : undefined)
  return {
    running,
    reloads,
    find,
    async reload(pidFile, marker) {
      const there = (await find(pidFile, marker)) !== undefined
      if (there) reloads.push(pidFile)
      return there
    },
    async stop(pidFile) {
      running.delete(pidFile)
    },
  }
}
