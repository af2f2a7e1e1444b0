/** Starting and ending machines. */
import { rm, stat } from 'node:fs/promises'
import { conflict, isFault, unavailable } from '#base/fault.ts'
import { endProcess, isAlive, waitEnd } from '#host/pidfile.ts'
import { machineOf } from './machine.ts'
import type { QemuParts } from './parts.ts'
import type { GuestRecord } from './record.ts'
import type { LiveGuest } from './sessions.ts'

/** The button is pressed again this often: a guest that is still booting does not hear it. */
const PRESS_EVERY = 3_000

/** Starts the machine, or takes up the one that runs. */
export async function startMachine(parts: QemuParts, record: GuestRecord, signal: AbortSignal, mode: { incoming?: boolean; paused?: boolean } = {}): Promise<LiveGuest> {
  const { qemu, records, sessions, accelerator, baseImages, world } = parts
  mayRunHere(record)
  for (const nic of record.spec.nics) {
    if (nic.tap !== undefined && !(await qemu.tap(nic.tap))) throw unavailable(`The network device ${nic.tap} of port ${nic.port_id} is not there yet.`, { code: 'tap.absent' })
  }
  const place = records.place(record.server_id)
  const machine = machineOf(record, { accelerator: accelerator.accelerator, place, imagePath: baseImages.path }, mode)
  record.started_at = world.clock.now()
  await records.save(record)
  signal.throwIfAborted()
  try {
    await qemu.start(machine)
  } catch (thrown) {
    // Started by a predecessor of ours that died before it could say so.
    if (!isFault(thrown, 'conflict') || thrown.code !== 'qemu.running') throw thrown
  }
  const live = await sessions.live(record.server_id)
  if (!live) throw unavailable('The machine ended right after its start.')
  return live
}

export async function ensureRunning(parts: QemuParts, record: GuestRecord, signal: AbortSignal): Promise<LiveGuest> {
  mayRunHere(record)
  const live = await parts.sessions.live(record.server_id)
  if (live) {
    if (!(await isStopped(parts, live))) return live
    // A machine that has shut down or broken, and whose process is still there.
    await haltMachine(parts, record)
  }
  return startMachine(parts, record, signal)
}

async function isStopped(parts: QemuParts, live: LiveGuest): Promise<boolean> {
  const status = await parts.sessions.status(live)
  return status === 'shutdown' || status === 'guest-panicked' || status === 'internal-error'
}

export function mayRunHere(record: GuestRecord): void {
  if (record.stage === 'left' || record.stage === 'leaving') throw conflict('The server is leaving this host by live migration.', { code: 'left' })
  if (record.stage === 'destroying') throw conflict('The server is being deleted.', { code: 'deleting' })
}

export async function isSuspended(parts: QemuParts, serverId: string): Promise<boolean> {
  return stat(parts.records.place(serverId).memory).then(
    () => true,
    () => false,
  )
}

/** Pulls the plug. What the guest has flushed is on disk: `quit` closes the images in order; only a hung QEMU is killed. */
export async function haltMachine(parts: QemuParts, record: Pick<GuestRecord, 'server_id'>): Promise<void> {
  const { sessions } = parts
  const own = await sessions.process(record.server_id)
  if (own) {
    const live = await sessions.live(record.server_id).catch(() => undefined)
    await live?.qmp.execute('quit', undefined, { timeout: 5_000 }).catch(() => {})
    if (!live || !(await waitEnd(own, 10_000))) await endProcess(own)
  }
  sessions.forget(record.server_id)
}

/** At once and without asking, for destruction. */
export async function killMachine(parts: QemuParts, serverId: string): Promise<void> {
  const own = await parts.sessions.process(serverId)
  if (own) await endProcess(own, { grace: 0 })
  parts.sessions.forget(serverId)
}

export async function powerOff(parts: QemuParts, record: GuestRecord, softTimeout: number, signal: AbortSignal): Promise<void> {
  const live = await parts.sessions.live(record.server_id).catch(() => undefined)
  if (live && softTimeout > 0 && (await parts.sessions.status(live)) === 'running') await pressButton(parts, live, softTimeout, signal)
  await haltMachine(parts, record)
  await rm(parts.records.place(record.server_id).memory, { force: true })
}

/** Returns when the guest has powered itself off, or the time is over. */
async function pressButton(parts: QemuParts, live: LiveGuest, timeout: number, signal: AbortSignal): Promise<void> {
  const { clock } = parts.world
  const deadline = clock.now() + timeout
  let pressed = -Infinity
  while (clock.now() < deadline && (await isAlive(live.own))) {
    signal.throwIfAborted()
    if (clock.now() - pressed >= PRESS_EVERY) {
      pressed = clock.now()
      await live.qmp.execute('system_powerdown').catch(() => {})
    }
    await clock.sleep(100, signal)
  }
}
