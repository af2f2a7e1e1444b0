/**
 * What a host knows of a guest, in `<data>/instances/<server_id>/guest.json`: written whole or not at all, read again after every
 * restart. It is this host's own memory, not a cache of the database: which disk file is the guest's, in which format, in which slot.
 *
 * Disk files have a number in their name and the record says which one counts, so that rebuild, resize and revert change over in one
 * write; a file no record names is an orphan of a killed attempt and is swept.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { conflict, invalid } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'
import { readJson, writeDurably } from '#host/durable-file.ts'
import type { Chipset } from '#host/qemu-machine.ts'
import type { DiskFormat } from '#host/qemu-img.ts'
import type { GuestSpec } from '../interface.ts'

export type KeptSpec = Omit<GuestSpec, 'config_drive'>

export interface OwnDisk {
  /** Name inside the guest's directory. */
  file: string
  format: DiskFormat
  /** The cached image below it. */
  base?: { image_id: string; format: DiskFormat }
}

export interface GuestRecord {
  version: 1
  server_id: string
  /** The host that made it: another host's record is never acted on. */
  host_id: string
  /** `leaving`: live migration out has begun; `left`: the guest runs elsewhere, never start it here. */
  stage: 'making' | 'ready' | 'arriving' | 'leaving' | 'left' | 'destroying'
  machine_type: string
  chipset: Chipset
  spec: KeptSpec
  /** Device key → slot: `root`, `ephemeral0`, `swap`, `rescue`, `volume:<id>`, `nic:<port id>`. */
  slots: Record<string, number>
  /** `root`, `ephemeral0` …, `swap`, `rescue`. */
  disks: Record<string, OwnDisk>
  config_drive?: string
  rescue_config_drive?: string
  firmware?: { code: string; vars: string }
  /** Milliseconds since the epoch of its last start by us. */
  started_at?: number
  /** Memory is being written: a stopped machine found so did not migrate away. */
  suspending?: boolean
  rebuild_id?: string
  resize?: { resize_id: string; spec: KeptSpec; disks: Record<string, OwnDisk> }
  rescue?: { image_id: string }
}

export interface GuestPlace {
  directory: string
  file(name: string): string
  consoleLog: string
  /** Present: the guest is suspended. */
  memory: string
  pidfile: string
  /** `incoming…` and `outgoing…`: ways of a live migration, to QEMU here and from QEMU here. */
  sockets: { qmp: string; serial: string; vnc: string; agent: string; memory: string; incomingMemory: string; incomingDisks: string; outgoingMemory: string; outgoingDisks: string }
}

export interface Records {
  place(serverId: string): GuestPlace
  load(serverId: string): Promise<GuestRecord | undefined>
  save(record: GuestRecord): Promise<void>
  /** Server ids that have a record here. */
  all(): Promise<string[]>
  /** The guest's directory and sockets go; what a killed attempt left goes too. */
  erase(serverId: string): Promise<void>
  /** Removes disk files that the record does not name. */
  sweep(record: GuestRecord): Promise<void>
  /** Finishes erasures that were interrupted. */
  sweepErased(): Promise<void>
}

const ERASED = '.erased-'

export function records(options: { instances: string; run: string; hostId: string }): Records {
  const place = (serverId: string): GuestPlace => {
    if (!isUuid(serverId)) throw invalid('server_id must be a UUID.', { field: 'server_id' })
    const directory = join(options.instances, serverId)
    const beside = (end: string): string => join(options.run, `${serverId}.${end}`)
    return {
      directory,
      file: (name) => join(directory, name),
      consoleLog: join(directory, 'console.log'),
      memory: join(directory, 'memory'),
      pidfile: beside('pid'),
      sockets: { qmp: beside('qmp'), serial: beside('ser'), vnc: beside('vnc'), agent: beside('ga'), memory: beside('mem'), incomingMemory: beside('im'), incomingDisks: beside('id'), outgoingMemory: beside('om'), outgoingDisks: beside('od') },
    }
  }
  const erasedSweep = async (): Promise<void> => {
    for (const name of await readdir(options.instances)) {
      if (name.startsWith(ERASED)) await rm(join(options.instances, name), { recursive: true, force: true })
    }
  }
  return {
    place,
    async load(serverId) {
      const record = await readJson<GuestRecord>(place(serverId).file('guest.json'))
      if (record && record.host_id !== options.hostId) {
        throw conflict('The guest on this disk belongs to another host.', { code: 'foreign_guest', detail: `${serverId} of ${record.host_id}` })
      }
      return record
    },
    async save(record) {
      const { directory, file } = place(record.server_id)
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await writeDurably(file('guest.json'), JSON.stringify(record, undefined, 1))
    },
    async all() {
      return (await readdir(options.instances)).filter(isUuid)
    },
    async erase(serverId) {
      const { directory, pidfile, sockets } = place(serverId)
      const gone = join(options.instances, `${ERASED}${serverId}`)
      await rm(gone, { recursive: true, force: true })
      await rename(directory, gone).catch((thrown: NodeJS.ErrnoException) => {
        if (thrown.code !== 'ENOENT') throw thrown
      })
      await rm(gone, { recursive: true, force: true })
      for (const path of [pidfile, ...Object.values(sockets)]) await rm(path, { force: true })
    },
    async sweep(record) {
      const { directory, file } = place(record.server_id)
      const named = new Set([...Object.values(record.disks), ...Object.values(record.resize?.disks ?? {})].map((disk) => disk.file))
      for (const name of await readdir(directory)) {
        if (/^(root|ephemeral\d+|swap|rescue)-\d+\.(qcow2|raw)(\.part)?$/.test(name) && !named.has(name)) await rm(file(name), { force: true })
      }
    },
    sweepErased: erasedSweep,
  }
}

/** A file name for the next making of a disk: one that no part of the record names. */
export function nextFile(record: GuestRecord, name: string, format: DiskFormat): string {
  const numbers = [record.disks[name], record.resize?.disks[name]].map((disk) => Number(/-(\d+)\./.exec(disk?.file ?? '')?.[1] ?? 0))
  return `${name}-${Math.max(0, ...numbers) + 1}.${format}`
}
