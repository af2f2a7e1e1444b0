/** A guest's record as a machine: pure. The same record gives the same machine, which memory restored from a file relies on. */
import { invalid } from '#base/fault.ts'
import { type BlockNode, type Chipset, type DiskBus, FIRST_FREE_SLOT, ideUnits, LAST_FREE_SLOT, type Machine, type MachineDisk, type MachineNic, NIC_MODELS } from '#host/qemu-machine.ts'
import type { GuestHints, NicSpec, VolumeSpec } from '../interface.ts'
import { deviceName, volumeNode, volumeNodeName } from './connection.ts'
import type { GuestPlace, GuestRecord, OwnDisk } from './record.ts'

export interface MachineHost {
  accelerator: 'kvm' | 'tcg'
  place: GuestPlace
  imagePath(imageId: string): string
}

/** Cards get the lower slots, in order, so that eth0 stays the first card when disks come and go. */
const FIRST_DISK_SLOT = 15

export function machineOf(record: GuestRecord, host: MachineHost, mode: { incoming?: boolean; paused?: boolean } = {}): Machine {
  const { spec } = record
  const { hints } = spec
  const { place } = host
  const direct = record.rescue ? undefined : spec.kernel_id
  return {
    binary: 'qemu-system-x86_64',
    name: spec.name,
    uuid: record.server_id,
    type: record.machine_type,
    chipset: record.chipset,
    accelerator: host.accelerator,
    cpu: hints.hw_cpu_model ?? (host.accelerator === 'kvm' ? 'host' : 'max'),
    vcpus: spec.vcpus,
    memory_mb: spec.memory_mb,
    pidfile: place.pidfile,
    sockets: place.sockets,
    console_log: place.consoleLog,
    disks: machineDisks(record, host),
    nics: spec.nics.map((nic) => machineNic(record, nic)),
    ...(record.firmware ? { firmware: { code: record.firmware.code, vars: place.file(record.firmware.vars) } } : {}),
    ...(direct === undefined
      ? {}
      : {
          kernel: {
            kernel: host.imagePath(direct),
            ...(spec.ramdisk_id === undefined ? {} : { initrd: host.imagePath(spec.ramdisk_id) }),
            append: spec.command_line ?? 'root=/dev/vda console=tty0 console=ttyS0 no_timer_check',
          },
        }),
    ...(hints.hw_video_model === undefined ? {} : { video: videoModel(hints.hw_video_model) }),
    ...(hints.hw_pointer_model === 'usbtablet' ? { tablet: true } : {}),
    ...(mode.incoming ? { incoming: true } : {}),
    ...(mode.paused ? { paused: true } : {}),
  }
}

function machineDisks(record: GuestRecord, host: MachineHost): MachineDisk[] {
  const { spec, rescue } = record
  const bus = diskBus(spec.hints.hw_disk_bus)
  const disks: MachineDisk[] = []
  for (const [name, disk] of Object.entries(record.disks)) {
    if (name === 'rescue' && !rescue) continue
    const boots = rescue ? name === 'rescue' : name === 'root'
    const order = boots ? { boot_index: 1 } : {}
    disks.push({ id: name, node: ownNode(name, disk, host), bus, slot: slotOf(record, name), serial: name, ...order })
  }
  for (const volume of spec.volumes) {
    const disk = machineVolume(record, volume)
    if (rescue) delete disk.boot_index
    disks.push(disk)
  }
  const drive = rescue ? record.rescue_config_drive : record.config_drive
  if (drive !== undefined) disks.push(configDrive(record, host.place.file(drive)))
  return disks
}

export function machineVolume(record: GuestRecord, volume: VolumeSpec): MachineDisk {
  return {
    id: volumeNodeName(volume.volume_id),
    node: volumeNode(volume),
    bus: diskBus(volume.disk_bus ?? record.spec.hints.hw_disk_bus),
    slot: slotOf(record, `volume:${volume.volume_id}`),
    serial: volume.serial ?? volume.volume_id,
    // QEMU's indexes count from 1 here: 0 stays free for what must come before everything.
    ...(volume.boot_index === undefined || volume.boot_index < 0 ? {} : { boot_index: volume.boot_index + 1 }),
    ...(volume.read_only ? { read_only: true } : {}),
    ...(volume.shared ? { shared: true } : {}),
  }
}

