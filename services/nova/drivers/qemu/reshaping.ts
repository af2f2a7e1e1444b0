/**
 * Rebuild, resize, rescue, and moving to another host. The machine is off while its disks change; new files are made beside the old ones and
 * one write of the record changes over.
 */
import { rm, stat } from 'node:fs/promises'
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { GuestSpec, Movable, Rebuildable, Rescuable, Resizable } from '../interface.ts'
import { copyDisk, makeBlank, makeConfigDrive, makeDisks, makeOverlay, wantedDisks } from './disks.ts'
import { assignSlots, checkHints } from './machine.ts'
import type { QemuParts } from './parts.ts'
import { ensureRunning, haltMachine, isSuspended, mayRunHere } from './power.ts'
import type { GuestRecord, KeptSpec, OwnDisk } from './record.ts'

/** Off, and without the memory of a suspended guest: it would not fit the disks any more. */
async function off(parts: QemuParts, record: GuestRecord): Promise<void> {
  mayRunHere(record)
  await haltMachine(parts, record)
  await rm(parts.records.place(record.server_id).memory, { force: true })
}

/** A new shape with the volumes and cards that are attached now. */
function reshaped(record: GuestRecord, spec: GuestSpec): KeptSpec {
  const { config_drive: _, ...kept } = spec
  return { ...kept, volumes: record.spec.volumes, nics: record.spec.nics }
}

export function rebuildable(parts: QemuParts): Rebuildable {
  const { turn, records } = parts
  return {
    ensureRebuilt: (spec, source, rebuild) =>
      turn('ensureRebuilt', spec.server_id, async (found, signal) => {
        let record = found
        checkHints(spec.hints)
        if (record.rebuild_id !== rebuild.rebuild_id) {
          if (record.resize) throw conflict('A resize waits to be confirmed or reverted.')
          await off(parts, record)
          const next: GuestRecord = { ...record, spec: reshaped(record, spec), disks: { ...record.disks } }
          const { root } = spec
          if (root.from === 'image') {
            const [wanted] = wantedDisks(spec)
            next.disks.root = await makeOverlay(parts, record, 'root', root.image_id, wanted?.size ?? 0, source, signal)
          }
          if (!rebuild.preserve_ephemeral) {
            for (const name of Object.keys(record.disks)) if (/^(ephemeral|swap)/.test(name)) delete next.disks[name]
          }
          if (spec.config_drive) next.config_drive = await makeConfigDrive(parts, spec.server_id, 'config.iso', spec.config_drive)
          delete next.rescue
          delete next.disks.rescue
          next.rebuild_id = rebuild.rebuild_id
          assignSlots(next)
          await records.save(next)
          record = next
        }
        await makeDisks(parts, record, source, signal)
        await records.sweep(record)
        if (rebuild.power === 'running') await ensureRunning(parts, record, signal)
      }),
  }
}

export function resizable(parts: QemuParts): Resizable {
  const { turn, records } = parts
  return {
    ensureResized: (spec, { resize_id }) =>
      turn('ensureResized', spec.server_id, async (record, signal) => {
        checkHints(spec.hints)
        if (record.resize?.resize_id === resize_id) return
        if (record.resize) throw conflict('Another resize waits to be confirmed or reverted.')
        if (record.rescue) throw conflict('The server is in rescue.')
        await off(parts, record)
        const disks = await resizedDisks(parts, record, spec, signal)
        record.resize = { resize_id, spec: record.spec, disks: record.disks }
        record.spec = { ...reshaped(record, spec), root: record.spec.root.from === 'volume' ? record.spec.root : spec.root }
        record.disks = disks
        assignSlots(record)
        await records.save(record)
      }),
    confirmResize: (serverId) =>
      turn('confirmResize', serverId, async (record) => {
        if (!record.resize) return
        delete record.resize
        await records.save(record)
        await records.sweep(record)
      }),
    revertResize: (serverId) =>
      turn('revertResize', serverId, async (record) => {
        if (!record.resize) return
        await off(parts, record)
        const { spec, disks } = record.resize
        record.spec = { ...spec, volumes: record.spec.volumes, nics: record.spec.nics }
        record.disks = disks
        delete record.resize
        assignSlots(record)
        await records.save(record)
        await records.sweep(record)
      }),
  }
}

