/**
 * A machine as data, and the argument vector that makes QEMU be it: pure. Disks, network cards and their places are the same objects
 * that `blockdev-add`, `netdev_add` and `device_add` take, so a card plugged at run time equals one there from the start, and a
 * migration's target can be told to be the same machine.
 *
 * Places: every device has a fixed slot, never one that QEMU chooses, because a machine restored from memory or migrated must find its
 * devices where they were. On `pc` a slot is a PCI slot of bus 0; on `q35` it is a root port made at start (hot plug needs one).
 * Slots 3–6 and 30 are the fixed devices below; 7–29 are for cards and disks.
 */
import { invalid } from '#base/fault.ts'
import type { Accelerator } from './accelerator.ts'

export type Chipset = 'pc' | 'q35'
export type DiskBus = 'virtio' | 'scsi' | 'ide'

/** A node of QEMU's block graph, in QMP's words. */
export interface BlockNode {
  readonly driver: string
  readonly 'node-name': string
  readonly [option: string]: unknown
}

export interface MachineDisk {
  /** Its block node's name (at most 31 characters); its device is `dev-<id>`. */
  id: string
  node: BlockNode
  bus: DiskBus
  slot: number
  /** What the guest sees as the disk's serial: at most 20 characters are visible through virtio. */
  serial?: string
  boot_index?: number
  read_only?: boolean
  /** Other machines may write to it at the same time (a shared volume). */
  shared?: boolean
  cdrom?: boolean
}

export interface MachineNic {
  /** Its net device's name; its card is `dev-<id>`. */
  id: string
  mac: string
  model: string
  /** An existing tap device in the namespace of the process; without it the card is connected to nothing. */
  tap?: string
  mtu?: number
  slot: number
  boot_index?: number
}

export interface Machine {
  binary: string
  name: string
  uuid: string
  /** Versioned machine type, e.g. `pc-i440fx-7.2`. */
  type: string
  chipset: Chipset
  accelerator: Accelerator
  /** Model, e.g. `host`, `max`. */
  cpu: string
  vcpus: number
  memory_mb: number
  pidfile: string
  /** Unix sockets that QEMU listens on. */
  sockets: { qmp: string; serial: string; vnc: string; agent: string }
  console_log: string
  disks: readonly MachineDisk[]
  nics: readonly MachineNic[]
  firmware?: { code: string; vars: string }
  kernel?: { kernel: string; initrd?: string; append?: string }
  video?: string
  rng?: boolean
  tablet?: boolean
  /** Wait for a state to come in instead of booting. */
  incoming?: boolean
  /** Do not run the processors until told to. */
  paused?: boolean
}

export const FIRST_FREE_SLOT = 7
export const LAST_FREE_SLOT = 29
const SCSI_SLOT = 3
const SERIAL_SLOT = 4
const BALLOON_SLOT = 5
const RNG_SLOT = 6
const USB_SLOT = 30

/** Megabytes of TCG's cache of translated code: the default is many times larger and buys nothing that shows. */
const TB_SIZE = 64

