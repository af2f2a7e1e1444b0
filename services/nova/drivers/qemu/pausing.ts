/**
 * Pause, and suspend to a file. The file `memory` is the truth: present, whole and synced means suspended. It is removed before the
 * restored machine runs, because from then on the disk moves away from it.
 */
import { rename, rm } from 'node:fs/promises'
import { conflict, unavailable } from '#base/fault.ts'
import { syncDirectory } from '#host/durable-file.ts'
import { receiveMemory, sendMemory } from '#host/memory-stream.ts'
import type { QmpConnection } from '#host/qmp.ts'
import type { Pausable, Suspendable } from '../interface.ts'
import type { QemuParts } from './parts.ts'
import { haltMachine, isSuspended, killMachine, mayRunHere, startMachine } from './power.ts'
import type { GuestRecord } from './record.ts'
import type { LiveGuest } from './sessions.ts'

const POLL = 50
/** Memory to disk: as long as a slow disk may need. */
const MEMORY_TIMEOUT = 1_800_000

export function pausable(parts: QemuParts): Pausable {
  const liveOf = async (serverId: string): Promise<LiveGuest> => {
    const live = await parts.sessions.live(serverId)
    if (!live) throw conflict('The server is not running.')
    return live
  }
  return {
    pause: (serverId) =>
      parts.turn('pause', serverId, async () => {
        await (await liveOf(serverId)).qmp.execute('stop')
      }),
    unpause: (serverId) =>
      parts.turn('unpause', serverId, async (record) => {
        mayRunHere(record)
        await (await liveOf(serverId)).qmp.execute('cont')
      }),
  }
}

export function suspendable(parts: QemuParts): Suspendable {
  return {
    suspend: (serverId) => parts.turn('suspend', serverId, (record, signal) => suspend(parts, record, signal)),
    resume: (serverId) => parts.turn('resume', serverId, (record, signal) => resume(parts, record, signal)),
  }
}

async function suspend(parts: QemuParts, record: GuestRecord, signal: AbortSignal): Promise<void> {
  mayRunHere(record)
  const { memory, sockets, directory } = parts.records.place(record.server_id)
  const live = await parts.sessions.live(record.server_id)
  if (await isSuspended(parts, record.server_id)) {
    await haltMachine(parts, record)
    return
  }
  if (!live) throw conflict('The server is not running.')
  record.suspending = true
  await parts.records.save(record)
  // After a migration that was cut off at its end the machine must run for a moment before it can migrate again.
  if ((await parts.sessions.status(live)) === 'postmigrate') await live.qmp.execute('cont')
  await live.qmp.execute('stop')
  const partial = `${memory}.part`
  const stream = await receiveMemory(sockets.memory, partial)
  try {
    await live.qmp.execute('migrate', { uri: stream.uri })
    await migrationEnd(parts, live.qmp, signal)
    await stream.done
  } catch (thrown) {
    await live.qmp.execute('migrate_cancel').catch(() => {})
    await live.qmp.execute('cont').catch(() => {})
    await rm(partial, { force: true })
    throw thrown
  } finally {
    await stream.close()
  }
  await rename(partial, memory)
  await syncDirectory(directory)
  delete record.suspending
  await parts.records.save(record)
  await haltMachine(parts, record)
}

async function resume(parts: QemuParts, record: GuestRecord, signal: AbortSignal): Promise<void> {
  mayRunHere(record)
  const { memory, sockets } = parts.records.place(record.server_id)
  const running = await parts.sessions.live(record.server_id)
  if (!(await isSuspended(parts, record.server_id))) {
    if (!running) throw conflict('The server is not suspended.')
    // Restored by a predecessor that died before letting it run.
    await running.qmp.execute('cont')
    return
  }
  // Whatever runs beside a memory file is a restoring that was cut off, or a suspending whose end was not seen: it has run no further.
  await killMachine(parts, record.server_id)
  const live = await startMachine(parts, record, signal, { incoming: true, paused: true })
  try {
    await live.qmp.execute('migrate-incoming', { uri: `unix:${sockets.memory}` })
    await sendMemory(sockets.memory, memory)
    await migrationEnd(parts, live.qmp, signal)
  } catch (thrown) {
    await killMachine(parts, record.server_id)
    throw thrown
  } finally {
    await rm(sockets.memory, { force: true })
  }
  await rm(memory, { force: true })
  await live.qmp.execute('cont')
}

async function migrationEnd(parts: QemuParts, qmp: QmpConnection, signal: AbortSignal): Promise<void> {
  const { clock } = parts.world
  const deadline = clock.now() + MEMORY_TIMEOUT
  for (;;) {
    const { status, 'error-desc': why } = await qmp.execute<{ status?: string; 'error-desc'?: string }>('query-migrate')
    if (status === 'completed') return
    if (status === 'failed' || status === 'cancelled') throw unavailable('The memory of the server could not be moved.', { detail: why })
    if (clock.now() > deadline) throw unavailable('The memory of the server could not be moved in time.')
    await clock.sleep(POLL, signal)
  }
}
