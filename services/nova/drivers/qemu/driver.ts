/**
 * QEMU, one process per guest, driven over QMP; no libvirt. This file wires the rooms together; what a guest is on this host stands in
 * `record.ts`, how it becomes a machine in `machine.ts`. Guests are daemons of their own: the driver may die at any line.
 */
import { copyFile, mkdir, stat } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { conflict, invalid, isFault, notFound } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { type AcceleratorSetting, chooseAccelerator } from '#host/accelerator.ts'
import { makeWhole, readJson, writeDurably } from '#host/durable-file.ts'
import { hostFacts } from '#host/host-facts.ts'
import { qemu } from '#host/qemu.ts'
import { qemuImg } from '#host/qemu-img.ts'
import { agentTunnels, type Tunnels } from '#host/tunnels.ts'
import { guestLines } from '../guest-lines.ts'
import type { ComputeDriver, GuestSpec, ImageSource, PowerState } from '../interface.ts'
import { addNic, addVolume, nicAttachable, volumeAttachable } from './attachments.ts'
import { baseImages } from './base-images.ts'
import { volumeNode } from './connection.ts'
import { makeConfigDrive, makeDisks } from './disks.ts'
import { assignSlots, checkHints, chipsetOf } from './machine.ts'
import { type Layout, liveMigratable } from './migration.ts'
import type { QemuParts, QemuSettings } from './parts.ts'
import { pausable, suspendable } from './pausing.ts'
import { ensureRunning, isSuspended, killMachine, mayRunHere, powerOff } from './power.ts'
import { type GuestRecord, records } from './record.ts'
import { volumeRelay } from './relay.ts'
import { relayed } from './relayed.ts'
import { movable, rebuildable, rescuable, resizable } from './reshaping.ts'
import { powerStateOf, sessions } from './sessions.ts'
import { snapshotable } from './snapshot.ts'
import { consoleLog, consoleSockets, diagnosable, interruptible, passwordSettable, trimConsoleLog } from './watching.ts'

export interface QemuDriverOptions extends Partial<Omit<QemuSettings, 'data'>> {
  data: string
  accelerator?: AcceleratorSetting
  /** Ways to other hosts, when somebody else keeps them. Default: own ones, on ports 49152 to 49215. */
  tunnels?: Tunnels
  binary?: string
  /** Default: the system's. */
  hostname?: string
  /** This host's id, when somebody else keeps it. `conflict` when the guests on this disk are another host's. Default: made and stored here. */
  host_id?: string
}

/** Where distributions put it: Debian and Ubuntu, older Debian, Fedora. */
const FIRMWARE = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/OVMF/OVMF_CODE.fd', vars: '/usr/share/OVMF/OVMF_VARS.fd' },
  { code: '/usr/share/edk2/ovmf/OVMF_CODE.fd', vars: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
] as const

/** The required core and every ability: all of them are there. */
export type QemuDriver = Required<ComputeDriver>

