/**
 * What Nova asks of a hypervisor. The core is small and every driver has it; everything else is an ability: a property that is there or
 * not, so that the type says what may be called.
 *
 *     if (!driver.pausable) throw notImplemented('This host cannot pause servers.')
 *     await driver.pausable.pause(server_id)
 *
 * Rules that hold for every verb, and that `conformance.ts` judges:
 * - Everything may be asked twice, and after a kill at any line the same call again brings about what was asked. `ensure…` says so;
 *   the others (`powerOn`, `pause`, `attach` …) are no-ops when it is already so.
 * - Guests do not need the driver to live: `close` and a crash leave them running, and a new driver on the same host finds them.
 * - A guest is destroyed only for a tombstone that names it and this host's stored id. Destroying wins over whatever is under way.
 * - Calls about one guest run one after the other; calls about different guests do not wait for each other.
 * - Errors: `not_found` no such guest here; `conflict` not from this state; `invalid` the wish is wrong (field named); `timeout` the
 *   guest or the hypervisor did not follow; `unavailable` try again; `internal` the hypervisor refused.
 * - Sizes: `_gb` is GiB, `_mb` is MiB, `size` is bytes. Times are milliseconds.
 */
import type { Secret } from '#base/secret.ts'

export type PowerState = 'nostate' | 'running' | 'paused' | 'shutdown' | 'crashed' | 'suspended'

/** `OS-EXT-STS:power_state` on the wire. */
export const POWER_STATE_NUMBERS: Readonly<Record<PowerState, number>> = { nostate: 0, running: 1, paused: 3, shutdown: 4, crashed: 6, suspended: 7 }

// --- the wish

export interface GuestSpec {
  server_id: string
  /** `instance-00000001`: letters, digits, dots, dashes. */
  name: string
  vcpus: number
  memory_mb: number
  root: RootDisk
  ephemerals: readonly EphemeralDisk[]
  /** 0: none. */
  swap_mb: number
  nics: readonly NicSpec[]
  /** Attached volumes; with `root.from: 'volume'` the root volume is one of them. */
  volumes: readonly VolumeSpec[]
  /** Path → content of the disk labelled `config-2`; absent: no such disk. Written when the guest is made or rebuilt, not kept elsewhere. */
  config_drive?: Secret<Readonly<Record<string, string | Uint8Array>>>
  /** Images to boot directly, as `kernel_id` and `ramdisk_id` of the root image say. */
  kernel_id?: string
  ramdisk_id?: string
  /** Kernel command line for direct boot (`os_command_line`). */
  command_line?: string
  hints: GuestHints
}

export type RootDisk =
  /** `size_gb: 0`: as large as the image. */
  { from: 'image'; image_id: string; size_gb: number } | { from: 'volume'; volume_id: string }

export interface EphemeralDisk {
  size_gb: number
}

export interface NicSpec {
  port_id: string
  /** Lower case. */
  mac: string
  /** An existing tap device, made by the network side before the guest starts. Absent: the card is connected to nothing. */
  tap?: string
  mtu?: number
}

export interface VolumeSpec {
  volume_id: string
  connection: ConnectionInfo
  /** `/dev/vdb`: a wish; guests name disks themselves and are told the serial. */
  device?: string
  /** 0 boots first. */
  boot_index?: number
  /** Default: the volume id. */
  serial?: string
  /** Default: `hw_disk_bus`. */
  disk_bus?: string
  read_only?: boolean
  /** Attached to several servers at once. */
  shared?: boolean
}

/** Cinder's connection_info; what stands in `data` depends on the type, see `qemu/connection.ts`. */
export interface ConnectionInfo {
  driver_volume_type: string
  data: Readonly<Record<string, unknown>>
}