/** Copies of what grows; blank ones for what is new; what stays as it is copied too, since the old shape may come back. */
async function resizedDisks(parts: QemuParts, record: GuestRecord, spec: GuestSpec, signal: AbortSignal): Promise<Record<string, OwnDisk>> {
  const disks: Record<string, OwnDisk> = {}
  // Refused before anything is copied.
  for (const wanted of wantedDisks(spec)) {
    const old = record.disks[wanted.name]
    if (!old) continue
    const { virtual_size } = await parts.qemuImg.info({ path: parts.records.place(record.server_id).file(old.file), format: old.format }, { signal })
    if (wanted.name !== 'swap' && wanted.size !== 0 && wanted.size < virtual_size) throw invalid('A disk cannot shrink.', { field: wanted.name === 'root' ? 'size_gb' : 'ephemerals' })
  }
  for (const wanted of wantedDisks(spec)) {
    const old = record.disks[wanted.name]
    if (old && wanted.name !== 'swap') disks[wanted.name] = await copyDisk(parts, record, wanted.name, old, wanted.size, signal)
  }
  // Swap and new ephemeral disks start blank.
  for (const wanted of wantedDisks(spec)) {
    if (!disks[wanted.name] && wanted.kind === 'blank') disks[wanted.name] = await makeBlank(parts, record, wanted.name, wanted.size, signal)
  }
  return disks
}

export function rescuable(parts: QemuParts): Rescuable {
  const { turn, records } = parts
  return {
    rescue: (serverId, rescue, source) =>
      turn('rescue', serverId, async (record, signal) => {
        if (record.rescue?.image_id !== rescue.image_id) {
          mayRunHere(record)
          const disk = await makeOverlay(parts, record, 'rescue', rescue.image_id, 0, source, signal)
          await off(parts, record)
          if (rescue.config_drive) record.rescue_config_drive = await makeConfigDrive(parts, serverId, 'config-rescue.iso', rescue.config_drive)
          record.disks.rescue = disk
          record.rescue = { image_id: rescue.image_id }
          assignSlots(record)
          await records.save(record)
          await records.sweep(record)
        }
        await ensureRunning(parts, record, signal)
      }),
    unrescue: (serverId) =>
      turn('unrescue', serverId, async (record, signal) => {
        if (record.rescue) {
          await off(parts, record)
          delete record.rescue
          delete record.disks.rescue
          const drive = record.rescue_config_drive
          delete record.rescue_config_drive
          await records.save(record)
          if (drive !== undefined) await rm(records.place(serverId).file(drive), { force: true })
          await records.sweep(record)
        }
        await ensureRunning(parts, record, signal)
      }),
  }
}

export function movable(parts: QemuParts): Movable {
  const { turn, records, qemuImg } = parts
  return {
    disksToMove: (serverId) =>
      turn('disksToMove', serverId, async (record, signal) => {
        const found: { name: string; virtual_size: number }[] = []
        for (const [name, disk] of Object.entries(record.disks)) {
          const { virtual_size } = await qemuImg.info({ path: records.place(serverId).file(disk.file), format: disk.format }, { signal, shared: true })
          found.push({ name, virtual_size })
        }
        return found
      }),
    exportDisk: (serverId, name, destination) =>
      turn('exportDisk', serverId, async (record, signal) => {
        const disk = record.disks[name]
        if (!disk) throw notFound(`The server has no disk ${name}.`)
        if ((await parts.sessions.process(serverId)) || (await isSuspended(parts, serverId))) throw conflict('The server is not off.')
        await rm(destination, { force: true })
        await qemuImg.convert({ path: records.place(serverId).file(disk.file), format: disk.format }, { path: destination, format: 'qcow2' }, { signal })
        return { size: (await stat(destination)).size }
      }),
  }
}
