/** Reconcilers: what expired goes, what nothing holds goes, what is damaged is found. Each round may be cut off anywhere and begun again. */
import { isFault } from '#base/fault.ts'
import type { Swift } from '../house.ts'
import { containersIn, deletedAccounts, forgetAccount, removeContainer } from '../store/accounts.ts'
import { type HeldBelow, poolOf } from '../core/policies.ts'
import { clearReports, judgeBytes } from './damage.ts'
import { badBytes, bytesInParts, dueBytes, forgetBytes, type Held, heldBelow, heldBytes, partsAfter, poolsHeld, relocateBytes, rowsAfter, stillHas } from '../store/bytes.ts'
import { lifecycleRound } from './lifecycle.ts'
import { expiredObjects, someObjects, someVersions } from '../store/listings.ts'
import { removeObject, removeVersion } from '../store/objects.ts'

/** An upload may take this long between its bytes and its row. */
const SETTLED = 86_400_000
const PACK_SETTLED = 3_600_000

export async function sweep(house: Swift, signal?: AbortSignal): Promise<void> {
  const now = house.world.clock.now()
  for (;;) {
    const rows = await expiredObjects(house.db, now)
    const gone = await Promise.all(rows.map((row) => house.commits.run((commit) => removeObject(commit, row.container_id, row.name, { expired: true }, now)).then(() => true, () => false)))
    // What is locked stays although it has expired; when that is all there is on a page, a later round looks again.
    if (rows.length < 500 || !gone.includes(true)) break
  }
  await lifecycleRound(house, signal)
  for (let after = ''; ; ) {
    const ids = await dueBytes(house.db, now, after)
    for (const pool of new Set(ids.map(poolOf))) await removeDue(house, ids.filter((id) => poolOf(id) === pool))
    if (ids.length < 500) break
    after = ids.at(-1)!
  }
  for (const row of await deletedAccounts(house.db)) if (Number(row.deleted_at) + house.config.reap_after_seconds * 1000 <= now) await reap(house, row.account)
}

/** A place that is away keeps the others from nothing; its bytes stay due. */
async function removeDue(house: Swift, ids: readonly string[]): Promise<void> {
  const log = house.world.log.module('swift.sweeper')
  try {
    // That a row still holds what is to go would be a mistake of ours, and this the last moment at which it costs nobody an object.
    const held = await heldBytes(house.db, ids, true)
    if (held.size > 0) log.error('Bytes that were to be removed are held by a row, and stay', { count: held.size, bytes_id: [...held][0] })
    await house.bytes.remove(ids.filter((id) => !held.has(id)))
    await forgetBytes(house.db, ids)
  } catch (thrown) {
    log.warn('Bytes that nothing holds cannot be removed now', { error: thrown, count: ids.length })
  }
}

/** Takes everything out of an account that was deleted, and then forgets it. What is locked stays, and with it the account, until a later round. */
async function reap(house: Swift, account: string): Promise<void> {
  let locked = false
  for (let after = ''; ; ) {
    const containers = await containersIn(house.db, account, { limit: 100, reverse: false, low: { name: after, also: false } })
    for (const { id } of containers) {
      if (await emptied(house, id)) await removeContainer(house.db, id)
      else locked = true
    }
    if (containers.length < 100) break
    after = containers.at(-1)!.name
  }
  if (!locked) await forgetAccount(house.db, account)
}

async function emptied(house: Swift, id: string): Promise<boolean> {
  const now = house.world.clock.now()
  const gone = (work: Promise<unknown>): Promise<boolean> =>
    work.then(() => true, (thrown: unknown) => {
      if (!isFault(thrown, 'forbidden')) throw thrown
      return false
    })
  for (let rows = await someObjects(house.db, id); rows.length > 0; rows = await someObjects(house.db, id)) {
    if (!(await Promise.all(rows.map((row) => gone(house.commits.run((commit) => removeObject(commit, id, row.name, {}, now)))))).includes(true)) return false
  }
  for (let rows = await someVersions(house.db, id); rows.length > 0; rows = await someVersions(house.db, id)) {
    if (!(await Promise.all(rows.map((row) => gone(house.commits.run((commit) => removeVersion(commit, row, now)))))).includes(true)) return false
  }
  return true
}

/** Bytes that nothing holds go; packs that are mostly holes are written anew. */
export async function reconcile(house: Swift, signal?: AbortSignal): Promise<{ removed: number }> {
  const log = house.world.log.module('swift.reconciler')
  const parts = await bytesInParts(house.db)
  const known = new Set(house.bytes.names)
  const lost = new Set([...(await poolsHeld(house.db)), ...[...parts].map(poolOf)].filter((pool) => !known.has(pool)))
  // A policy whose name was changed would make all that lies in its place look as if nothing held it.
  if (lost.size > 0) {
    log.error('Objects lie in places that no policy names; nothing is removed until swift.policies names them again', { places: [...lost].join(', ') })
    return { removed: 0 }
  }
  let removed = 0
  for (const pool of known) {
    try {
      removed += await reconcilePool(house, pool, parts, signal)
    } catch (thrown) {
      log.warn('Failed to look through a place of bytes', { place: pool, error: thrown })
    }
  }
  return { removed }
}