/** Image properties and flavor extra specs that shape the machine. What a driver does not know of them it refuses by name. */
export interface GuestHints {
  hw_machine_type?: string
  /** `virtio` (default), `scsi`, `ide`. */
  hw_disk_bus?: string
  hw_cdrom_bus?: string
  /** `virtio` (default), `e1000`, `rtl8139` … */
  hw_vif_model?: string
  hw_video_model?: string
  /** `bios` (default) or `uefi`. */
  hw_firmware_type?: string
  hw_cpu_model?: string
  /** `usbtablet` for an absolute pointer. */
  hw_pointer_model?: string
}

/**
 * Where images come from. Called at most once at a time for an image however many guests want it. Writes the image's bytes to
 * `destination` (absolute, not yet there) and says what they are; the format is Glance's record, never a guess.
 */
export interface ImageSource {
  fetch(imageId: string, destination: string, signal: AbortSignal): Promise<{ format: ImageFormat; size: number }>
  /** Brings a disk of this guest from the host it leaves (cold migration); absent: disks are made from images. */
  disk?(name: string, destination: string, signal: AbortSignal): Promise<void>
}

/** `aki`, `ari` and `ami` are raw. */
export type ImageFormat = 'raw' | 'qcow2' | 'vmdk' | 'vdi' | 'vhd' | 'vhdx' | 'ploop' | 'iso' | 'aki' | 'ari' | 'ami'

// --- the core

export interface ComputeFacts {
  /** `QEMU`, `fake`. */
  hypervisor_type: string
  /** libvirt's way: 7.2.22 → 7002022. */
  hypervisor_version: number
  hypervisor_hostname: string
  /** This host's stored id: what a tombstone names. */
  host_id: string
  vcpus: number
  memory_mb: number
  memory_mb_free: number
  local_gb: number
  local_gb_free: number
  cpu_info: { arch: string; model: string; vendor: string; topology: { cells: number; sockets: number; cores: number; threads: number }; features: readonly string[] }
  /** As `uptime` prints; absent when the host has none. */
  uptime?: string
  /** How guests run here, and why, in words. */
  accelerator: { name: string; reason: string }
}

export interface GuestOnHost {
  server_id: string
  power_state: PowerState
}

/** Leave to destroy. */
export interface Tombstone {
  server_id: string
  /** Must be `ComputeFacts.host_id`, else `conflict` and nothing is touched. */
  host_id: string
}

export interface ComputeDriver {
  facts(): Promise<ComputeFacts>
  /** Every guest that has a place on this host, half-made ones included. */
  list(): Promise<GuestOnHost[]>
  /** `not_found` when there is none. */
  powerState(serverId: string): Promise<PowerState>
  /**
   * Brings the guest about: its disks are made if they are not there and never made again; with `power: 'running'` it is started. Of a
   * guest that is there, volumes and cards new in the spec are added and none is taken away; where its volumes and taps are found counts from
   * its next start; its shape is not looked at: that changes by `resizable` and `rebuildable` alone.
   */
  ensureGuest(spec: GuestSpec, source: ImageSource, power: 'running' | 'shutdown'): Promise<void>
  /** Ends the guest and removes its disks. No guest: nothing to do. */
  ensureNoGuest(tombstone: Tombstone): Promise<void>
  /** A suspended guest is `conflict`: resume it. */
  powerOn(serverId: string): Promise<void>
  /** Presses the power button and waits `soft_timeout` (0, default: does not ask), then pulls the plug. A suspended guest loses its memory. */
  powerOff(serverId: string, options?: { soft_timeout?: number }): Promise<void>
  /** `soft`: powers off through the guest within `soft_timeout` (default 60,000), else as `hard`. Starts a guest that is off. */
  reboot(serverId: string, how: 'soft' | 'hard', options?: { soft_timeout?: number }): Promise<void>
  /** Lets go of everything; guests live on. */
  close(): Promise<void>

