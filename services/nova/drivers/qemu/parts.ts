/** What the rooms of this driver share; wired together in `driver.ts`. */
import type { World } from '#base/world.ts'
import type { AcceleratorChoice } from '#host/accelerator.ts'
import type { Qemu } from '#host/qemu.ts'
import type { QemuImg } from '#host/qemu-img.ts'
import type { Tunnels } from '#host/tunnels.ts'
import type { BaseImages } from './base-images.ts'
import type { GuestRecord, Records } from './record.ts'
import type { Sessions } from './sessions.ts'

export interface QemuSettings {
  /** Guests and images live below it. */
  data: string
  /** Sockets and pid files: short (a socket's path has at most 107 bytes). Default `<data>/run`. */
  run: string
  /** Named network namespace with the guests' taps. */
  namespace: string | undefined
  /** Milliseconds a guest gets to let go of a device. */
  unplugTimeout: number
  /** Where UEFI firmware is. */
  firmware: { code: string; vars: string }
}

export interface QemuParts {
  world: World
  settings: QemuSettings
  hostId: string
  accelerator: AcceleratorChoice
  qemu: Qemu
  qemuImg: QemuImg
  records: Records
  baseImages: BaseImages
  sessions: Sessions
  tunnels: Tunnels
  /** In the guest's line; `not_found` when it has no record, `conflict` when it has left by live migration. */
  turn<T>(operation: string, serverId: string, work: (record: GuestRecord, signal: AbortSignal) => Promise<T>): Promise<T>
  turnOnAny<T>(operation: string, serverId: string, work: (record: GuestRecord | undefined, signal: AbortSignal) => Promise<T>): Promise<T>
  /** The record, or `not_found`. */
  recordOf(serverId: string): Promise<GuestRecord>
}

export const GIB = 2 ** 30
export const MIB = 2 ** 20
