/**
 * The disks behind the fake driver: volumes in memory, with the blocks that were written. It outlives the driver, as a storage system
 * does, and can be told to be slow or to fail. Guests of the fake hypervisor, and tests, read and write through a connection.
 */
import { conflict, invalid, type Fault } from '#base/fault.ts'
import type { Clock } from '#base/clock.ts'
import type { ConnectionInfo, VolumeDriver } from '../interface.ts'

export const BLOCK = 4096
const ZERO = Buffer.alloc(BLOCK)
/** Offset → 4 KiB; what is absent is zero. A block is replaced, never changed, so copies may share it. */
export type Blocks = Map<number, Uint8Array>

export interface FakeVolume {
  size: number
  blocks: Blocks
  snapshots: Map<string, { size: number; blocks: Blocks }>
  connections: Map<string, { host: string; mode: 'rw' | 'ro' }>
}

/** A verb of the driver, or of one of its abilities. */
export type FakeVerb =
  | Exclude<{ [Key in keyof VolumeDriver]: VolumeDriver[Key] extends (...args: never[]) => unknown ? Key : never }[keyof VolumeDriver], undefined>
  | 'revertToSnapshot'
  | 'writeImage'
  | 'readVolume'
  | 'writeVolume'
  | 'ensureManaged'
  | 'ensureUnmanaged'
  | 'ensureGroupSnapshot'

export interface FakeVolumeBackend {
  readonly pool_name: string
  readonly total_gb: number
  readonly volumes: Map<string, FakeVolume>
  /** Disks that are not Cinder's, by name. */
  readonly manageable: Map<string, { size: number; blocks: Blocks }>
  /** The next `times` (default 1) calls of the verb throw. */
  fail(verb: FakeVerb, fault: Fault, times?: number): void
  /** Every call of the verb takes this long, from now on; 0: at once. */
  slow(verb: FakeVerb, ms: number): void
  /** Called by the driver before each verb. */
  enter(verb: FakeVerb, clock: Clock): Promise<void>
  /** As a guest's host. Offsets and lengths are multiples of 512. `conflict` when the connection was cut off or only reads. */
  write(connection: ConnectionInfo, offset: number, bytes: Uint8Array): void
  read(connection: ConnectionInfo, offset: number, length: number): Buffer
}

export function fakeVolumeBackend(options: { pool_name?: string; total_gb?: number; storm?: (verb: string) => { slow: number; fault?: Fault } | undefined } = {}): FakeVolumeBackend {
  const faults = new Map<FakeVerb, { fault: Fault; times: number }>()
  const delays = new Map<FakeVerb, number>()
  const volumes = new Map<string, FakeVolume>()

  function through(connection: ConnectionInfo, offset: number, length: number): { volume: FakeVolume; mode: 'rw' | 'ro' } {
    const { volume_id, connection_id } = connection.data
    const volume = volumes.get(String(volume_id))
    const own = volume?.connections.get(String(connection_id))
    if (!volume || !own) throw conflict('The connection was cut off.')
    if (offset % 512 !== 0 || length % 512 !== 0 || offset + length > volume.size) throw invalid('The range is not on the disk.')
    return { volume, mode: own.mode }
  }

  return {
    pool_name: options.pool_name ?? 'fake',
    total_gb: options.total_gb ?? 10_000,
    volumes,
    manageable: new Map(),
    fail(verb, fault, times = 1) {
      faults.set(verb, { fault, times })
    },
    slow(verb, ms) {
      delays.set(verb, ms)
    },
    async enter(verb, clock) {
      const storm = options.storm?.(verb)
      const delay = (delays.get(verb) ?? 0) + (storm?.slow ?? 0)
      if (delay > 0) await clock.sleep(delay)
      if (storm?.fault) throw storm.fault
      const planned = faults.get(verb)
      if (!planned) return
      if (--planned.times <= 0) faults.delete(verb)
      throw planned.fault
    },
    write(connection, offset, bytes) {
      const { volume, mode } = through(connection, offset, bytes.length)
      if (mode === 'ro') throw conflict('The connection only reads.')
      writeBlocks(volume.blocks, offset, bytes)
    },
    read(connection, offset, length) {
      return readBlocks(through(connection, offset, length).volume.blocks, offset, length)
    },
  }
}

export function writeBlocks(blocks: Blocks, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const at = offset + done
    const start = at - (at % BLOCK)
    const part = bytes.subarray(done, done + BLOCK - (at - start))
    const block = new Uint8Array(BLOCK)
    const old = blocks.get(start)
    if (old) block.set(old)
    block.set(part, at - start)
    if (ZERO.equals(block)) blocks.delete(start)
    else blocks.set(start, block)
    done += part.length
  }
}

export function readBlocks(blocks: Blocks, offset: number, length: number): Buffer {
  const out = Buffer.alloc(length)
  for (let start = offset - (offset % BLOCK); start < offset + length; start += BLOCK) {
    const block = blocks.get(start)
    if (!block) continue
    const from = Math.max(start, offset)
    const to = Math.min(start + BLOCK, offset + length)
    out.set(block.subarray(from - start, to - start), from - offset)
  }
  return out
}