export function machineNic(record: GuestRecord, nic: NicSpec): MachineNic {
  const model = record.spec.hints.hw_vif_model ?? 'virtio'
  return {
    id: nicId(nic.port_id),
    mac: nic.mac,
    model,
    slot: slotOf(record, `nic:${nic.port_id}`),
    ...(nic.tap === undefined ? {} : { tap: nic.tap }),
    ...(nic.mtu === undefined ? {} : { mtu: nic.mtu }),
  }
}

export function nicId(portId: string): string {
  return deviceName('n', portId)
}

/** The guest's own disk; its base, too, is named with its format here instead of in the header of the file. */
function ownNode(name: string, disk: OwnDisk, host: MachineHost): BlockNode {
  const file = (filename: string): object => ({ driver: 'file', filename, discard: 'unmap' })
  return {
    driver: disk.format,
    'node-name': name,
    discard: 'unmap',
    file: file(host.place.file(disk.file)),
    ...(disk.base
      ? { backing: { driver: disk.base.format, 'read-only': true, file: { driver: 'file', filename: host.imagePath(disk.base.image_id), 'read-only': true } } }
      : {}),
  }
}

function configDrive(record: GuestRecord, path: string): MachineDisk {
  const wish = record.spec.hints.hw_cdrom_bus
  // The plain SATA controller of q35 is unknown to small guests; SCSI is not.
  const bus = wish === undefined ? (record.chipset === 'pc' ? 'ide' : 'scsi') : diskBus(wish)
  const node: BlockNode = { driver: 'raw', 'node-name': 'config', 'read-only': true, file: { driver: 'file', filename: path, 'read-only': true } }
  const slot = bus === 'ide' ? ideUnits(record.chipset) - 1 : slotOf(record, 'config')
  return { id: 'config', node, bus, slot, cdrom: bus !== 'virtio', read_only: true }
}

// --- slots

function slotOf(record: GuestRecord, key: string): number {
  const slot = record.slots[key]
  if (slot === undefined) throw invalid(`The device ${key} has no slot.`)
  return slot
}

/** Gives every device of the spec a slot, keeps those that are given, frees those of devices that are gone. Changes `record.slots`. */
export function assignSlots(record: GuestRecord): void {
  const { spec } = record
  const planned = [...spec.ephemerals.map((_, index) => `ephemeral${index}`), ...(spec.swap_mb > 0 ? ['swap'] : [])]
  const bus = diskBus(spec.hints.hw_disk_bus)
  // IDE has no places to spare for a rescue that may never be.
  const spare = bus === 'ide' ? [] : ['rescue']
  const own = [...new Set(['root', ...planned, ...Object.keys(record.disks), ...Object.keys(record.resize?.disks ?? {}), ...spare, 'config'])]
  const wanted: { key: string; kind: 'nic' | 'disk' | 'ide' }[] = [
    ...own.map((key) => ({ key, kind: bus === 'ide' && key !== 'config' ? ('ide' as const) : ('disk' as const) })),
    ...spec.nics.map((nic) => ({ key: `nic:${nic.port_id}`, kind: 'nic' as const })),
    ...spec.volumes.map((volume) => ({ key: `volume:${volume.volume_id}`, kind: diskBus(volume.disk_bus ?? spec.hints.hw_disk_bus) === 'ide' ? ('ide' as const) : ('disk' as const) })),
  ]
  const kept: Record<string, number> = {}
  const taken = { pci: new Set<number>(), ide: new Set<number>([ideUnits(record.chipset) - 1]) }
  for (const { key, kind } of wanted) {
    const slot = record.slots[key]
    if (slot === undefined) continue
    kept[key] = slot
    taken[kind === 'ide' ? 'ide' : 'pci'].add(slot)
  }
  // The volume the guest boots from stands where an own root disk would.
  if (spec.root.from === 'volume' && kept[`volume:${spec.root.volume_id}`] === undefined && kept.root !== undefined) {
    kept[`volume:${spec.root.volume_id}`] = kept.root
  }
  for (const { key, kind } of wanted) {
    if (kept[key] !== undefined) continue
    if (spec.root.from === 'volume' && key === `volume:${spec.root.volume_id}` && kept.root !== undefined) {
      kept[key] = kept.root
      continue
    }
    const free = freeSlot(taken, kind, record.chipset)
    taken[kind === 'ide' ? 'ide' : 'pci'].add(free)
    kept[key] = free
  }
  record.slots = kept
}

