/** Headers that say how old an answer is, from 1.15 on. */
import type { HttpHeaders } from '#base/http/message.ts'
import type { Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Placement } from '../house.ts'

/** `modified` in ms; what nobody keeps the time of is as of now. */
export function freshness(house: Placement, rq: Rq, modified: number = house.world.clock.now()): HttpHeaders {
  return rq.version < v('1.15') ? {} : { 'cache-control': 'no-cache', 'last-modified': new Date(modified).toUTCString() }
}

/** The newest of rows; undefined without rows. */
export function newest(rows: readonly { created_at: number; updated_at?: number }[]): number | undefined {
  let found: number | undefined
  for (const { created_at, updated_at = created_at } of rows) if (found === undefined || updated_at > found) found = updated_at
  return found
}