/** Opens the driver on what the host has: finishes destructions that were cut off and takes up the guests that run. */
export async function openQemuDriver(world: World, options: QemuDriverOptions): Promise<QemuDriver> {
  const log = world.log.module('nova.qemu')
  const settings: QemuSettings = {
    data: options.data,
    run: options.run ?? join(options.data, 'run'),
    namespace: options.namespace,
    unplugTimeout: options.unplugTimeout ?? 20_000,
    firmware: options.firmware ?? FIRMWARE.find(({ code }) => existsSync(code)) ?? FIRMWARE[0],
  }
  const instances = join(settings.data, 'instances')
  for (const directory of [instances, settings.run, join(settings.data, 'images', '_base')]) await mkdir(directory, { recursive: true, mode: 0o700 })
  const hostId = await storedHostId(world, settings.data, options.host_id)
  const tool = qemu({
    ...(options.binary === undefined ? {} : { binary: options.binary }),
    ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
  })
  const images = qemuImg()
  const store = records({ instances, run: settings.run, hostId })
  const held = sessions(world, tool, store)
  const lines = guestLines()
  const turnOnAny: QemuParts['turnOnAny'] = (operation, serverId, work) =>
    lines.run(serverId, (signal) => world.trace.span('driver', 'nova', operation, async () => work(await store.load(serverId), signal), { server_id: serverId }))
  const recordOf = async (serverId: string): Promise<GuestRecord> => {
    const record = await store.load(serverId)
    if (!record) throw notFound(`Server ${serverId} is not on this host.`)
    return record
  }
  const parts: QemuParts = {
    world,
    settings,
    hostId,
    accelerator: await chooseAccelerator(options.accelerator ?? 'auto'),
    qemu: tool,
    qemuImg: images,
    records: store,
    baseImages: baseImages(world, join(settings.data, 'images', '_base'), images),
    sessions: held,
    tunnels: options.tunnels ?? agentTunnels({ ports: [49_152, 49_215], random: world.random }),
    turnOnAny,
    turn: (operation, serverId, work) =>
      turnOnAny(operation, serverId, (record, signal) => {
        if (!record) throw notFound(`Server ${serverId} is not on this host.`)
        return work(record, signal)
      }),
    recordOf,
  }

  const powerState = async (record: GuestRecord): Promise<PowerState> => {
    const { server_id } = record
    if (record.stage === 'left' || record.stage === 'destroying') return 'shutdown'
    try {
      const live = await held.live(server_id)
      if (live) return powerStateOf(await held.status(live))
    } catch (thrown) {
      if (!isFault(thrown)) throw thrown
      return (await held.process(server_id)) ? 'nostate' : 'shutdown'
    }
    if (record.stage === 'making') return 'nostate'
    return (await isSuspended(parts, server_id)) ? 'suspended' : 'shutdown'
  }

  const destroy = async (serverId: string): Promise<void> => {
    const record = await store.load(serverId)
    if (record && record.stage !== 'destroying') await store.save({ ...record, stage: 'destroying' })
    await killMachine(parts, serverId)
    await store.erase(serverId)
  }

  /** Finishes what was cut off, takes up what runs. */
  const adopt = async (): Promise<void> => {
    await store.sweepErased()
    await Promise.all(
      (await store.all()).map(async (serverId) => {
        try {
          const record = await store.load(serverId)
          if (record?.stage === 'destroying') await lines.run(serverId, () => destroy(serverId))
          else if (record && (await held.live(serverId))) log.info('Took up a running guest', { server_id: serverId })
        } catch (thrown) {
          log.warn('Could not take up a guest', { server_id: serverId, error: thrown })
        }
      }),
    )
  }
  await adopt()
  const version = await tool.version()

  const driver: QemuDriver = {
    async facts() {
      const host = await hostFacts(settings.data)
      return {
        hypervisor_type: 'QEMU',
        hypervisor_version: version.number,
        hypervisor_hostname: options.hostname ?? host.hostname,
        host_id: hostId,
        vcpus: host.cpus,
        memory_mb: host.memory_mb,
        memory_mb_free: host.memory_free_mb,
        local_gb: host.disk_gb,
        local_gb_free: host.disk_free_gb,
        cpu_info: { arch: host.arch, model: host.cpu_model, vendor: host.cpu_vendor, topology: { cells: 1, sockets: 1, cores: host.cpus, threads: 1 }, features: host.cpu_features },
        uptime: host.uptime,
        accelerator: { name: parts.accelerator.accelerator, reason: parts.accelerator.reason },
      }
    },
    async list() {
      const found = await Promise.all(
        (await store.all()).map(async (serverId) => {
          try {
            const record = await store.load(serverId)
            return record ? [{ server_id: serverId, power_state: await powerState(record) }] : []
          } catch (thrown) {
            // Another host's guest on our disk: not ours to speak of.
            if (isFault(thrown, 'conflict')) return []
            throw thrown
          }
        }),
      )
      return found.flat()
    },
    powerState: async (serverId) => powerState(await recordOf(serverId)),
    ensureGuest: (spec, source, power) =>
      turnOnAny('ensureGuest', spec.server_id, async (found, signal) => {
        const record = await ensureMade(parts, found, spec, source, signal)
        mayRunHere(record)
        if (record.stage !== 'ready') throw conflict('The server is arriving by live migration.')
        let live = await held.live(spec.server_id)
        if (!live && power === 'running' && !(await isSuspended(parts, spec.server_id))) live = await ensureRunning(parts, record, signal)
        for (const volume of spec.volumes) await addVolume(parts, record, volume, live)
        for (const nic of spec.nics) await addNic(parts, record, nic, live)
      }),
    async ensureNoGuest(tombstone) {
      if (tombstone.host_id !== hostId) throw conflict('The tombstone names another host.', { code: 'wrong_host' })
      const { server_id } = tombstone
      // Foreign guests are refused before anything is killed.
      await store.load(server_id)
      await lines.preempt(
        server_id,
        () => killMachine(parts, server_id),
        () => destroy(server_id),
      )
    },
    powerOn: (serverId) =>
      parts.turn('powerOn', serverId, async (record, signal) => {
        mayRunHere(record)
        if (record.stage !== 'ready') throw conflict('The server is not made yet.')
        if (await isSuspended(parts, serverId)) throw conflict('The server is suspended.')
        await ensureRunning(parts, record, signal)
      }),
    powerOff: (serverId, more = {}) => parts.turn('powerOff', serverId, (record, signal) => powerOff(parts, record, more.soft_timeout ?? 0, signal)),
    reboot: (serverId, how, more = {}) =>
      parts.turn('reboot', serverId, async (record, signal) => {
        mayRunHere(record)
        if (record.stage !== 'ready') throw conflict('The server is not made yet.')
        await powerOff(parts, record, how === 'soft' ? (more.soft_timeout ?? 60_000) : 0, signal)
        await ensureRunning(parts, record, signal)
      }),
    async close() {
      held.close()
      if (!options.tunnels) await parts.tunnels.close()
    },

    lifecycleWatchable: { watch: (listener) => held.watch(listener) },
    tidyable: {
      async tidy() {
        await adopt()
        for (const serverId of await store.all()) await trimConsoleLog(store.place(serverId).consoleLog)
      },
    },
    imageCaching: {
      async cacheImage(imageId, source) {
        await parts.baseImages.ensure(imageId, source, new AbortController().signal)
      },
      async cachedImages() {
        const uses = await imageUses(parts)
        return (await parts.baseImages.list()).map(({ image_id, size }) => ({ image_id, size, used_by: uses.get(image_id) ?? 0 }))
      },
      async dropUnusedImages(age) {
        const uses = await imageUses(parts)
        const dropped: string[] = []
        for (const { image_id, used_at } of await parts.baseImages.list()) {
          if (uses.has(image_id) || world.clock.now() - used_at < age) continue
          await parts.baseImages.remove(image_id)
          dropped.push(image_id)
        }
        return dropped
      },
    },
    pausable: pausable(parts),
    suspendable: suspendable(parts),
    volumeAttachable: volumeAttachable(parts),
    nicAttachable: nicAttachable(parts),
    consoleLog: consoleLog(parts),
    consoleSockets: consoleSockets(parts),
    snapshotable: snapshotable(parts),
    rebuildable: rebuildable(parts),
    resizable: resizable(parts),
    movable: movable(parts),
    rescuable: rescuable(parts),
    diagnosable: diagnosable(parts),
    liveMigratable: liveMigratable(parts, (spec, layout, source, signal, found) => ensureMade(parts, found, spec, source, signal, layout)),
    passwordSettable: passwordSettable(parts),
    interruptible: interruptible(parts),
  }
  // In a namespace of their own guests reach no network volume by themselves.
  return settings.namespace === undefined ? driver : relayed(driver, await volumeRelay(world, settings.data, settings.run))
}