  readonly lifecycleWatchable?: LifecycleWatchable
  readonly tidyable?: Tidyable
  readonly imageCaching?: ImageCaching
  readonly pausable?: Pausable
  readonly suspendable?: Suspendable
  readonly volumeAttachable?: VolumeAttachable
  readonly nicAttachable?: NicAttachable
  readonly consoleLog?: ConsoleLog
  readonly consoleSockets?: ConsoleSockets
  readonly snapshotable?: Snapshotable
  readonly rebuildable?: Rebuildable
  readonly resizable?: Resizable
  readonly movable?: Movable
  readonly rescuable?: Rescuable
  readonly diagnosable?: Diagnosable
  readonly liveMigratable?: LiveMigratable
  readonly passwordSettable?: PasswordSettable
  readonly interruptible?: Interruptible
}

// --- abilities

/** Tells when a guest changed its power by itself: a wake-up, not the truth; read `powerState`. */
export interface LifecycleWatchable {
  watch(listener: (serverId: string) => void): () => void
}

/** Periodic housekeeping: unfinished destructions, console logs that grew too long. */
export interface Tidyable {
  tidy(): Promise<void>
}

export interface ImageCaching {
  cacheImage(imageId: string, source: ImageSource): Promise<void>
  cachedImages(): Promise<{ image_id: string; size: number; used_by: number }[]>
  /** Removes what no guest uses and was not used for `age` ms. */
  dropUnusedImages(age: number): Promise<string[]>
}

export interface Pausable {
  pause(serverId: string): Promise<void>
  unpause(serverId: string): Promise<void>
}

/** Memory to disk and back. */
export interface Suspendable {
  suspend(serverId: string): Promise<void>
  resume(serverId: string): Promise<void>
}

/** Of a running guest at once; of one that is off, for its next start. */
export interface VolumeAttachable {
  attachVolume(serverId: string, volume: VolumeSpec): Promise<void>
  /** `timeout` when the guest did not let go: nothing has changed then. A volume that is not attached is no error. */
  detachVolume(serverId: string, volumeId: string): Promise<void>
  /** The volume has grown to `size` bytes: the guest is told. */
  extendVolume(serverId: string, volumeId: string, size: number): Promise<void>
  attachedVolumes(serverId: string): Promise<VolumeSpec[]>
}

export interface NicAttachable {
  attachNic(serverId: string, nic: NicSpec): Promise<void>
  /** As `detachVolume`. */
  detachNic(serverId: string, portId: string): Promise<void>
  attachedNics(serverId: string): Promise<NicSpec[]>
}

export interface ConsoleLog {
  /** The last `lines` lines (absent: all that is kept). Bytes from the guest as text: never trust, never render as markup. */
  consoleLog(serverId: string, lines?: number): Promise<string>
}

/** Unix sockets; `conflict` when the guest is off. */
export interface ConsoleSockets {
  vnc(serverId: string): Promise<{ socket: string }>
  serial(serverId: string): Promise<{ socket: string }>
}

export interface Snapshotable {
  /** Writes the root disk as one stand-alone file; a running guest keeps running. Asked again it begins afresh. */
  snapshot(serverId: string, target: { path: string; format: 'raw' | 'qcow2' }, options?: { quiesce?: boolean }): Promise<{ size: number; virtual_size: number }>
}

export interface Rebuildable {
  /**
   * New disks from the spec's image, once per `rebuild_id`: asked again with the same one, it only ensures. With `preserve_ephemeral`
   * the ephemeral disks stay. Volumes and cards stay. The guest is off before and as `power` says after.
   */
  ensureRebuilt(spec: GuestSpec, source: ImageSource, rebuild: { rebuild_id: string; preserve_ephemeral?: boolean; power: 'running' | 'shutdown' }): Promise<void>
}

export interface Resizable {
  /** Powers off, keeps the old disks and shape beside, grows a copy. Once per `resize_id`. Does not start the guest. Shrinking is `invalid`. */
  ensureResized(spec: GuestSpec, resize: { resize_id: string }): Promise<void>
  /** Forgets the old. */
  confirmResize(serverId: string): Promise<void>
  /** Powers off and brings the old back. Does not start the guest. */
  revertResize(serverId: string): Promise<void>
}