function freeSlot(taken: { pci: Set<number>; ide: Set<number> }, kind: 'nic' | 'disk' | 'ide', chipset: Chipset): number {
  if (kind === 'ide') {
    for (let unit = 0; unit < ideUnits(chipset); unit++) if (!taken.ide.has(unit)) return unit
    throw invalid('The machine has no more places for IDE disks.', { field: 'hw_disk_bus' })
  }
  const order: number[] = []
  for (let slot = FIRST_FREE_SLOT; slot <= LAST_FREE_SLOT; slot++) order.push(slot)
  const ordered = kind === 'nic' ? order : [...order.filter((slot) => slot >= FIRST_DISK_SLOT), ...order.filter((slot) => slot < FIRST_DISK_SLOT).reverse()]
  for (const slot of ordered) if (!taken.pci.has(slot)) return slot
  throw invalid('The machine has no more places for devices.', { field: kind === 'nic' ? 'nics' : 'volumes' })
}

// --- hints

export function diskBus(wish: string | undefined): DiskBus {
  if (wish === undefined) return 'virtio'
  if (wish === 'virtio' || wish === 'scsi' || wish === 'ide') return wish
  if (wish === 'sata') return 'ide'
  throw invalid(`Disk bus ${wish} is not supported; there are virtio, scsi, ide and sata.`, { field: 'hw_disk_bus' })
}

const VIDEO: Readonly<Record<string, string>> = { vga: 'std', std: 'std', cirrus: 'cirrus', vmvga: 'vmware', qxl: 'qxl', virtio: 'virtio', none: 'none' }

function videoModel(wish: string): string {
  const model = VIDEO[wish]
  if (model === undefined) throw invalid(`Video model ${wish} is not supported; there are ${Object.keys(VIDEO).join(', ')}.`, { field: 'hw_video_model' })
  return model
}

const KNOWN_HINTS = new Set(['hw_machine_type', 'hw_disk_bus', 'hw_cdrom_bus', 'hw_vif_model', 'hw_video_model', 'hw_firmware_type', 'hw_cpu_model', 'hw_pointer_model'])

/** Throws `invalid` with the hint as its field. */
export function checkHints(hints: GuestHints): void {
  for (const name of Object.keys(hints)) if (!KNOWN_HINTS.has(name)) throw invalid(`The hint ${name} is not known.`, { field: name })
  diskBus(hints.hw_disk_bus)
  diskBus(hints.hw_cdrom_bus)
  if (hints.hw_video_model !== undefined) videoModel(hints.hw_video_model)
  if (hints.hw_vif_model !== undefined && !NIC_MODELS.includes(hints.hw_vif_model)) {
    throw invalid(`Network card model ${hints.hw_vif_model} is not supported; there are ${NIC_MODELS.join(', ')}.`, { field: 'hw_vif_model' })
  }
  if (hints.hw_firmware_type !== undefined && hints.hw_firmware_type !== 'bios' && hints.hw_firmware_type !== 'uefi') {
    throw invalid('hw_firmware_type must be bios or uefi.', { field: 'hw_firmware_type' })
  }
}

export function chipsetOf(machineType: string): Chipset {
  if (/^(pc|pc-i440fx-[\w.]+)$/.test(machineType)) return 'pc'
  if (/^(q35|pc-q35-[\w.]+)$/.test(machineType)) return 'q35'
  throw invalid(`Machine type ${machineType} is not supported; there are pc and q35.`, { field: 'hw_machine_type' })
}
