/** What an operator does beside the API: look where the bytes lie, and move them. Works on the data of a cloud, running or not. */
import { invalid } from '#base/fault.ts'
import type { Database } from '#base/sql/database.ts'
import type { World } from '#base/world.ts'
import type { SwiftConfig } from '../config.ts'
import { policyNamed } from '../core/policies.ts'
import { type Moved, type MoveOptions, moveBytes } from '../flows/move-bytes.ts'
import { badBytes, holdersOf } from '../store/bytes.ts'
import { containersByPolicy, countElsewhere, countIn, type Which } from '../store/moves.ts'
import type { SwiftTables } from '../store/tables.ts'
import { bytesOf } from './bytes.ts'

export type { Moved, Which }

export interface ManageParts { world: World; config: SwiftConfig; db: Database; dataDir: string }

export interface PlaceReport { policy: string; default: boolean; deprecated: boolean; driver: string; containers: number; objects: number; bytes: number; lying: number }

export interface SwiftManage {
  /** Whether the configuration names this policy. */
  knows(policy: string): boolean
  /** One of the two wishes, or none for everything. May be stopped by the signal, or by a death, and begun again. */
  move(to: string, which: Which, options?: MoveOptions): Promise<Moved>
  /** For every policy what its containers hold, and how many objects and versions lie in its place (`lying`). Policies without a driver share one. */
  places(): Promise<PlaceReport[]>
  /** Bytes that were found damaged or gone, the oldest first, at most a thousand; `objects`: whose they are, none when they are nobody's any more. */
  damaged(): Promise<Damaged[]>
  close(): Promise<void>
}

export interface Damaged { bytes_id: string; reason: string; found_at: number; objects: string[] }

export function swiftManage(parts: ManageParts): SwiftManage {
  const { world, config } = parts
  const db = parts.db.as<SwiftTables>()
  const { policies, bytes } = bytesOf(parts)
  const driverOf = (policy: (typeof policies)[number]): string => policy.config.driver ?? config.driver
  return {
    knows: (policy) => policyNamed(policies, policy) !== undefined,
    async move(to, which, options) {
      const policy = policyNamed(policies, to)
      if (policy && driverOf(policy) === 'memory') throw invalid(`The policy ${policy.name} keeps its bytes in the memory of one process; nothing can be moved there by another.`, { field: 'to' })
      return moveBytes({ db, bytes, policies, world }, to, which, options)
    },
    async places() {
      const held = await containersByPolicy(db)
      const out: PlaceReport[] = []
      for (const policy of policies) {
        const own = held.find((one) => one.policy === policy.name)
        out.push({ policy: policy.name, default: policy.default, deprecated: policy.deprecated, driver: driverOf(policy), containers: own?.containers ?? 0, objects: own?.objects ?? 0, bytes: own?.bytes ?? 0, lying: policy.pool === '' ? await countElsewhere(db) : await countIn(db, policy.pool) })
      }
      for (const one of held) if (!policies.some((policy) => policy.name === one.policy)) out.push({ ...one, default: false, deprecated: false, driver: 'not configured', lying: 0 })
      return out
    },
    async damaged() {
      const out: Damaged[] = []
      for (const row of await badBytes(db)) out.push({ ...row, found_at: Number(row.found_at), objects: await holdersOf(db, row.bytes_id) })
      return out
    },
    close: () => bytes.close(),
  }
}
