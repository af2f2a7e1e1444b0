/**
 * The world that a fake driver drives: a host in memory that outlives any driver on it, as real guests outlive a real one. Cheap: no
 * timers, a guest is one small object. Tests and the simulation make its guests power off, its operations fail or be slow.
 */
import { Fault, type FaultKind } from '#base/fault.ts'
import type { GuestSpec, PowerState } from '../interface.ts'

export interface FakeDisk {
  /** What the disk was made from, and everything "written" since: enough to see whether data survived. */
  content: string
  size_gb: number
}

export interface FakeGuest {
  spec: Omit<GuestSpec, 'config_drive'>
  config_drive: boolean
  power_state: PowerState
  /** The guest's clock starts here: milliseconds since the epoch. */
  started_at: number
  disks: Map<string, FakeDisk>
  console: string
  passwords: Map<string, string>
  interrupts: number
  rebuild_id?: string
  resize?: { resize_id: string; spec: FakeGuest['spec']; disks: Map<string, FakeDisk> }
  rescue_image?: string
  /** An incoming migration that has not arrived. */
  incoming?: boolean
  migrated_away?: boolean
  /** When true the guest ignores the power button and keeps its devices. */
  deaf?: boolean
}

export interface FakeHostOptions {
  hostname?: string
  host_id?: string
  vcpus?: number
  memory_mb?: number
  local_gb?: number
  /** Asked at every call of a driver. */
  storm?: (operation: string) => { slow: number; fault?: Fault } | undefined
}

interface Misfortune {
  times: number
  kind: FaultKind
  message: string
}

export class FakeHost {
  readonly hostname: string
  readonly host_id: string
  readonly vcpus: number
  readonly memory_mb: number
  readonly local_gb: number
  readonly storm: NonNullable<FakeHostOptions['storm']>
  readonly guests = new Map<string, FakeGuest>()
  /** image id → when last used. */
  readonly images = new Map<string, { size: number; used_at: number }>()
  readonly listeners = new Set<(serverId: string) => void>()
  readonly #failures = new Map<string, Misfortune>()
  readonly #delays = new Map<string, number>()

  constructor(options: FakeHostOptions = {}) {
    this.hostname = options.hostname ?? 'fake-host'
    this.host_id = options.host_id ?? `id-of-${this.hostname}`
    this.vcpus = options.vcpus ?? 8
    this.memory_mb = options.memory_mb ?? 16_384
    this.local_gb = options.local_gb ?? 1_000
    this.storm = options.storm ?? (() => undefined)
  }

  /** The next `times` calls of `operation` (a verb of the interface, e.g. `ensureGuest`) fail before they change anything. */
  fail(operation: string, options: { times?: number; kind?: FaultKind; message?: string } = {}): void {
    this.#failures.set(operation, { times: options.times ?? 1, kind: options.kind ?? 'internal', message: options.message ?? `${operation} was told to fail` })
  }

  /** From now on `operation` takes `ms` of the world's time; 0 ends that. */
  slow(operation: string, ms: number): void {
    if (ms === 0) this.#delays.delete(operation)
    else this.#delays.set(operation, ms)
  }

  /** Throws what `fail` ordered. */
  meet(operation: string): void {
    const misfortune = this.#failures.get(operation)
    if (!misfortune) return
    misfortune.times -= 1
    if (misfortune.times <= 0) this.#failures.delete(operation)
    throw new Fault(misfortune.kind, misfortune.message, { code: 'fake.told_to_fail' })
  }

  delay(operation: string): number {
    return this.#delays.get(operation) ?? 0
  }

  /** Something inside the guest turns it off. */
  guestPowersOff(serverId: string): void {
    this.#happens(serverId, 'shutdown')
  }

  guestCrashes(serverId: string): void {
    this.#happens(serverId, 'crashed')
  }

  guestPrints(serverId: string, text: string): void {
    const guest = this.guests.get(serverId)
    if (guest) guest.console += text
  }

  /** Something inside the guest writes to a disk. */
  guestWrites(serverId: string, disk: string, text: string): void {
    const found = this.guests.get(serverId)?.disks.get(disk)
    if (found) found.content += `|${text}`
  }

  /** The whole host loses power: every guest that ran is off, disks stay. */
  lostPower(): void {
    for (const guest of this.guests.values()) if (guest.power_state !== 'suspended') guest.power_state = 'shutdown'
  }

  #happens(serverId: string, state: PowerState): void {
    const guest = this.guests.get(serverId)
    if (!guest) return
    guest.power_state = state
    for (const listener of this.listeners) listener(serverId)
  }
}
