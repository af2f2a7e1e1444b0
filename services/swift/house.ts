/** What the rooms of this house are given. */
import type { Database } from '#base/sql/database.ts'
import type { HouseParts } from '#stack/house.ts'
import type { SwiftConfig } from './config.ts'
import type { Policy } from './core/policies.ts'
import type { Pools } from './drivers/interface.ts'
import type { Commits } from './store/commits.ts'
import type { SwiftTables } from './store/tables.ts'

export interface Swift extends Pick<HouseParts<SwiftConfig>, 'world' | 'config'> {
  db: Database<SwiftTables>
  bytes: Pools
  policies: readonly Policy[]
  commits: Commits
  /** Root secrets of encryption by id, and the one for new objects. */
  secret: { current: string; keys: ReadonlyMap<string, Buffer> } | undefined
  /** Key of the tokens that tempauth gives. */
  tokenKey: Buffer
  /** Microseconds since the epoch in steps of ten, never the same twice in this process. */
  stamp(): number
  /** Asks the sweeper for a round. */
  wake(): void
}

/** A version's id on the wire: seconds with five decimals. */
export const versionText = (stamp: string | null): string => (stamp === null ? 'null' : `${stamp.slice(0, -6)}.${stamp.slice(-6, -1)}`)
export function versionStamp(text: string): string | null | undefined {
  if (text === 'null') return null
  // Others than ours are numbers too, and name nothing.
  const [, seconds, rest = ''] = /^(\d{1,10})(?:\.(\d{1,16})(?:_[0-9a-f]{1,16})?)?$/.exec(text) ?? []
  return seconds === undefined ? undefined : `${Number(seconds)}${rest.slice(0, 5).padEnd(5, '0')}0`
}