/** Arguments for `machine.binary`. */
export function machineArguments(machine: Machine): string[] {
  checkMachine(machine)
  const { chipset, sockets } = machine
  const devices = fixedDevices(machine)
  const blocks = machine.disks.map((disk) => disk.node)
  for (const disk of machine.disks) devices.push(diskDevice(disk, chipset))
  const nets: object[] = []
  for (const nic of machine.nics) {
    nets.push(nicBackend(nic))
    devices.push(nicDevice(nic, chipset))
  }
  const accel = machine.accelerator === 'kvm' ? 'kvm' : `tcg,thread=multi,tb-size=${TB_SIZE}`
  const pair = (flag: string, values: readonly string[]): string[] => values.flatMap((value) => [flag, value])
  const socket = (id: string, path: string, more = ''): string => `socket,id=${id},path=${escaped(path)},server=on,wait=off${more}`
  return [
    '-name', `guest=${machine.name},debug-threads=on`, '-uuid', machine.uuid,
    '-machine', machine.type, '-accel', accel, '-cpu', machine.cpu,
    '-smp', String(machine.vcpus), '-m', String(machine.memory_mb),
    // Not `spawn=deny`: it would forbid -daemonize its fork.
    '-nodefaults', '-no-user-config', '-sandbox', 'on,obsolete=deny,resourcecontrol=deny',
    '-smbios', `type=1,manufacturer=Ondol,product=Ondol Compute,uuid=${machine.uuid},serial=${machine.uuid},family=Virtual Machine`,
    '-display', 'none', '-vga', machine.video ?? 'std', '-vnc', `unix:${escaped(sockets.vnc)}`,
    '-chardev', socket('serial0', sockets.serial, `,logfile=${escaped(machine.console_log)},logappend=on`), '-serial', 'chardev:serial0',
    '-chardev', socket('monitor', sockets.qmp), '-mon', 'chardev=monitor,mode=control',
    '-chardev', socket('agent', sockets.agent),
    ...(machine.firmware ? ['-drive', pflash(0, machine.firmware.code, true), '-drive', pflash(1, machine.firmware.vars, false)] : []),
    ...(machine.kernel ? kernelArguments(machine.kernel) : []),
    ...pair('-blockdev', blocks.map((block) => JSON.stringify(block))),
    ...pair('-netdev', nets.map((net) => JSON.stringify(net))),
    ...pair('-device', devices.map((device) => JSON.stringify(device))),
    ...(machine.incoming ? ['-incoming', 'defer'] : []),
    ...(machine.paused ? ['-S'] : []),
    '-daemonize', '-pidfile', machine.pidfile,
  ]
}

export type DeviceArguments = Readonly<Record<string, unknown>> & { readonly driver: string; readonly id: string }

/** The guest-side device of a disk, for `-device` or `device_add`. */
export function diskDevice(disk: MachineDisk, chipset: Chipset): DeviceArguments {
  const common = {
    id: deviceId(disk.id),
    drive: disk.id,
    ...(disk.serial === undefined ? {} : { serial: disk.serial }),
    ...(disk.boot_index === undefined ? {} : { bootindex: disk.boot_index }),
    ...(disk.shared ? { 'share-rw': true } : {}),
  }
  if (disk.bus === 'virtio') return { driver: 'virtio-blk-pci', ...common, ...place(disk.slot, chipset) }
  if (disk.bus === 'scsi') return { driver: disk.cdrom ? 'scsi-cd' : 'scsi-hd', ...common, bus: 'scsi0.0', 'scsi-id': disk.slot }
  const unit = disk.slot
  const ide = chipset === 'pc' ? { bus: `ide.${Math.floor(unit / 2)}`, unit: unit % 2 } : { bus: `ide.${unit}`, unit: 0 }
  return { driver: disk.cdrom ? 'ide-cd' : 'ide-hd', ...common, ...ide }
}

/** How many disks the IDE or SATA controller takes; their `slot` counts from 0 instead of being a PCI slot. */
export function ideUnits(chipset: Chipset): number {
  return chipset === 'pc' ? 4 : 6
}

const NIC_DRIVERS: Readonly<Record<string, string>> = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  rtl8139: 'rtl8139',
  ne2k_pci: 'ne2k_pci',
  pcnet: 'pcnet',
  vmxnet3: 'vmxnet3',
}

export const NIC_MODELS: readonly string[] = Object.keys(NIC_DRIVERS)

/** The guest-side card, for `-device` or `device_add`. */
export function nicDevice(nic: MachineNic, chipset: Chipset): DeviceArguments {
  const driver = NIC_DRIVERS[nic.model]
  if (!driver) throw invalid(`Network card model ${nic.model} is not supported; there are ${NIC_MODELS.join(', ')}.`, { field: 'hw_vif_model' })
  return {
    driver,
    id: deviceId(nic.id),
    netdev: nic.id,
    mac: nic.mac,
    ...place(nic.slot, chipset),
    // Network boot is asked for by a boot index; without one the option ROM only costs memory and time.
    ...(nic.boot_index === undefined ? { romfile: '' } : { bootindex: nic.boot_index }),
    ...(nic.mtu !== undefined && nic.model === 'virtio' ? { host_mtu: nic.mtu } : {}),
  }
}

/** The host-side end of a card, for `-netdev` or `netdev_add`. */
export function nicBackend(nic: MachineNic): Readonly<Record<string, unknown>> & { readonly id: string } {
  // A hub of its own with one port: a cable that ends nowhere.
  if (nic.tap === undefined) return { type: 'hubport', id: nic.id, hubid: nic.slot }
  return { type: 'tap', id: nic.id, ifname: nic.tap, script: 'no', downscript: 'no' }
}

