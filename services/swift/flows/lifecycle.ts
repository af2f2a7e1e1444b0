/**
 * Lifecycle rules of buckets, acted on once a day (a rule's day ends at midnight UTC), when a process starts, and when rules change. A round may
 * be cut off anywhere and begun again, and two processes may run it at once: each deletion asks once more what stands there.
 */
import { isFault } from '#base/fault.ts'
import type { LifecycleRule, Tags } from '../core/s3/documents.ts'
import { policyOfClassName } from '../core/policies.ts'
import { classNow, DAY, expiryOf, type Lived, markerEnds, uploadEnds, versionClassNow, versionEnds } from '../core/s3/lifecycle.ts'
import type { Swift } from '../house.ts'
import { containersWith } from '../store/buckets.ts'
import { LIFECYCLE_PAGE, objectsFrom, standingSince, versionsFrom } from '../store/lifecycle.ts'
import { removeObject, removeVersion } from '../store/objects.ts'
import type { ContainerRow, Stored, VersionRow } from '../store/tables.ts'
import { type Carrier, objectCarrier, versionCarrier } from '../store/moves.ts'
import { endUpload, uploadsIn } from '../store/uploads.ts'
import { type Moved, movePage } from './move-bytes.ts'

export const LIFECYCLE = 'x-container-sysmeta-s3-lifecycle'
/** Moving bytes of one bucket takes at most so long a time, milliseconds. */
const MOVING = 300_000
const TAGS = 'x-object-sysmeta-s3-tags'

/** What was done last, by process: bucket → day and rules. */
const rounds = new WeakMap<Swift, { day: number; done: Map<string, string>; asked: boolean }>()

/** Rules have changed: the next round looks. */
export function askLifecycle(house: Swift): void {
  const round = rounds.get(house)
  if (round) round.asked = true
  house.wake()
}

export async function lifecycleRound(house: Swift, signal?: AbortSignal): Promise<void> {
  const day = Math.floor(house.world.clock.now() / DAY)
  const round = rounds.get(house) ?? { day: -1, done: new Map<string, string>(), asked: true }
  if (round.day === day && !round.asked) return
  if (round.day !== day) round.done.clear()
  Object.assign(round, { day, asked: false })
  rounds.set(house, round)
  for (const row of await containersWith(house.db, LIFECYCLE)) {
    const text = (JSON.parse(row.metadata) as Record<string, string>)[LIFECYCLE]
    if (text === undefined || round.done.get(row.id) === text) continue
    const whole = await live(house, row, JSON.parse(text) as LifecycleRule[], signal)
    if (signal?.aborted) return
    if (whole) round.done.set(row.id, text)
    else round.asked = true
  }
}

const lived = (row: Stored): Lived => ({ name: row.name, size: Number(row.size), created_at: Number(row.created_at), tags: JSON.parse((JSON.parse(row.metadata) as Record<string, string>)[TAGS] ?? '{}') as Tags })

/** False when bytes are still to be moved to another class: others wait for this round as well. */
async function live(house: Swift, container: ContainerRow, rules: readonly LifecycleRule[], signal: AbortSignal | undefined): Promise<boolean> {
  const { db, commits, world } = house
  const now = world.clock.now()
  const versioned = (JSON.parse(container.metadata) as Record<string, string>)['x-versions-enabled'] === 'True'
  // What is locked stays, and what was replaced meanwhile is not what was looked at.
  const attempt = async (work: Promise<unknown>): Promise<void> =>
    void (await work.catch((thrown: unknown) => {
      if (!isFault(thrown, 'forbidden') && !isFault(thrown, 'conflict')) throw thrown
    }))
  const moved: Moved = { containers: 0, objects: 0, bytes: 0, failed: [] }
  const log = world.log.module('swift.lifecycle')
  const until = now + MOVING
  let whole = true
  const transfer = async (wished: readonly { carrier: Carrier; wanted: string | undefined }[]): Promise<void> => {
    for (const name of new Set(wished.flatMap(({ wanted }) => wanted ?? []))) {
      // A class that is no more moves nothing.
      const policy = policyOfClassName(house.policies, name)
      if (!policy) continue
      if (world.clock.now() >= until) whole = false
      else await movePage(house, container, wished.filter(({ wanted }) => wanted === name).map(({ carrier }) => carrier), policy.pool, moved, { signal }).catch((thrown: unknown) => {
        if (!isFault(thrown, 'insufficient_storage')) throw thrown
        log.warn('There is no room for what lifecycle moves', { container: `${container.account}/${container.name}`, class: name })
      })
    }
  }
  if (rules.some(({ enabled, expire, transitions }) => enabled && (expire ?? transitions))) {
    for (let after: string | undefined; ; ) {
      const rows = await objectsFrom(db, container.id, after)
      const over = rows.filter((row) => (expiryOf(rules, lived(row))?.at ?? Infinity) <= now)
      await Promise.all(over.map((row) => attempt(commits.run((commit) => removeObject(commit, container.id, row.name, { same: row, ...(versioned ? { versions: { version_id: String(house.stamp()) } } : {}) }, now)))))
      await transfer(rows.filter((row) => !over.includes(row)).map((row) => ({ carrier: objectCarrier(row), wanted: classNow(rules, lived(row), now) })))
      if (rows.length < LIFECYCLE_PAGE || signal?.aborted) break
      after = rows.at(-1)!.name
    }
  }
  let names: { name: string; newer: number; since: number; rows: VersionRow[] } | undefined
  const flush = async (): Promise<void> => {
    if (names) await Promise.all(names.rows.map((row) => attempt(commits.run((commit) => removeVersion(commit, row, now)))))
  }
  for (let after: { name: string; rank: string } | undefined; ; ) {
    const rows = await versionsFrom(db, container.id, after)
    const wished: Parameters<typeof transfer>[0][number][] = []
    const standing = await standingSince(db, container.id, [...new Set(rows.map((row) => row.name))])
    for (const [i, row] of rows.entries()) {
      if (names?.name !== row.name) {
        await flush()
        names = { name: row.name, newer: 0, since: standing.get(row.name) ?? Infinity, rows: [] }
      }
      const newest = names.since === Infinity
      if (newest && row.deleted === 1) {
        // A marker is what a reader finds; it goes when nothing is behind it any more.
        const alone = rows[i + 1] === undefined ? rows.length < LIFECYCLE_PAGE : rows[i + 1]!.name !== row.name
        if (alone && markerEnds(rules, lived(row), now)) names.rows.push(row)
      } else if (!newest) {
        if (versionEnds(rules, lived(row), names.since, names.newer, now)) names.rows.push(row)
        else if (row.deleted === 0) wished.push({ carrier: versionCarrier(row), wanted: versionClassNow(rules, lived(row), names.since, names.newer, now) })
        names.newer++
      }
      names.since = Number(row.created_at)
    }
    await transfer(wished)
    if (rows.length < LIFECYCLE_PAGE || signal?.aborted) break
    const last = rows.at(-1)!
    after = { name: last.name, rank: last.rank }
  }
  await flush()
  for (const upload of await uploadsIn(db, container.id)) if (uploadEnds(rules, { name: upload.name, created_at: Number(upload.created_at) }, now)) await commits.run((commit) => endUpload(commit, upload.id, new Set(), now))
  if (moved.failed.length > 0) log.warn('Cannot move some objects to their class now', { failed: moved.failed.slice(0, 10) })
  return whole
}
