/** What this host has: for the compute node's record and for scheduling. Read from the kernel each time; nothing is kept. */
import { cpus, freemem, hostname, loadavg, totalmem, uptime } from 'node:os'
import { readFile, statfs } from 'node:fs/promises'

export interface HostFacts {
  hostname: string
  arch: 'x86_64' | 'aarch64' | 'ppc64le' | 's390x' | 'unknown'
  cpus: number
  cpu_model: string
  cpu_vendor: string
  /** Flags as /proc/cpuinfo names them. */
  cpu_features: string[]
  /** MiB. */
  memory_mb: number
  memory_free_mb: number
  /** GiB of the file system that holds `directory`. */
  disk_gb: number
  disk_free_gb: number
  /** As `uptime` prints. */
  uptime: string
}

const ARCHES: Readonly<Record<string, HostFacts['arch']>> = { x64: 'x86_64', arm64: 'aarch64', ppc64: 'ppc64le', s390x: 's390x' }

export async function hostFacts(directory: string): Promise<HostFacts> {
  const disk = await statfs(directory)
  const processors = cpus()
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const line = (key: string): string => new RegExp(`^${key}\\s*:(.*)$`, 'm').exec(cpuinfo)?.[1]?.trim() ?? ''
  return {
    hostname: hostname(),
    arch: ARCHES[process.arch] ?? 'unknown',
    cpus: processors.length,
    cpu_model: processors[0]?.model.trim() ?? 'unknown',
    cpu_vendor: line('vendor_id'),
    cpu_features: line('flags').split(/\s+/).filter((flag) => flag !== ''),
    memory_mb: Math.floor(totalmem() / 2 ** 20),
    memory_free_mb: Math.floor(freemem() / 2 ** 20),
    disk_gb: Math.floor((disk.blocks * disk.bsize) / 2 ** 30),
    disk_free_gb: Math.floor((disk.bavail * disk.bsize) / 2 ** 30),
    uptime: uptimeLine(new Date(), uptime(), loadavg()),
  }
}

/** ` 00:31:17 up 1 day, 2:03, 0 users, load average: 0.00, 0.07, 0.05` */
export function uptimeLine(now: Date, seconds: number, load: readonly number[]): string {
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor((seconds % 86_400) / 3_600)
  const minutes = String(Math.floor((seconds % 3_600) / 60)).padStart(2, '0')
  const up = `${days > 0 ? `${days} day${days > 1 ? 's' : ''}, ` : ''}${hours}:${minutes}`
  return ` ${now.toTimeString().slice(0, 8)} up ${up},  0 users,  load average: ${load.map((one) => one.toFixed(2)).join(', ')}`
}
