/**
 * The driver's hold on living guests: one monitor connection each, opened when first wanted and kept, because a monitor serves one client
 * and because it is how a guest's own power-off is heard. The process is looked for anew each time; the connection is only a means.
 */
import type { World } from '#base/world.ts'
import type { OwnProcess } from '#host/pidfile.ts'
import { connectQmp, type QmpConnection } from '#host/qmp.ts'
import type { Qemu } from '#host/qemu.ts'
import type { PowerState } from '../interface.ts'
import type { Records } from './record.ts'

export interface LiveGuest {
  own: OwnProcess
  qmp: QmpConnection
}

export interface Sessions {
  process(serverId: string): Promise<OwnProcess | undefined>
  /** undefined when the machine does not run; `unavailable` when it does and its monitor does not answer. */
  live(serverId: string): Promise<LiveGuest | undefined>
  /** The run state in QEMU's words. */
  status(live: LiveGuest): Promise<string>
  watch(listener: (serverId: string) => void): () => void
  forget(serverId: string): void
  close(): void
}

interface Held {
  pid: number
  started: string
  opening: Promise<QmpConnection>
}

export function sessions(world: World, qemu: Qemu, records: Records): Sessions {
  const held = new Map<string, Held>()
  const listeners = new Set<(serverId: string) => void>()
  const log = world.log.module('nova.qemu')
  const tell = (serverId: string): void => {
    for (const listener of listeners) listener(serverId)
  }
  const open = (serverId: string, own: OwnProcess): Held => {
    const opening = connectQmp(records.place(serverId).sockets.qmp, { timeout: 10_000 })
    const entry: Held = { ...own, opening }
    held.set(serverId, entry)
    opening.then(
      (qmp) => {
        qmp.onEvent(({ event }) => {
          if (event === 'STOP' || event === 'RESUME' || event === 'GUEST_PANICKED') tell(serverId)
        })
        void qmp.closed.then(() => {
          if (held.get(serverId) !== entry) return
          held.delete(serverId)
          tell(serverId)
        })
      },
      (thrown: unknown) => {
        if (held.get(serverId) === entry) held.delete(serverId)
        log.warn('Monitor of a guest did not answer', { server_id: serverId, error: thrown })
      },
    )
    return entry
  }
  const process: Sessions['process'] = (serverId) => qemu.find({ uuid: serverId, pidfile: records.place(serverId).pidfile })
  const forget = (serverId: string): void => {
    const entry = held.get(serverId)
    held.delete(serverId)
    void entry?.opening.then(
      (qmp) => qmp.close(),
      () => {},
    )
  }
  return {
    process,
    async live(serverId) {
      const own = await process(serverId)
      if (!own) {
        forget(serverId)
        return undefined
      }
      let entry = held.get(serverId)
      if (entry && (entry.pid !== own.pid || entry.started !== own.started)) {
        forget(serverId)
        entry = undefined
      }
      entry ??= open(serverId, own)
      try {
        return { own, qmp: await entry.opening }
      } catch (thrown) {
        if (!(await process(serverId))) return undefined
        throw thrown
      }
    },
    async status(live) {
      return (await live.qmp.execute<{ status: string }>('query-status', undefined, { timeout: 10_000 })).status
    },
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    forget,
    close() {
      listeners.clear()
      for (const serverId of [...held.keys()]) forget(serverId)
    },
  }
}

/** QEMU's run state as Nova's. */
export function powerStateOf(status: string): PowerState {
  switch (status) {
    case 'running':
    case 'watchdog':
      return 'running'
    case 'paused':
    case 'io-error':
    case 'prelaunch':
    case 'save-vm':
    case 'restore-vm':
    case 'finish-migrate':
      return 'paused'
    case 'guest-panicked':
    case 'internal-error':
      return 'crashed'
    case 'suspended':
      return 'suspended'
    case 'shutdown':
    case 'postmigrate':
      return 'shutdown'
    default:
      return 'nostate'
  }
}