async function reconcilePool(house: Swift, pool: string, parts: ReadonlySet<string>, signal?: AbortSignal): Promise<number> {
  const now = house.world.clock.now()
  const bytes = house.bytes.of(pool)!
  await bytes.sweep(now - SETTLED)
  let removed = 0
  let batch: string[] = []
  let suspects: string[] = []
  const look = async (): Promise<void> => {
    const held = await heldBytes(house.db, batch)
    suspects.push(...batch.filter((id) => !held.has(id) && !parts.has(id)))
    batch = []
  }
  const judge = async (): Promise<void> => {
    if (suspects.length === 0) return
    // An upload may have been completed since the lists were read: its parts have left their rows, so the lists are read again, after the rows.
    const listed = await bytesInParts(house.db)
    const stems = new Set([...listed].map(stemOf))
    const loose: string[] = []
    for (const id of suspects) {
      // How long it is the store says: what it cut off is held by the row of what was longer.
      const stem = stemOf(id)
      if (listed.has(id) || (stem !== id && (stems.has(stem) || (await heldBelow(house.db, stem)).length > 0))) continue
      loose.push(id)
    }
    suspects = []
    await bytes.remove(loose)
    removed += loose.length
  }
  for await (const id of bytes.list(now - SETTLED)) {
    if (signal?.aborted) return removed
    batch.push(id)
    if (batch.length >= 200) await look()
    if (suspects.length >= 5000) await judge()
  }
  await look()
  await judge()
  await bytes.compact?.((prefixes) => heldBelowAll(house, prefixes), (from, to) => relocateBytes(house.db, from, to), now - PACK_SETTLED)
  return removed
}

/** Of bytes in a store that tells their size by itself, the id without it. */
const stemOf = (id: string): string => /^((?:@[^/]+\/)?c-[0-9a-f]{32}-)/.exec(id)?.[1] ?? id

/** Rows first, lists after them: a part that becomes one of an object goes from the one to the other. */
async function heldBelowAll(house: Swift, prefixes: readonly string[]): Promise<HeldBelow[]> {
  const out: HeldBelow[] = []
  for (const prefix of prefixes) {
    const rows = await heldBelow(house.db, prefix)
    const movable = rows.filter(({ table }) => table === 'swift_objects' || table === 'swift_versions').map((row) => row.bytes_id)
    out.push({ movable, fixed: rows.length > movable.length })
  }
  // Places of parts of composite objects stand inside of lists, where they are not changed.
  const listed = await bytesInParts(house.db)
  const begins = new Set([...listed].map((id) => id.slice(0, id.indexOf('-', id.indexOf('-') + 1) + 1)))
  for (const [i, prefix] of prefixes.entries()) if (begins.has(prefix)) out[i]!.fixed = true
  return out
}

/** Reads everything that rows hold again, slowly, and reports what is bad or gone. */
export async function audit(house: Swift, signal?: AbortSignal): Promise<{ bad: number }> {
  const pause = 1000 / house.config.audit_files_per_second
  let bad = 0
  await clearReports(house, (await badBytes(house.db)).map((row) => row.bytes_id))
  const judge = async (ids: readonly string[], whose: Record<string, unknown>, row?: Held): Promise<boolean> => {
    for (const id of ids) {
      if (id === '') continue
      if (signal?.aborted) return false
      if (!(await judgeBytes(house, id, whose, row && (() => stillHas(house.db, row, id))))) bad++
      if (pause >= 1) await house.world.clock.sleep(pause, signal).catch(() => {})
    }
    return true
  }
  for (const table of ['swift_objects', 'swift_versions'] as const) {
    for (let after: Held | undefined; ; ) {
      const rows = await rowsAfter(house.db, table, after, 100)
      for (const row of rows) {
        const ids = row.parts === null ? [row.bytes_id] : (JSON.parse(row.parts) as { bytes_id: string }[]).map((part) => part.bytes_id)
        if (!(await judge(ids, { container_id: row.container_id, object: row.name }, row.parts === null ? undefined : row))) return { bad }
      }
      if (rows.length < 100) break
      after = rows.at(-1)
    }
  }
  for (let after: { upload_id: string; number: number } | undefined; ; ) {
    const rows = await partsAfter(house.db, after, 100)
    for (const row of rows) if (!(await judge([row.bytes_id], { upload_id: row.upload_id, part: row.number }))) return { bad }
    if (rows.length < 100) return { bad }
    after = rows.at(-1)
  }
}
