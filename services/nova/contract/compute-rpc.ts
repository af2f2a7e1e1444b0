/**
 * What Nova's workers ask of the agent on a host. Everything ensures: it may be asked twice, and asked again after a crash it brings about
 * the same. Faults are those of `drivers/interface.ts`. A host is called by its stored id, never by its name (S15).
 */
import { defineTopic } from '#base/bus/topic.ts'
import type { Diagnostics, EphemeralDisk, GuestHints, MachineLayout, MigrationProgress, MigrationTarget, NicSpec, PowerState, RootDisk, VolumeSpec } from '#nova/drivers/interface.ts'

/** A guest as wished for, in JSON. `config_drive`: path → content as text, or `{base64}`. */
export interface GuestWish {
  server_id: string
  name: string
  vcpus: number
  memory_mb: number
  root: RootDisk
  ephemerals: readonly EphemeralDisk[]
  swap_mb: number
  nics: readonly NicSpec[]
  volumes: readonly VolumeSpec[]
  config_drive?: Readonly<Record<string, string | { base64: string }>>
  kernel_id?: string
  ramdisk_id?: string
  command_line?: string
  hints: GuestHints
}

interface About {
  server_id: string
}

/** Where a moved guest's disks are fetched from: the source host's id. */
export interface DiskSource {
  from_host_id: string
}

/** Where another host's agent is met, and the key that it is told: `host/tunnels.ts`. Secret. */
export interface Way {
  host: string
  port: number
  key: string
}

/** Methods of `computeTopic` at a host's stored id. */
export interface ComputeRpc {
  ensureGuest(payload: { guest: GuestWish; power: 'running' | 'shutdown'; disks?: DiskSource }): Promise<{ power_state: PowerState }>
  /** `host_id` makes it a tombstone. */
  ensureNoGuest(payload: About & { host_id: string }): Promise<void>
  powerState(payload: About): Promise<{ power_state: PowerState }>
  powerOn(payload: About): Promise<{ power_state: PowerState }>
  powerOff(payload: About & { soft_timeout?: number }): Promise<{ power_state: PowerState }>
  reboot(payload: About & { how: 'soft' | 'hard' }): Promise<{ power_state: PowerState }>
  pause(payload: About): Promise<{ power_state: PowerState }>
  unpause(payload: About): Promise<{ power_state: PowerState }>
  suspend(payload: About): Promise<{ power_state: PowerState }>
  resume(payload: About): Promise<{ power_state: PowerState }>
  attachVolume(payload: About & { volume: VolumeSpec }): Promise<void>
  detachVolume(payload: About & { volume_id: string }): Promise<void>
  extendVolume(payload: About & { volume_id: string; size: number }): Promise<void>
  attachNic(payload: About & { nic: NicSpec }): Promise<void>
  detachNic(payload: About & { port_id: string }): Promise<void>
  /** Uploads the root disk to an image that is queued; ends when Glance has it. */
  snapshot(payload: About & { image_id: string; format: 'raw' | 'qcow2' }): Promise<void>
  ensureRebuilt(payload: { guest: GuestWish; rebuild_id: string; preserve_ephemeral: boolean; power: 'running' | 'shutdown' }): Promise<{ power_state: PowerState }>
  ensureResized(payload: { guest: GuestWish; resize_id: string }): Promise<void>
  confirmResize(payload: About): Promise<void>
  revertResize(payload: About): Promise<void>
  /** A disk that leaves, as a file of `size` bytes, once, at the way's end. A fake disk has no way. */
  offerDisk(payload: About & { name: string }): Promise<{ way?: Way; size: number }>
  rescue(payload: About & { image_id: string; config_drive?: GuestWish['config_drive'] }): Promise<{ power_state: PowerState }>
  unrescue(payload: About): Promise<{ power_state: PowerState }>
  consoleLog(payload: About & { lines?: number }): Promise<{ text: string }>
  /** A socket on the agent's host for who is there too, a way for who asks `from` another. */
  consoleSocket(payload: About & { kind: 'vnc' | 'serial'; from?: string }): Promise<{ host: string; socket: string; way?: undefined } | { host: string; way: Way; socket?: undefined }>
  diagnostics(payload: About): Promise<Diagnostics>
  setPassword(payload: About & { user: string; password: string }): Promise<void>
  interrupt(payload: About): Promise<void>
  /** Asked of the source for `prepareIncoming` at the destination. */
  layout(payload: About): Promise<MachineLayout>
  prepareIncoming(payload: { guest: GuestWish; layout: MachineLayout }): Promise<MigrationTarget>
  migrateOut(payload: About & { target: MigrationTarget }): Promise<void>
  finishIncoming(payload: About & { paused?: boolean }): Promise<{ power_state: PowerState }>
  migrationProgress(payload: About): Promise<MigrationProgress>
  abortMigration(payload: About): Promise<void>
  forceMigration(payload: About): Promise<void>
  /** Brings images into the host's cache. */
  cacheImages(payload: { image_ids: readonly string[] }): Promise<void>
  /** Look at the wishes now. */
  wake(payload: null): Promise<void>
}

/** Served at a host's stored id. Limits are those of one attempt: whoever waits longer asks again. */
export const computeTopic = defineTopic<ComputeRpc>('nova.compute', {
  ensureGuest: { call: 120_000 },
  ensureNoGuest: 'call',
  powerState: 'call',
  powerOn: 'call',
  powerOff: { call: 120_000 },
  reboot: { call: 120_000 },
  pause: 'call',
  unpause: 'call',
  suspend: 'call',
  resume: 'call',
  attachVolume: 'call',
  detachVolume: 'call',
  extendVolume: 'call',
  attachNic: 'call',
  detachNic: 'call',
  snapshot: { call: 120_000 },
  ensureRebuilt: { call: 120_000 },
  ensureResized: { call: 120_000 },
  confirmResize: 'call',
  revertResize: 'call',
  offerDisk: { call: 600_000 },
  rescue: { call: 120_000 },
  unrescue: 'call',
  consoleLog: 'call',
  consoleSocket: 'call',
  diagnostics: 'call',
  setPassword: 'call',
  interrupt: 'call',
  layout: 'call',
  prepareIncoming: { call: 120_000 },
  migrateOut: { call: 120_000 },
  finishIncoming: 'call',
  migrationProgress: 'call',
  abortMigration: 'call',
  forceMigration: 'call',
  cacheImages: { call: 120_000 },
  wake: 'cast',
})