/** The record, with everything it names on disk. Of a guest that is made already: with where its volumes and taps are now. */
async function ensureMade(parts: QemuParts, found: GuestRecord | undefined, spec: GuestSpec, source: ImageSource, signal: AbortSignal, layout?: Layout): Promise<GuestRecord> {
  await checkSpec(parts, spec)
  if (found && found.stage !== 'making') {
    found.spec.volumes = found.spec.volumes.map((volume) => ({ ...volume, connection: spec.volumes.find((one) => one.volume_id === volume.volume_id)?.connection ?? volume.connection }))
    found.spec.nics = found.spec.nics.map((nic) => {
      const tap = spec.nics.find((one) => one.port_id === nic.port_id)?.tap ?? nic.tap
      return { ...nic, ...(tap === undefined ? {} : { tap }) }
    })
    await parts.records.save(found)
    return found
  }
  const record = await newRecord(parts, found, spec, layout)
  await parts.records.save(record)
  if (spec.hints.hw_firmware_type === 'uefi') record.firmware = await makeFirmware(parts, spec.server_id)
  if (spec.config_drive) record.config_drive = await makeConfigDrive(parts, spec.server_id, 'config.iso', spec.config_drive)
  await makeDisks(parts, record, source, signal)
  assignSlots(record)
  record.stage = 'ready'
  await parts.records.save(record)
  await parts.records.sweep(record)
  return record
}