export function deviceId(id: string): string {
  return `dev-${id}`
}

function fixedDevices(machine: Machine): DeviceArguments[] {
  const { chipset } = machine
  const ports: DeviceArguments[] = []
  if (chipset === 'q35') {
    for (let slot = SCSI_SLOT; slot <= USB_SLOT; slot++) {
      ports.push({ driver: 'pcie-root-port', id: `port${slot}`, bus: 'pcie.0', addr: hex(slot), chassis: slot })
    }
  }
  return [
    ...ports,
    { driver: 'virtio-scsi-pci', id: 'scsi0', ...place(SCSI_SLOT, chipset) },
    { driver: 'virtio-serial-pci', id: 'serialbus', ...place(SERIAL_SLOT, chipset) },
    { driver: 'virtserialport', id: 'agentport', bus: 'serialbus.0', chardev: 'agent', name: 'org.qemu.guest_agent.0' },
    { driver: 'virtio-balloon-pci', id: 'balloon', ...place(BALLOON_SLOT, chipset) },
    ...(machine.rng === false ? [] : [{ driver: 'virtio-rng-pci', id: 'rng', ...place(RNG_SLOT, chipset) }]),
    ...(machine.tablet
      ? [
          { driver: 'qemu-xhci', id: 'usb', ...place(USB_SLOT, chipset) },
          { driver: 'usb-tablet', id: 'tablet', bus: 'usb.0' },
        ]
      : []),
  ]
}

function place(slot: number, chipset: Chipset): { bus: string; addr: string } {
  return chipset === 'pc' ? { bus: 'pci.0', addr: hex(slot) } : { bus: `port${slot}`, addr: '0x0' }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

function kernelArguments(kernel: NonNullable<Machine['kernel']>): string[] {
  return [
    '-kernel', kernel.kernel,
    ...(kernel.initrd === undefined ? [] : ['-initrd', kernel.initrd]),
    ...(kernel.append === undefined ? [] : ['-append', kernel.append]),
  ]
}

function pflash(unit: number, path: string, readOnly: boolean): string {
  return `if=pflash,unit=${unit},format=raw,file=${escaped(path)}${readOnly ? ',readonly=on' : ''}`
}

/** A comma inside a value of QEMU's key=value syntax is doubled. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,')
}

/** The longest path a unix socket can have. */
const SOCKET_PATH_LIMIT = 107

function checkMachine(machine: Machine): void {
  if (!/^[\w.-]+$/.test(machine.name)) throw invalid('A machine name has letters, digits, dots, dashes and underscores only.', { field: 'name' })
  if (!/^[\w.-]+$/.test(machine.type)) throw invalid('The machine type is not a word.', { field: 'hw_machine_type' })
  if (!/^[\w.+,=-]+$/.test(machine.cpu)) throw invalid('The processor model is not a word.', { field: 'cpu' })
  if (!Number.isInteger(machine.vcpus) || machine.vcpus < 1) throw invalid('vcpus must be a positive whole number.', { field: 'vcpus' })
  if (!Number.isInteger(machine.memory_mb) || machine.memory_mb < 1) throw invalid('memory_mb must be a positive whole number.', { field: 'memory_mb' })
  for (const path of Object.values(machine.sockets)) {
    if (Buffer.byteLength(path) > SOCKET_PATH_LIMIT) throw invalid(`The socket path ${path} is longer than ${SOCKET_PATH_LIMIT} bytes: choose a shorter run directory.`, { field: 'run' })
  }
  for (const disk of machine.disks) {
    if (!/^[a-zA-Z][\w-]{0,30}$/.test(disk.id)) throw invalid('A disk id is at most 31 letters, digits, dashes and underscores.', { field: 'id' })
    if (disk.node['node-name'] !== disk.id) throw invalid('A disk and its block node have the same name.', { field: 'node-name' })
  }
  for (const nic of machine.nics) {
    if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(nic.mac)) throw invalid('A mac is six pairs of lower-case hexadecimal digits.', { field: 'mac' })
    if (nic.tap !== undefined && !/^[\w.-]{1,15}$/.test(nic.tap)) throw invalid('A tap device name has at most 15 letters, digits, dots and dashes.', { field: 'tap' })
  }
}
