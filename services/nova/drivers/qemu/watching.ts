/** Looking at guests: console log, console sockets, diagnostics. */
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { conflict, isFault, unavailable } from '#base/fault.ts'
import { guestAgentExecute } from '#host/guest-agent.ts'
import type { ConsoleLog, ConsoleSockets, Diagnosable, Diagnostics, Interruptible, PasswordSettable } from '../interface.ts'
import type { QemuParts } from './parts.ts'
import type { GuestRecord } from './record.ts'
import { type LiveGuest, powerStateOf } from './sessions.ts'

/** What a guest may fill of the host's disk with its console, and what is kept of it when it did. */
const LOG_LIMIT = 4 * 2 ** 20
const LOG_KEPT = 2 ** 20

export function consoleLog(parts: QemuParts): ConsoleLog {
  return {
    async consoleLog(serverId, lines) {
      await parts.recordOf(serverId)
      const text = (await tail(parts.records.place(serverId).consoleLog, LOG_KEPT)).toString('utf8')
      return lines === undefined ? text : lastLines(text, lines)
    },
  }
}

/** QEMU appends, so that a file cut short is simply written on. */
export async function trimConsoleLog(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  if (size <= LOG_LIMIT) return
  const kept = await tail(path, LOG_KEPT)
  await truncate(path, 0)
  await writeFile(path, kept, { flag: 'a' })
}

async function tail(path: string, bytes: number): Promise<Buffer> {
  let handle
  try {
    handle = await open(path, 'r')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw thrown
  }
  try {
    const { size } = await handle.stat()
    const length = Math.min(size, bytes)
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await handle.read(buffer, 0, length, size - length)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** The last `count` lines; a final line without its end counts as one. */
export function lastLines(text: string, count: number): string {
  if (count <= 0) return ''
  let at = text.endsWith('\n') ? text.length - 1 : text.length
  for (let left = count; left > 0; left--) {
    at = at <= 0 ? -1 : text.lastIndexOf('\n', at - 1)
    if (at < 0) return text
  }
  return text.slice(at + 1)
}

export function consoleSockets(parts: QemuParts): ConsoleSockets {
  const socket = async (serverId: string, kind: 'vnc' | 'serial'): Promise<{ socket: string }> => {
    await parts.recordOf(serverId)
    if (!(await parts.sessions.process(serverId))) throw conflict('The server is not running.')
    return { socket: parts.records.place(serverId).sockets[kind] }
  }
  return { vnc: (serverId) => socket(serverId, 'vnc'), serial: (serverId) => socket(serverId, 'serial') }
}

export function diagnosable(parts: QemuParts): Diagnosable {
  return {
    async diagnostics(serverId) {
      const record = await parts.recordOf(serverId)
      const live = await parts.sessions.live(serverId)
      const state = live ? powerStateOf(await parts.sessions.status(live)) : 'shutdown'
      return {
        state: state === 'nostate' ? 'pending' : state,
        driver: 'qemu',
        hypervisor: parts.accelerator.accelerator,
        hypervisor_os: 'linux',
        uptime: live && record.started_at !== undefined ? Math.floor((parts.world.clock.now() - record.started_at) / 1_000) : null,
        config_drive: record.config_drive !== undefined,
        num_cpus: record.spec.vcpus,
        num_nics: record.spec.nics.length,
        num_disks: Object.keys(record.disks).length + record.spec.volumes.length + (record.config_drive === undefined ? 0 : 1),
        memory_details: { maximum: record.spec.memory_mb, used: live ? await residentMb(live.own.pid) : null },
        cpu_details: live ? await cpuDetails(live) : [],
        nic_details: live ? await nicDetails(parts, record) : [],
        disk_details: live ? await diskDetails(live) : [],
      }
    },
  }
}

async function residentMb(pid: number): Promise<number | null> {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1]
  return kib === undefined ? null : Math.round(Number(kib) / 1_024)
}

/** The kernel counts processor time in hundredths of a second. */
const TICK_NS = 10_000_000

async function cpuDetails({ own, qmp }: LiveGuest): Promise<Diagnostics['cpu_details']> {
  const cpus = await qmp.execute<{ 'cpu-index': number; 'thread-id': number }[]>('query-cpus-fast')
  return Promise.all(
    cpus.map(async (cpu) => {
      const text = await readFile(`/proc/${own.pid}/task/${cpu['thread-id']}/stat`, 'utf8').catch(() => '')
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      const time = (Number(fields[11]) + Number(fields[12])) * TICK_NS
      return { id: cpu['cpu-index'], time: Number.isFinite(time) ? time : null, utilisation: null }
    }),
  )
}

async function nicDetails(parts: QemuParts, record: GuestRecord): Promise<Diagnostics['nic_details']> {
  const none = { bytes: 0, packets: 0, errors: 0, dropped: 0 }
  return Promise.all(
    record.spec.nics.map(async (nic) => {
      const seen = nic.tap === undefined ? undefined : await parts.qemu.tap(nic.tap)
      // What the tap transmits the guest receives.
      const { tx: rx, rx: tx } = seen ?? { rx: none, tx: none }
      return {
        mac_address: nic.mac,
        ...{ rx_octets: rx.bytes, rx_errors: rx.errors, rx_drop: rx.dropped, rx_packets: rx.packets, rx_rate: null },
        ...{ tx_octets: tx.bytes, tx_errors: tx.errors, tx_drop: tx.dropped, tx_packets: tx.packets, tx_rate: null },
      }
    }),
  )
}

interface BlockStats {
  qdev?: string
  stats: { rd_bytes: number; rd_operations: number; wr_bytes: number; wr_operations: number; failed_rd_operations?: number; failed_wr_operations?: number }
}

async function diskDetails({ qmp }: LiveGuest): Promise<Diagnostics['disk_details']> {
  const found = await qmp.execute<BlockStats[]>('query-blockstats')
  return found
    .filter((one) => one.qdev !== undefined)
    .map(({ stats }) => ({
      read_bytes: stats.rd_bytes,
      read_requests: stats.rd_operations,
      write_bytes: stats.wr_bytes,
      write_requests: stats.wr_operations,
      errors_count: (stats.failed_rd_operations ?? 0) + (stats.failed_wr_operations ?? 0),
    }))
}

export function passwordSettable(parts: QemuParts): PasswordSettable {
  return {
    setPassword: (serverId, user, password) =>
      parts.turn('setPassword', serverId, async () => {
        if (!(await parts.sessions.process(serverId))) throw conflict('The server is not running.')
        const { agent } = parts.records.place(serverId).sockets
        try {
          await guestAgentExecute(agent, 'guest-set-user-password', { username: user, password: Buffer.from(password.reveal()).toString('base64'), crypted: false })
        } catch (thrown) {
          if (isFault(thrown, 'timeout')) throw unavailable('The guest agent of the server does not answer.', { code: 'guest_agent.absent', cause: thrown })
          throw thrown
        }
      }),
  }
}

export function interruptible(parts: QemuParts): Interruptible {
  return {
    interrupt: (serverId) =>
      parts.turn('interrupt', serverId, async () => {
        const live = await parts.sessions.live(serverId)
        if (!live) throw conflict('The server is not running.')
        await live.qmp.execute('inject-nmi')
      }),
  }
}