async function newRecord(parts: QemuParts, half: GuestRecord | undefined, spec: GuestSpec, layout: Layout | undefined): Promise<GuestRecord> {
  const { config_drive: _, ...kept } = spec
  const type = layout?.machine_type ?? spec.hints.hw_machine_type ?? 'pc'
  const record: GuestRecord = {
    version: 1,
    server_id: spec.server_id,
    host_id: parts.hostId,
    stage: 'making',
    machine_type: await parts.qemu.machineType(type),
    chipset: chipsetOf(type),
    spec: kept,
    slots: layout?.slots ?? half?.slots ?? {},
    // Of a half-made guest of the same wish, what is there need not be made again.
    disks: half && sameDisks(half, spec) ? half.disks : {},
  }
  assignSlots(record)
  return record
}

function sameDisks(half: GuestRecord, spec: GuestSpec): boolean {
  const shape = ({ root, ephemerals, swap_mb }: Pick<GuestSpec, 'root' | 'ephemerals' | 'swap_mb'>): string => JSON.stringify([root, ephemerals, swap_mb])
  return shape(half.spec) === shape(spec)
}

async function checkSpec(parts: QemuParts, spec: GuestSpec): Promise<void> {
  parts.records.place(spec.server_id)
  if (!/^[\w.-]{1,64}$/.test(spec.name)) throw invalid('A guest name has letters, digits, dots, dashes and underscores only.', { field: 'name' })
  if (!Number.isInteger(spec.vcpus) || spec.vcpus < 1) throw invalid('vcpus must be a positive whole number.', { field: 'vcpus' })
  if (!Number.isInteger(spec.memory_mb) || spec.memory_mb < 1) throw invalid('memory_mb must be a positive whole number.', { field: 'memory_mb' })
  checkHints(spec.hints)
  const type = spec.hints.hw_machine_type ?? 'pc'
  chipsetOf(type)
  const { root } = spec
  if (root.from === 'volume' && !spec.volumes.some((volume) => volume.volume_id === root.volume_id)) {
    throw invalid('The root volume is not among the volumes.', { field: 'root' })
  }
  for (const volume of spec.volumes) volumeNode(volume)
  if (spec.hints.hw_firmware_type === 'uefi' && !existsSync(parts.settings.firmware.code)) {
    throw invalid('This host has no UEFI firmware.', { field: 'hw_firmware_type' })
  }
}

async function makeFirmware(parts: QemuParts, serverId: string): Promise<{ code: string; vars: string }> {
  const { code, vars } = parts.settings.firmware
  const own = parts.records.place(serverId).file('uefi-vars.fd')
  const there = await stat(own).catch(() => undefined)
  if (!there) await makeWhole(own, (temporary) => copyFile(vars, temporary))
  return { code, vars: 'uefi-vars.fd' }
}

/** This host's id, kept with the guests from the first time: it moves with the disk, not with the host's name. */
async function storedHostId(world: World, data: string, given: string | undefined): Promise<string> {
  const path = join(data, 'host.json')
  const kept = await readJson<{ host_id: string }>(path)
  if (kept && given !== undefined && kept.host_id !== given) throw conflict('The guests on this disk belong to another host.', { code: 'foreign_disk', detail: `${path}: ${kept.host_id}` })
  if (kept) return kept.host_id
  const host_id = given ?? world.random.uuid()
  await writeDurably(path, JSON.stringify({ host_id }))
  return host_id
}

async function imageUses(parts: QemuParts): Promise<Map<string, number>> {
  const uses = new Map<string, number>()
  for (const serverId of await parts.records.all()) {
    const record = await parts.records.load(serverId).catch(() => undefined)
    if (!record) continue
    const disks = [...Object.values(record.disks), ...Object.values(record.resize?.disks ?? {})]
    const ids = new Set([...disks.flatMap((disk) => (disk.base ? [disk.base.image_id] : [])), record.spec.kernel_id, record.spec.ramdisk_id])
    // A guest that is being made is about to use its image.
    if (record.stage === 'making' && record.spec.root.from === 'image') ids.add(record.spec.root.image_id)
    for (const id of ids) if (id !== undefined) uses.set(id, (uses.get(id) ?? 0) + 1)
  }
  return uses
}