/** Cold migration: the disks leave as stand-alone files; the destination gets them by `ImageSource.disk`. */
export interface Movable {
  /** Of a guest that is off. Names are what `ImageSource.disk` is asked for at the destination. */
  disksToMove(serverId: string): Promise<{ name: string; virtual_size: number }[]>
  exportDisk(serverId: string, name: string, destination: string): Promise<{ size: number }>
}

export interface Rescuable {
  /** Boots the rescue image with the guest's own root disk as its second disk. */
  rescue(serverId: string, rescue: { image_id: string; config_drive?: GuestSpec['config_drive'] }, source: ImageSource): Promise<void>
  unrescue(serverId: string): Promise<void>
}

/** As `GET /servers/{id}/diagnostics` from 2.48. */
export interface Diagnostics {
  state: 'pending' | 'running' | 'paused' | 'shutdown' | 'crashed' | 'suspended'
  driver: string
  hypervisor: string
  hypervisor_os: string
  /** Seconds. */
  uptime: number | null
  config_drive: boolean
  num_cpus: number
  num_nics: number
  num_disks: number
  /** MiB. */
  memory_details: { maximum: number; used: number | null }
  /** Nanoseconds of processor time. */
  cpu_details: { id: number; time: number | null; utilisation: number | null }[]
  nic_details: { mac_address: string; rx_octets: number; rx_errors: number; rx_drop: number; rx_packets: number; rx_rate: null; tx_octets: number; tx_errors: number; tx_drop: number; tx_packets: number; tx_rate: null }[]
  disk_details: { read_bytes: number; read_requests: number; write_bytes: number; write_requests: number; errors_count: number }[]
}

export interface Diagnosable {
  diagnostics(serverId: string): Promise<Diagnostics>
}

/** Where the devices of the running machine are: the source's word to the destination, plain JSON that nobody in between reads. */
export type MachineLayout = Readonly<Record<string, unknown>>

/** What the destination offers the source. */
export interface MigrationTarget {
  /** `tcp:host:port`: where both go. */
  uri: string
  /** Opens the way of the memory; secret. */
  memory: string
  /** Opens the way of the disks named; secret. */
  disks: { key: string; exports: readonly string[] }
}

export interface MigrationProgress {
  status: 'none' | 'active' | 'completed' | 'failed'
  memory_total: number
  memory_processed: number
  memory_remaining: number
  disk_total: number
  disk_processed: number
  disk_remaining: number
}

/**
 * Source `layout` → destination `prepareIncoming` → source `migrateOut` → destination `finishIncoming` → source `ensureNoGuest`. When `migrateOut` fails the
 * guest still runs at the source and the destination gets an `ensureNoGuest`.
 */
export interface LiveMigratable {
  /** Of a running guest. */
  layout(serverId: string): Promise<MachineLayout>
  /**
   * `spec` has the volumes and cards that are attached, with the connections and taps of this host. `listenHost`: this host's address that
   * the source reaches. Asked again it offers anew; `conflict` (code `arrived`) when the guest has arrived already.
   */
  prepareIncoming(spec: GuestSpec, layout: MachineLayout, source: ImageSource, listenHost: string): Promise<MigrationTarget>
  /** Returns when the guest is at the destination, whole and standing still; it is stopped here, its disks are still here. */
  migrateOut(serverId: string, target: MigrationTarget, options?: { timeout?: number }): Promise<void>
  /** Lets the guest go on, unless it was `paused` before. `conflict` when it has not arrived. */
  finishIncoming(serverId: string, options?: { paused?: boolean }): Promise<void>
  migrationProgress(serverId: string): Promise<MigrationProgress>
  /** The guest stays. Nothing under way: no error. */
  abortMigration(serverId: string): Promise<void>
  /** Pauses the guest so that its memory no longer changes. */
  forceMigration(serverId: string): Promise<void>
}

export interface PasswordSettable {
  /** Through the agent inside the guest; `unavailable` without one. */
  setPassword(serverId: string, user: string, password: Secret): Promise<void>
}

/** A non-maskable interrupt: a kernel set up so writes a crash dump. */
export interface Interruptible {
  interrupt(serverId: string): Promise<void>
}
